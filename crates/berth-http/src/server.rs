use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use berth_registry::Registry;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use tracing::{debug, info, warn};

use crate::service::Service;
use crate::{Limits, connection};

/// How long nothing is accepted after accepting failed, which is when file handles run out.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves a registry to whoever connects, until `stop` completes; then accepts nobody more, lets
/// requests that are under way go on for [`Limits::drain_timeout`], and returns.
pub async fn serve(
    listener: TcpListener,
    registry: Registry,
    limits: Limits,
    stop: impl Future<Output = ()>,
) {
    let drain_timeout = limits.drain_timeout;
    let service = Arc::new(Service::new(registry, limits));
    // Each connection has a receiver, and drops it when it ends.
    let (stopping, connections) = watch::channel(false);
    let mut stop = std::pin::pin!(stop);
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => connect(stream, peer, &service, &connections),
                Err(error) => refused(&error).await,
            },
            () = &mut stop => break,
        }
    }
    drop(listener);
    drop(connections);
    info!(
        connections = stopping.receiver_count(),
        "stopping: requests under way may end"
    );
    stopping.send_replace(true);
    if timeout(drain_timeout, stopping.closed()).await.is_err() {
        warn!("some requests had not ended in time and were cut off");
    }
}

async fn refused(error: &io::Error) {
    warn!(%error, "cannot accept connections");
    sleep(ACCEPT_PAUSE).await;
}

fn connect(
    stream: TcpStream,
    peer: SocketAddr,
    service: &Arc<Service>,
    stopping: &watch::Receiver<bool>,
) {
    // Answers are written whole: waiting for more to send only delays them.
    if let Err(error) = stream.set_nodelay(true) {
        debug!(%error, "the connection is gone already");
        return;
    }
    tokio::spawn(connection::serve(
        stream,
        peer,
        Arc::clone(service),
        stopping.clone(),
    ));
}
