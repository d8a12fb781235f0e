use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::net::TcpStream;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep, timeout};
use tokio_rustls::server::TlsStream;
use tracing::{error, info};
use x509_parser::time::ASN1Time;

use crate::client_certificate::name_and_end;
use crate::close::close;
use crate::config::{Authorities, Loaded, load};
use crate::files::Stamps;
use crate::{HandshakeError, TlsError, TlsFiles};

/// How often the log is told that a certificate ends soon.
const WARN_AGAIN: Duration = Duration::from_secs(24 * 60 * 60);

/// Does the server's side of handshakes, with the certificate that its files hold now. Cheap to clone.
#[derive(Clone)]
pub struct TlsAcceptor(Arc<Shared>);

struct Shared {
    files: TlsFiles,
    current: ArcSwap<Loaded>,
    /// What the files were like when they were last read, whatever came of that. Locked while they are.
    tried: Mutex<Stamps>,
}

/// A connection after its handshake.
#[derive(Debug)]
pub struct TlsConnection {
    /// The bytes that are meant.
    pub stream: TlsStream<TcpStream>,
    /// The certificate that the client has presented and proved to be its own.
    pub certificate: Option<ClientCertificate>,
}

/// The certificate of a client, which was good at the handshake.
#[derive(Clone)]
pub struct ClientCertificate {
    common_name: String,
    ends: ASN1Time,
    /// Those that it was verified by.
    authorities: Authorities,
    acceptor: TlsAcceptor,
}

impl ClientCertificate {
    /// Its common name: not empty, and without control characters.
    pub fn common_name(&self) -> &str {
        &self.common_name
    }

    /// Whether it is still good: it has not expired, and the authorities that are trusted are those of the
    /// handshake. If they have changed, the client must prove itself to the new ones, by another handshake.
    pub fn is_good(&self) -> bool {
        let current = self.acceptor.0.current.load();
        ASN1Time::now() <= self.ends && Arc::ptr_eq(&current.authorities, &self.authorities)
    }
}

impl fmt::Debug for ClientCertificate {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("ClientCertificate")
            .field("common_name", &self.common_name)
            .field("ends", &self.ends.to_string())
            .finish_non_exhaustive()
    }
}

impl TlsAcceptor {
    /// Reads the files, which blocks, and warns in the log if the certificate ends within 14 days.
    ///
    /// # Errors
    /// When a file cannot be read, is not what it should be, or the key is not the certificate's.
    pub fn load(files: TlsFiles) -> Result<Self, TlsError> {
        let tried = files.stamps();
        let loaded = load(&files)?;
        loaded.validity.warn(&files.certificate);
        Ok(Self(Arc::new(Shared {
            files,
            current: ArcSwap::from_pointee(loaded),
            tried: Mutex::new(tried),
        })))
    }

    /// Does a handshake, within so much time. It waits for the client and computes, so it belongs in
    /// the connection's own task. Goes on for at most one second more to tell the client why not.
    ///
    /// # Errors
    /// When the client speaks no TLS, takes too long, or goes away; when the two have no version or cipher
    /// in common; or when the client presents a certificate that does not verify or has no common name.
    pub async fn accept(
        &self,
        stream: TcpStream,
        deadline: Duration,
    ) -> Result<TlsConnection, HandshakeError> {
        let refused = match timeout(deadline, self.handshake(stream)).await {
            Ok(Ok(connection)) => return Ok(connection),
            Ok(Err(refused)) => refused,
            Err(_) => return Err(HandshakeError::TimedOut),
        };
        if let Some(stream) = refused.stream {
            close(stream).await;
        }
        Err(refused.error)
    }

