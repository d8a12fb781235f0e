//! TLS for a server: certificates that are reloaded while it serves, and certificates of clients.
//!
//! [`TlsAcceptor`] does the handshakes of a server. It takes a new certificate into use when its files
//! change, and no connection notices. What it accepts is TLS 1.2 and 1.3; HTTP/2 and HTTP/1.1 are
//! offered by ALPN (RFC 7301); sessions can be resumed.
//!
//! ```
//! use std::time::Duration;
//! use berth_tls::{HandshakeError, TlsAcceptor, TlsFiles};
//! use tokio::net::TcpListener;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! # let made = rcgen::generate_simple_self_signed(["registry.example.com".to_owned()])?;
//! # std::fs::write(folder.path().join("tls.crt"), made.cert.pem())?;
//! # std::fs::write(folder.path().join("tls.key"), made.signing_key.serialize_pem())?;
//! let acceptor = TlsAcceptor::load(TlsFiles {
//!     certificate: folder.path().join("tls.crt"),
//!     key: folder.path().join("tls.key"),
//!     client_ca: None,
//! })?;
//! let watched = acceptor.clone();
//! tokio::spawn(async move { watched.watch(Duration::from_secs(2)).await });
//!
//! let listener = TcpListener::bind("127.0.0.1:0").await?;
//! # let _client = tokio::net::TcpStream::connect(listener.local_addr()?).await?;
//! let (stream, _) = listener.accept().await?;
//! // In a task of its own: a handshake waits for the client.
//! match acceptor.accept(stream, Duration::from_millis(100)).await {
//!     Ok(connection) => println!("{:?} is here", connection.certificate),
//!     Err(HandshakeError::NotTls(_stream)) => println!("someone speaks in clear"),
//!     Err(error) => println!("nobody is here: {error}"),
//! }
//! # Ok(())
//! # }
//! ```
#![forbid(unsafe_code)]

mod acceptor;
mod certificate;
mod client_certificate;
mod close;
mod config;
mod error;
mod files;

pub use acceptor::{ClientCertificate, TlsAcceptor, TlsConnection};
pub use close::close;
pub use error::{HandshakeError, TlsError};
pub use files::TlsFiles;
/// The bytes of a connection, once they are decrypted.
pub use tokio_rustls::server::TlsStream;
