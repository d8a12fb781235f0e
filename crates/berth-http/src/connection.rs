use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use berth_sendfile::{FileMaps, SendfileStream};
use berth_tls::{ClientCertificate, HandshakeError, TlsAcceptor, TlsConnection};
use futures_util::FutureExt;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{Instant, sleep};
use tracing::{debug, info};

use crate::activity::Activity;
use crate::service::{Service, serve_request};
use crate::stall_guard::StallGuard;
use crate::{Limits, clear_text};

/// How long a connection without a request may stay when the server stops: a request may be on its way.
const LEAVE: Duration = Duration::from_secs(2);

/// How long a client may take for a TLS handshake, which costs it nothing and the server a file handle.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// How often a connection is looked at when the server stops.
const LEAVE_CHECK: Duration = Duration::from_millis(100);

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
        let peer = stream.peer_addr()?;
        Ok(Self {
            peer,
            peer_address: peer.ip().to_canonical().to_string().into(),
            local: stream.local_addr()?,
            is_tls: false,
            certificate: None,
            maps: None,
            activity: Activity::new(),
        })
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

/// Serves what comes over a stream of bytes, to its end. hyper ends it where HTTP/1.1 is idle or sends
/// no head; here it ends where HTTP/2 is idle, an answer over HTTP/2 is not taken, the client's certificate is
/// good no more, or the server stops.
async fn serve_requests(
    stream: impl AsyncRead + AsyncWrite + Send + 'static,
    connection: Connection,
    service: Arc<Service>,
    mut stopping: watch::Receiver<bool>,
) {
    let limits = service.limits.clone();
    let activity = connection.activity.clone();
    let (head, write) = (limits.header_timeout, limits.write_timeout);
    let stream = StallGuard::new(stream, head, write, activity.clone());
    let state = Arc::new(connection);
    let proven = Arc::clone(&state);
    let answer = service_fn(move |request| {
        let response = serve_request(Arc::clone(&service), Arc::clone(&state), request);
        response.map(Ok::<_, Infallible>)
    });
    let builder = builder(&limits);
    let mut connection = pin!(builder.serve_connection(TokioIo::new(Box::pin(stream)), answer));
    let mut stopped_at = None;
    loop {
        let check = match stopped_at {
            Some(_) => LEAVE_CHECK,
            None => check_interval(&limits),
        };
        tokio::select! {
            biased;
            ended = &mut connection => {
                if let Err(error) = ended {
                    debug!(error, "a connection ended early");
                }
                return;
            }
            () = stop(&mut stopping), if stopped_at.is_none() => {
                connection.as_mut().graceful_shutdown();
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
        if idle > limits.header_timeout || proven.has_outlived_its_certificate() {
            connection.as_mut().graceful_shutdown();
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
        .max_concurrent_streams(64)
        .initial_stream_window_size(1024 * 1024)
        .initial_connection_window_size(4 * 1024 * 1024)
        .max_send_buf_size(256 * 1024);
    builder
}