    async fn handshake(&self, stream: TcpStream) -> Result<TlsConnection, Refused> {
        match is_in_clear(&stream).await {
            Ok(false) => {}
            Ok(true) => return Err(HandshakeError::NotTls(stream).into()),
            Err(error) => return Err(HandshakeError::Connection(error).into()),
        }
        let current = self.0.current.load_full();
        let config = Arc::clone(&current.config);
        let handshake = tokio_rustls::TlsAcceptor::from(config).accept(stream);
        let stream = handshake.into_fallible().await.map_err(Refused::of)?;
        let (_, session) = stream.get_ref();
        let certificate = session.peer_certificates().and_then(<[_]>::first);
        let named = certificate.map(|certificate| name_and_end(certificate));
        match named.transpose() {
            Ok(named) => {
                let certificate = named.map(|(common_name, ends)| ClientCertificate {
                    common_name,
                    ends,
                    authorities: Arc::clone(&current.authorities),
                    acceptor: self.clone(),
                });
                Ok(TlsConnection {
                    stream,
                    certificate,
                })
            }
            Err(unnamed) => Err(HandshakeError::Refused(unnamed.to_string()).into()),
        }
    }

    /// Looks so often whether the files have changed, and takes what they hold into use once they no
    /// longer do: handshakes from then on use it, connections stay. Files that do not fit each other, are
    /// missing or broken change nothing but the log. Goes on until it is dropped.
    pub async fn watch(&self, interval: Duration) {
        let mut seen = None;
        let mut warned = Instant::now();
        loop {
            sleep(interval).await;
            let this = self.clone();
            let looked = spawn_blocking(move || this.look(seen.as_ref())).await;
            seen = looked.ok();
            if warned.elapsed() > WARN_AGAIN {
                warned = Instant::now();
                let current = self.0.current.load();
                current.validity.warn(&self.0.files.certificate);
            }
        }
    }

    /// Reads the files again now, whether they have changed or not; else as [`TlsAcceptor::watch`].
    pub async fn reload(&self) {
        let this = self.clone();
        let reload = move || {
            let mut tried = this.tried();
            this.read_again(&mut tried, this.0.files.stamps());
        };
        // It fails only while the process ends.
        let _ = spawn_blocking(reload).await;
    }

    /// Reads the files again if they have changed since they were read, and not since they were `seen`:
    /// whoever replaces them may be between the first and the last. Answers what is seen of them now.
    fn look(&self, seen: Option<&Stamps>) -> Stamps {
        let now = self.0.files.stamps();
        let mut tried = self.tried();
        if now != *tried && Some(&now) == seen {
            self.read_again(&mut tried, now.clone());
        }
        now
    }

    fn read_again(&self, tried: &mut Stamps, now: Stamps) {
        *tried = now;
        let path = self.0.files.certificate.display();
        match load(&self.0.files) {
            Ok(mut loaded) => {
                let current = self.0.current.load();
                if loaded.authorities == current.authorities {
                    loaded.authorities = Arc::clone(&current.authorities);
                }
                let ends = loaded.validity.ends();
                info!(%path, %ends, "the TLS certificate was loaded again");
                loaded.validity.warn(&self.0.files.certificate);
                self.0.current.store(Arc::new(loaded));
            }
            Err(error) => error!(
                %error,
                "the files of TLS have changed and cannot be used; what they held before stays in use"
            ),
        }
    }

    fn tried(&self) -> MutexGuard<'_, Stamps> {
        self.0.tried.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for TlsAcceptor {
    /// The files: what is in them is secret.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_tuple("TlsAcceptor")
            .field(&self.0.files)
            .finish()
    }
}

/// Why there is no connection, and over what the client can be told.
struct Refused {
    error: HandshakeError,
    stream: Option<TcpStream>,
}

impl Refused {
    /// What came of a handshake: whatever TLS itself does not like is of this kind.
    fn of((error, stream): (io::Error, TcpStream)) -> Self {
        match error.kind() {
            io::ErrorKind::InvalidData => Self {
                error: HandshakeError::Refused(error.to_string()),
                stream: Some(stream),
            },
            _ => HandshakeError::Connection(error).into(),
        }
    }
}

impl From<HandshakeError> for Refused {
    fn from(error: HandshakeError) -> Self {
        Self {
            error,
            stream: None,
        }
    }
}

/// Whether a client speaks in clear: HTTP begins with the capital letters of a method, and TLS never.
async fn is_in_clear(stream: &TcpStream) -> io::Result<bool> {
    let mut first = [0];
    match stream.peek(&mut first).await? {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        _ => Ok(first[0].is_ascii_uppercase()),
    }
}
