use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy, split};
use tokio::net::{TcpStream, UnixListener, UnixStream};
use tokio::runtime;
use tokio::sync::oneshot;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tracing::{debug, warn};

use super::handshake::connect;
use super::servers::Server;
use super::{Tls, greeting};
use crate::url_parts::UrlParts;

/// The folder is for its owner.
const PRIVATE: u32 = 0o700;

/// How long the first message of a connection may be, in bytes. PostgreSQL takes no more.
const LONGEST_STARTUP: usize = 10_000;

/// How long the last words to a server may take.
const PATIENCE: Duration = Duration::from_secs(1);

/// How long to wait when no more connections can be taken.
const PAUSE: Duration = Duration::from_millis(100);

/// Takes connections in the clear, over sockets in a folder that only this user may enter, and passes them on by TLS. Who
/// connects to it is where he would be if he reached the server itself: he has to log in.
///
/// It has a thread of its own, so it goes on while all others wait for libpq. What it holds of a connection in each direction is
/// a few KiB: who does not read is not written to. It ends, and with it all connections, when this is dropped.
pub(crate) struct Relay {
    _running: oneshot::Sender<()>,
    folder: TempDir,
    ports: Vec<u16>,
}

/// A server, and how to get to it.
struct Way {
    server: Server,
    connector: TlsConnector,
    within: Duration,
}

impl Relay {
    /// # Errors
    /// If there is no place for sockets, or no thread.
    pub(crate) fn start(tls: Tls) -> io::Result<Self> {
        let private = std::fs::Permissions::from_mode(PRIVATE);
        let folder = tempfile::Builder::new()
            .prefix("berth-postgres-")
            .permissions(private)
            .tempdir()?;
        let runtime = runtime::Builder::new_current_thread()
            .enable_all()
            .max_blocking_threads(4)
            .build()?;
        let ports = tls.servers.iter().map(|server| server.port).collect();
        let mut listeners = Vec::new();
        for (index, server) in tls.servers.into_iter().enumerate() {
            let _entered = runtime.enter();
            let listener = listen(&place(folder.path(), index), server.port)?;
            let way = Way {
                server,
                connector: TlsConnector::from(Arc::clone(&tls.config)),
                within: tls.within,
            };
            listeners.push((listener, Arc::new(way)));
        }
        let (running, dropped) = oneshot::channel();
        let serve = move || {
            runtime.block_on(async {
                for (listener, way) in listeners {
                    tokio::spawn(accept(listener, way));
                }
                // An error: nothing is ever sent.
                let _ = dropped.await;
            });
        };
        let thread = thread::Builder::new().name("postgres-tls".to_owned());
        thread.spawn(serve)?;
        Ok(Self {
            _running: running,
            folder,
            ports,
        })
    }

    /// The same URL, by way of this.
    pub(crate) fn url(&self, url: &UrlParts<'_>) -> String {
        let places = (0..self.ports.len()).map(|index| {
            let place = place(self.folder.path(), index);
            utf8_percent_encode(&place, NON_ALPHANUMERIC).to_string()
        });
        let places = places.collect::<Vec<_>>().join(",");
        let ports: Vec<String> = self.ports.iter().map(u16::to_string).collect();
        let ports = ports.join(",");
        let parameters = url.parameters.iter().copied();
        let mut parameters: Vec<(&str, &str)> = parameters
            .filter(|(name, _)| !matches!(*name, "host" | "port") && !name.starts_with("ssl"))
            .collect();
        parameters.extend([
            ("host", &*places),
            ("port", &*ports),
            ("sslmode", "disable"),
            // Or libpq would take that of the environment, and connect past this.
            ("hostaddr", ""),
        ]);
        UrlParts {
            hosts: "",
            parameters,
            ..*url
        }
        .text()
    }
}

/// The folder of the socket for one of the servers: each its own, since they may have the same port.
fn place(folder: &Path, index: usize) -> String {
    folder.join(index.to_string()).display().to_string()
}

/// Listens where libpq connects to when it is told this folder and port.
fn listen(place: &str, port: u16) -> io::Result<UnixListener> {
    std::fs::create_dir(place)?;
    UnixListener::bind(Path::new(place).join(format!(".s.PGSQL.{port}")))
}

async fn accept(listener: UnixListener, way: Arc<Way>) {
    loop {
        match listener.accept().await {
            Ok((client, _)) => {
                let way = Arc::clone(&way);
                tokio::spawn(async move { pass_on(client, &way).await });
            }
            Err(error) => {
                warn!(%error, "no connection to the database can be begun now");
                sleep(PAUSE).await;
            }
        }
    }
}

