use std::convert::Infallible;
use std::error::Error;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use berth_sendfile::{FileMaps, SendfileStream};
use berth_tls::{ClientCertificate, HandshakeError, TlsAcceptor, TlsConnection};
use futures_util::FutureExt;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulConnection;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{Instant, sleep};
use tracing::{debug, info};

use crate::activity::Activity;
use crate::protocol::{Protocol, recognize};
use crate::service::{Service, serve_request};
use crate::stall_guard::StallGuard;
use crate::{Limits, clear_text};

/// How long a connection without a request may stay when the server stops: a request may be on its way.
const LEAVE: Duration = Duration::from_secs(2);

/// How long a client may take for a TLS handshake, which costs it nothing and the server a file handle.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// How often a connection is looked at when the server stops.
const LEAVE_CHECK: Duration = Duration::from_millis(100);

/// How many bytes are read at once at most: bodies larger than a head may be, as an upload costs the processor less in larger
/// pieces. hyper uses this for more: so many bytes of requests that follow each other unasked may wait, and so many of an answer
/// may before more of it is read. A client that stalls pins as much.
const READ_BYTES: usize = 128 * 1024;

/// What the requests of one connection share.
pub(crate) struct Connection {
    /// Who connected: the client, or the last proxy before this server.
    pub(crate) peer: SocketAddr,
    /// The address of [`Connection::peer`], as text.
    pub(crate) peer_address: Arc<str>,
    /// Where it connected to.
    pub(crate) local: SocketAddr,
    pub(crate) is_tls: bool,
    /// The certificate that the client proved to be its own.
    pub(crate) certificate: Option<ClientCertificate>,
    /// Where files to be sent are mapped; `None` where the connection cannot send files.
    pub(crate) maps: Option<FileMaps>,
    pub(crate) activity: Activity,
}

impl Connection {
    /// What a TCP connection is before anything is said.
    ///
    /// # Errors
    /// When it is gone already.
    pub(crate) fn of(stream: &TcpStream) -> io::Result<Self> {
        Ok(Self::between(stream.peer_addr()?, stream.local_addr()?))
    }

    /// As [`Connection::of`], between these addresses.
    pub(crate) fn between(peer: SocketAddr, local: SocketAddr) -> Self {
        Self {
            peer,
            peer_address: peer.ip().to_canonical().to_string().into(),
            local,
            is_tls: false,
            certificate: None,
            maps: None,
            activity: Activity::new(),
        }
    }

    /// The address of whoever sent a request over this connection, as text. Mostly it is that of the connection.
    pub(crate) fn text_of(&self, client: IpAddr) -> Arc<str> {
        match client == self.peer.ip().to_canonical() {
            true => Arc::clone(&self.peer_address),
            false => client.to_string().into(),
        }
    }

    /// The common name of the client's certificate, as long as that is good.
    pub(crate) fn certificate_name(&self) -> Option<&str> {
        let certificate = self.certificate.as_ref();
        let certificate = certificate.filter(|certificate| certificate.is_good());
        certificate.map(ClientCertificate::common_name)
    }

    /// Whether the client has to prove anew who it is, by another connection.
    fn has_outlived_its_certificate(&self) -> bool {
        let mut certificate = self.certificate.iter();
        certificate.any(|certificate| !certificate.is_good())
    }
}

/// Serves one connection to its end.
pub(crate) async fn serve(
    stream: TcpStream,
    mut connection: Connection,
    service: Arc<Service>,
    stopping: watch::Receiver<bool>,
) {
    let stream = SendfileStream::new(stream);
    connection.maps = Some(stream.maps());
    serve_requests(stream, connection, service, stopping).await;
}

/// As [`serve`], over TLS. The bytes of blobs go through this process, which encrypts them.
pub(crate) async fn serve_tls(
    stream: TcpStream,
    mut connection: Connection,
    acceptor: TlsAcceptor,
    service: Arc<Service>,
    mut stopping: watch::Receiver<bool>,
) {
    let deadline = service.limits.header_timeout.min(HANDSHAKE);
    let handshake = acceptor.accept(stream, deadline);
    let accepted = tokio::select! {
        accepted = handshake => accepted,
        () = leave(&mut stopping) => return,
    };
    match accepted {
        Ok(TlsConnection {
            stream,
            certificate,
        }) => {
            connection.is_tls = true;
            connection.certificate = certificate;
            serve_requests(stream, connection, service, stopping).await;
        }
        Err(HandshakeError::NotTls(stream)) => clear_text::refuse(stream).await,
        Err(error @ HandshakeError::Refused(_)) => {
            info!(client = %connection.peer.ip(), %error, "a TLS handshake failed");
        }
        // As those end who only look whether the port is open.
        Err(error) => debug!(client = %connection.peer.ip(), %error, "a TLS handshake ended early"),
    }
}

/// Waits until the server stops, and a request that was on its way can no longer be.
async fn leave(stopping: &mut watch::Receiver<bool>) {
    stop(stopping).await;
    sleep(LEAVE).await;
}

