use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use rustix::net::sockopt;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::servers::Server;

/// What asks a server for TLS: its own length, and the number that means so.
const REQUEST: [u8; 8] = [0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f];

/// What the system is told about a connection: when to ask whether a silent server is there, how often, and when to give up.
const SILENT_FOR: Duration = Duration::from_secs(10);
const ASK_EVERY: Duration = Duration::from_secs(5);
const ASK_TIMES: u32 = 3;
const GONE_AFTER: Duration = Duration::from_secs(30);

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub(super) enum ConnectError {
    #[error("cannot be reached: {0}")]
    Unreachable(io::Error),
    #[error("does not answer within {0:?}")]
    Late(Duration),
    #[error(
        "offers no TLS: turn it on there, or write sslmode=disable into the URL if nobody else reaches the network in between"
    )]
    NoTls,
    #[error("answers as no PostgreSQL does")]
    Stranger,
    #[error("cannot be trusted: {0}")]
    Handshake(io::Error),
    #[error("has a name that no certificate can be for")]
    Name,
}

/// Connects to a server, and makes sure that it is the server.
pub(super) async fn connect(
    server: &Server,
    connector: &TlsConnector,
    within: Duration,
) -> Result<TlsStream<TcpStream>, ConnectError> {
    let connecting = async {
        let stream = reach(server, within).await?;
        begin_tls(stream, server, connector).await
    };
    let connected = timeout(within, connecting).await;
    connected.map_err(|_| ConnectError::Late(within))?
}

/// Tries each address that the host has, in turn.
async fn reach(server: &Server, within: Duration) -> Result<TcpStream, ConnectError> {
    let addresses = lookup_host((server.host.as_str(), server.port)).await;
    let addresses: Vec<SocketAddr> = addresses.map_err(ConnectError::Unreachable)?.collect();
    let share = within / u32::try_from(addresses.len()).unwrap_or(u32::MAX).max(1);
    let mut failure = io::Error::from(io::ErrorKind::HostUnreachable);
    for address in addresses {
        match timeout(share, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => {
                tune(&stream).map_err(ConnectError::Unreachable)?;
                return Ok(stream);
            }
            Ok(Err(error)) => failure = error,
            Err(_) => failure = io::ErrorKind::TimedOut.into(),
        }
    }
    Err(ConnectError::Unreachable(failure))
}

/// As libpq does without TLS, by what the URL is given.
fn tune(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    sockopt::set_socket_keepalive(stream, true)?;
    sockopt::set_tcp_keepidle(stream, SILENT_FOR)?;
    sockopt::set_tcp_keepintvl(stream, ASK_EVERY)?;
    sockopt::set_tcp_keepcnt(stream, ASK_TIMES)?;
    let gone_after = u32::try_from(GONE_AFTER.as_millis()).unwrap_or(u32::MAX);
    sockopt::set_tcp_user_timeout(stream, gone_after)?;
    Ok(())
}

async fn begin_tls(
    mut stream: TcpStream,
    server: &Server,
    connector: &TlsConnector,
) -> Result<TlsStream<TcpStream>, ConnectError> {
    let name = ServerName::try_from(server.host.clone()).map_err(|_| ConnectError::Name)?;
    stream
        .write_all(&REQUEST)
        .await
        .map_err(ConnectError::Unreachable)?;
    // Not one byte more: what comes in the clear behind this must not be taken for what comes by TLS.
    match stream.read_u8().await.map_err(ConnectError::Unreachable)? {
        b'S' => {}
        b'N' => return Err(ConnectError::NoTls),
        // What an error says in the clear may be anybody's words.
        _ => return Err(ConnectError::Stranger),
    }
    let connected = connector.connect(name, stream).await;
    connected.map_err(ConnectError::Handshake)
}
