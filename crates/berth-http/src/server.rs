use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use berth_registry::Registry;
use berth_sendfile::SendfileStream;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};
use tracing::{debug, info, warn};

use crate::Limits;
use crate::service::serve_request;
use crate::stall_guard::StallGuard;

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
    let limits = Arc::new(limits);
    let connections = GracefulShutdown::new();
    let mut stop = std::pin::pin!(stop);
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => connect(stream, &registry, &limits, &connections),
                Err(error) => refused(&error).await,
            },
            () = &mut stop => break,
        }
    }
    drop(listener);
    info!(
        connections = connections.count(),
        "stopping: requests under way may end"
    );
    if timeout(limits.drain_timeout, connections.shutdown())
        .await
        .is_err()
    {
        warn!("some requests had not ended in time and were cut off");
    }
}

async fn refused(error: &io::Error) {
    warn!(%error, "cannot accept connections");
    sleep(ACCEPT_PAUSE).await;
}

fn connect(
    stream: TcpStream,
    registry: &Registry,
    limits: &Arc<Limits>,
    connections: &GracefulShutdown,
) {
    // Answers are written whole: waiting for more to send only delays them.
    if let Err(error) = stream.set_nodelay(true) {
        debug!(%error, "the connection is gone already");
        return;
    }
    let stream = SendfileStream::new(stream);
    let maps = stream.maps();
    let stream = StallGuard::new(stream, limits.header_timeout, limits.write_timeout);
    let registry = registry.clone();
    let service_limits = Arc::clone(limits);
    let service = service_fn(move |request| {
        let registry = registry.clone();
        let limits = Arc::clone(&service_limits);
        let maps = maps.clone();
        async move { Ok::<_, Infallible>(serve_request(&registry, &limits, &maps, request).await) }
    });
    let connection = builder(limits)
        .serve_connection(TokioIo::new(Box::pin(stream)), service)
        .into_owned();
    let connection = connections.watch(connection);
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            debug!(error, "a connection ended early");
        }
    });
}

fn builder(limits: &Limits) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header_timeout)
        .max_buf_size(limits.header_bytes)
        .half_close(false);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(limits.header_timeout)
        .keep_alive_timeout(limits.header_timeout)
        .max_header_list_size(u32::try_from(limits.header_bytes).unwrap_or(u32::MAX))
        .max_concurrent_streams(128)
        .initial_stream_window_size(1024 * 1024)
        .initial_connection_window_size(4 * 1024 * 1024)
        .max_send_buf_size(256 * 1024);
    builder
}
