use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use berth_audit::AuditLog;
use berth_auth::Gate;
use berth_registry::Registry;
use berth_tls::TlsAcceptor;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use tracing::{debug, info, warn};

use crate::connection::{self, Connection};
use crate::places::{Free, Place, Places};
use crate::service::Service;
use crate::{Limits, Origins};

/// How long nothing is accepted after accepting failed, which is when file handles run out.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What a server serves, and how.
#[derive(Clone)]
pub struct Setup {
    /// What is served.
    pub registry: Registry,
    /// How patient the server is, and how much it takes in.
    pub limits: Limits,
    /// How to tell what requests come from.
    pub origins: Origins,
    /// Who is let in, and to what.
    pub gate: Arc<Gate>,
    /// Where it is recorded who did what.
    pub audit: Option<AuditLog>,
}

impl Setup {
    /// Serves a registry to everybody, with the defaults for all else.
    pub fn new(registry: Registry) -> Self {
        Self {
            registry,
            limits: Limits::default(),
            origins: Origins::default(),
            gate: Arc::new(Gate::open()),
            audit: None,
        }
    }
}

/// Serves a registry to whoever connects, over TLS if there is an acceptor and in clear otherwise, until
/// `stop` completes; then accepts nobody more, lets requests that are under way go on for
/// [`Limits::drain_timeout`], and returns.
pub async fn serve(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    setup: Setup,
    stop: impl Future<Output = ()>,
) {
    let drain_timeout = setup.limits.drain_timeout;
    let mut places = Places::new(setup.limits.connections);
    let service = Arc::new(Service::new(setup));
    // Each connection has a receiver, and drops it when it ends.
    let (stopping, connections) = watch::channel(false);
    let mut stop = std::pin::pin!(stop);
    loop {
        tokio::select! {
            accepted = accept(&listener, &mut places) => match accepted {
                Ok((stream, peer, free)) => {
                    let peer = peer.ip().to_canonical();
                    let place = places.give(free, peer, service.origins.is_trusted(peer));
                    if let Some(place) = place {
                        connect(stream, place, tls.as_ref(), &service, &connections);
                    }
                }
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

/// Accepts a connection, once there is a place for it.
async fn accept(
    listener: &TcpListener,
    places: &mut Places,
) -> io::Result<(TcpStream, SocketAddr, Free)> {
    let free = places.free().await;
    let (stream, peer) = listener.accept().await?;
    Ok((stream, peer, free))
}

async fn refused(error: &io::Error) {
    warn!(%error, "cannot accept connections");
    sleep(ACCEPT_PAUSE).await;
}

fn connect(
    stream: TcpStream,
    place: Place,
    tls: Option<&TlsAcceptor>,
    service: &Arc<Service>,
    stopping: &watch::Receiver<bool>,
) {
    // Answers are written whole: waiting for more to send only delays them.
    let connection = stream
        .set_nodelay(true)
        .and_then(|()| Connection::of(&stream));
    let connection = match connection {
        Ok(connection) => connection,
        Err(error) => return debug!(%error, "the connection is gone already"),
    };
    let (service, stopping) = (Arc::clone(service), stopping.clone());
    let tls = tls.cloned();
    tokio::spawn(async move {
        match tls {
            None => connection::serve(stream, connection, service, stopping).await,
            Some(tls) => {
                connection::serve_tls(stream, connection, tls, service, stopping).await;
            }
        }
        drop(place);
    });
}