/// Passes a connection on, until one of both sides ends it.
async fn pass_on(mut client: UnixStream, way: &Way) {
    // First: whoever has not been heard hears nothing either, not even why there is no connection.
    let startup = timeout(way.within, startup(&mut client)).await;
    let Ok(Ok(startup)) = startup else {
        return;
    };
    let passed = match connect(&way.server, &way.connector, way.within).await {
        Ok(server) => exchange(client, server, &startup, way.within).await,
        Err(error) => refuse(client, &format!("{} {error}", way.server)).await,
    };
    if let Err(error) = passed {
        debug!(server = %way.server, %error, "a connection to the database has ended");
    }
}

/// The first message of a client, or its wish that a statement be cancelled: both have their length before them.
async fn startup(client: &mut UnixStream) -> io::Result<Vec<u8>> {
    let length = client.read_u32().await?;
    let rest = (length as usize).checked_sub(size_of::<u32>());
    let rest = rest.filter(|rest| *rest <= LONGEST_STARTUP);
    let rest = rest.ok_or(io::ErrorKind::InvalidData)?;
    let mut message = length.to_be_bytes().to_vec();
    message.resize(message.len() + rest, 0);
    client.read_exact(&mut message[size_of::<u32>()..]).await?;
    Ok(message)
}

/// Neither side has anything to say when the other one is gone.
async fn exchange(
    mut client: UnixStream,
    mut server: TlsStream<TcpStream>,
    startup: &[u8],
    within: Duration,
) -> io::Result<()> {
    server.write_all(startup).await?;
    server.flush().await?;
    timeout(within, greeting::pass_on(&mut server, &mut client)).await??;
    let (mut from_client, mut to_client) = client.split();
    let (mut from_server, mut to_server) = split(server);
    tokio::select! {
        sent = copy(&mut from_client, &mut to_server) => {
            let _ = timeout(PATIENCE, to_server.shutdown()).await;
            sent.map(drop)
        }
        received = copy(&mut from_server, &mut to_client) => received.map(drop),
    }
}

/// Tells a client, as a server would that cannot be connected to now, why not: it tries the next one then.
async fn refuse(mut client: UnixStream, why: &str) -> io::Result<()> {
    let mut fields = Vec::new();
    for (kind, text) in [
        (b'S', "FATAL"),
        (b'V', "FATAL"),
        (b'C', "57P03"),
        (b'M', why),
    ] {
        fields.push(kind);
        fields.extend(text.bytes().filter(|byte| *byte != 0));
        fields.push(0);
    }
    fields.push(0);
    let length = u32::try_from(fields.len() + size_of::<u32>()).unwrap_or(u32::MAX);
    client.write_u8(b'E').await?;
    client.write_u32(length).await?;
    client.write_all(&fields).await?;
    client.shutdown().await
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::os::unix::net::UnixStream;

    use super::*;

    const URL: &str =
        "postgresql://berth:s3cret@127.0.0.1:1,localhost:2/a?user=b&sslmode=require&host=::1,db";

    fn relay() -> Relay {
        let url = UrlParts::parse(URL).unwrap();
        Relay::start(Tls::wanted(&url).unwrap().unwrap()).unwrap()
    }

    #[test]
    fn it_is_for_nobody_else_and_ends_when_it_is_dropped() {
        let relay = relay();
        let folder = relay.folder.path().to_owned();
        let mode = std::fs::metadata(&folder).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, PRIVATE);
        let mut client = UnixStream::connect(folder.join("1/.s.PGSQL.2")).unwrap();
        drop(relay);
        // The end, or an error if it had not been taken yet.
        assert!(matches!(client.read(&mut [0]), Ok(0) | Err(_)));
        assert!(!folder.exists());
    }

    #[test]
    fn the_url_leads_to_it_and_nowhere_else() {
        let relay = relay();
        let url = relay.url(&UrlParts::parse(URL).unwrap());
        let folder = place(relay.folder.path(), 0);
        let folder = folder
            .trim_end_matches('0')
            .replace('/', "%2F")
            .replace('-', "%2D");
        assert_eq!(
            url,
            format!(
                "postgresql://berth:s3cret@/a?user=b&host={folder}0,{folder}1&port=1,2&sslmode=disable&hostaddr="
            )
        );
    }
}
