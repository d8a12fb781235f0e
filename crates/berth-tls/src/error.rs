use std::io;
use std::path::PathBuf;

use tokio::net::TcpStream;

/// Why certificates cannot be used. None of these tells anything of what a key is.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A file has no certificate in it, or one that is cut short.
    #[error("there is no whole certificate in {path}; it must hold certificates in the PEM format")]
    NoCertificate {
        /// The file.
        path: PathBuf,
    },
    /// A certificate is broken.
    #[error("a certificate in {path} cannot be used: {reason}")]
    BrokenCertificate {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A file has no private key in it, or one that is cut short.
    #[error(
        "there is no whole private key in {path}; it must hold one in the PEM format (PKCS#8, PKCS#1 or SEC1)"
    )]
    NoKey {
        /// The file.
        path: PathBuf,
    },
    /// The private key is encrypted.
    #[error(
        "the private key in {path} is encrypted; store it decrypted, readable for the server alone"
    )]
    EncryptedKey {
        /// The file.
        path: PathBuf,
    },
    /// The private key is broken, or of a kind that is not known.
    #[error(
        "the private key in {path} cannot be used; RSA of 2048 bits and more, ECDSA on P-256 and P-384, and Ed25519 can"
    )]
    UnusableKey {
        /// The file.
        path: PathBuf,
    },
    /// The key belongs to another certificate.
    #[error(
        "the private key in {key} does not belong to the first certificate in {certificate}; that one must be the server's own"
    )]
    Mismatch {
        /// The file of the certificate.
        certificate: PathBuf,
        /// The file of the key.
        key: PathBuf,
    },
    /// TLS itself cannot be set up.
    #[error("cannot set up TLS: {0}")]
    Setup(String),
}

/// Why a handshake came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum HandshakeError {
    /// The client speaks in clear, as HTTP does. Nothing of what it said was read yet.
    #[error("the client does not speak TLS")]
    NotTls(TcpStream),
    /// The client took too long.
    #[error("the handshake took too long")]
    TimedOut,
    /// The connection broke off.
    #[error("the connection broke off: {0}")]
    Connection(io::Error),
    /// The two do not agree, or one does not trust the other.
    #[error("{0}")]
    Refused(String),
}