/// Serves what comes over a stream of bytes, to its end.
async fn serve_requests(
    stream: impl AsyncRead + AsyncWrite + Send + 'static,
    connection: Connection,
    service: Arc<Service>,
    mut stopping: watch::Receiver<bool>,
) {
    let limits = service.limits.clone();
    let activity = connection.activity.clone();
    let (head, write) = (limits.header_timeout, limits.write_timeout);
    let mut stream = Box::pin(StallGuard::new(stream, head, write, activity));
    let recognized = tokio::select! {
        // A request that is there already is answered.
        biased;
        recognized = recognize(&mut stream) => recognized,
        () = stop(&mut stopping) => return,
    };
    let protocol = match recognized {
        Ok((protocol, begun)) => {
            stream.as_mut().take_back(begun);
            protocol
        }
        Err(error) => return debug!(%error, "a connection ended before it began"),
    };
    let stream = TokioIo::new(stream);
    let connection = Arc::new(connection);
    let state = Arc::clone(&connection);
    let answer = service_fn(move |request| {
        let response = serve_request(Arc::clone(&service), Arc::clone(&state), request);
        response.map(Ok::<_, Infallible>)
    });
    match protocol {
        Protocol::Http1 => {
            let served = http1(&limits).serve_connection(stream, answer);
            attend(served, &connection, &limits, stopping).await;
        }
        Protocol::Http2 => {
            let served = http2(&limits).serve_connection(stream, answer);
            attend(served, &connection, &limits, stopping).await;
        }
    }
}

/// Lets a connection go on to its end. hyper ends it where HTTP/1.1 is idle or sends no head; here it ends where HTTP/2 is idle,
/// an answer over HTTP/2 is not taken, the client's certificate is good no more, or the server stops.
async fn attend(
    served: impl GracefulConnection<Error = hyper::Error>,
    connection: &Connection,
    limits: &Limits,
    mut stopping: watch::Receiver<bool>,
) {
    let mut served = pin!(served);
    let activity = &connection.activity;
    let mut stopped_at = None;
    loop {
        let check = match stopped_at {
            Some(_) => LEAVE_CHECK,
            None => check_interval(limits),
        };
        tokio::select! {
            biased;
            ended = &mut served => {
                if let Err(error) = ended {
                    let error: &(dyn Error + 'static) = &error;
                    debug!(error, "a connection ended early");
                }
                return;
            }
            () = stop(&mut stopping), if stopped_at.is_none() => {
                served.as_mut().graceful_shutdown();
                stopped_at = Some(Instant::now());
                // The connection has to say that it ends, before it does.
                continue;
            }
            () = sleep(check) => {}
        }
        let now = Instant::now();
        let idle = activity.idle(now).unwrap_or_default();
        if activity.is_stalled(now, limits.write_timeout) {
            debug!("a client takes nothing of an answer: its connection ends");
            return;
        }
        let must_leave = stopped_at.is_some_and(|stopped_at| now - stopped_at > LEAVE);
        if must_leave && idle > LEAVE || idle > limits.header_timeout.saturating_mul(2) {
            debug!("a connection without a request ends");
            return;
        }
        if idle > limits.header_timeout || connection.has_outlived_its_certificate() {
            served.as_mut().graceful_shutdown();
        }
    }
}

/// Waits until the server stops.
async fn stop(stopping: &mut watch::Receiver<bool>) {
    // An error says that there is nobody left to stop the server, which ends with it.
    let _ = stopping.wait_for(|is_stopping| *is_stopping).await;
}

/// Often enough that what is late is not late by much.
fn check_interval(limits: &Limits) -> Duration {
    let shortest = limits.write_timeout.min(limits.header_timeout);
    (shortest / 4).max(Duration::from_millis(10))
}

fn http1(limits: &Limits) -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header_timeout)
        .max_header_size(limits.header_bytes)
        .max_buf_size(READ_BYTES.max(limits.header_bytes))
        .half_close(false);
    builder
}

fn http2(limits: &Limits) -> http2::Builder<TokioExecutor> {
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .keep_alive_interval(limits.header_timeout)
        .keep_alive_timeout(limits.header_timeout)
        .max_header_list_size(u32::try_from(limits.header_bytes).unwrap_or(u32::MAX))
        .max_concurrent_streams(64)
        .initial_stream_window_size(1024 * 1024)
        .initial_connection_window_size(4 * 1024 * 1024)
        .max_send_buf_size(256 * 1024);
    builder
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use berth_registry::{MemoryBlobs, MemoryMetadata, Registry, Settings};
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;
    use crate::Setup;

    /// What a client is answered that has sent this before anybody serves its connection, when the server stops already.
    async fn answer_while_stopping(sent: &[u8]) -> String {
        let (mut client, server) = duplex(4096);
        client.write_all(sent).await.unwrap();
        let (_stopping, connections) = watch::channel(true);
        let (peer, local) = (([192, 0, 2, 1], 4000), ([192, 0, 2, 2], 5000));
        let connection = Connection::between(peer.into(), local.into());
        let registry = Registry::new(
            Arc::new(MemoryMetadata::default()),
            Arc::new(MemoryBlobs::default()),
            Settings::default(),
        );
        let service = Arc::new(Service::new(Setup::new(registry)));
        serve_requests(server, connection, service, connections).await;
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.unwrap();
        answer
    }

    #[tokio::test]
    async fn a_request_that_is_there_when_the_server_stops_is_answered() {
        for _ in 0..20 {
            let answer = answer_while_stopping(b"GET /v2/ HTTP/1.1\r\nHost: a\r\n\r\n").await;
            assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        }
    }

    #[tokio::test]
    async fn a_connection_on_which_nothing_came_ends_when_the_server_stops() {
        for begun in [&b""[..], b"PRI * HTTP/2.0\r\n"] {
            assert_eq!(answer_while_stopping(begun).await, "");
        }
    }
}
