use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use crate::TlsError;

/// The files that TLS needs, all in the PEM format. Each may be a symbolic link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// The server's certificate, followed by those that lead to one which clients trust.
    pub certificate: PathBuf,
    /// The private key of the first of them, as PKCS#8, PKCS#1 or SEC1; not encrypted.
    pub key: PathBuf,
    /// The authorities whose certificates clients may present; without it, none is asked for.
    pub client_ca: Option<PathBuf>,
}

impl TlsFiles {
    /// What can be told of the files without reading them.
    pub(crate) fn stamps(&self) -> Stamps {
        let files = [&self.certificate, &self.key];
        let files = files.into_iter().chain(&self.client_ca);
        Stamps(files.map(|path| Stamp::of(path)).collect())
    }
}

/// Tells whether files have changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stamps(Vec<Option<Stamp>>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Stamp {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Stamp {
    /// `None` if there is no such file now, which is so for a moment where files are replaced.
    fn of(path: &Path) -> Option<Self> {
        let metadata = fs::metadata(path).ok()?;
        Some(Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        })
    }
}

/// The certificates in a file, at least one.
pub(crate) fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let pem = read(path)?;
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    match certificates {
        Ok(certificates) if !certificates.is_empty() => Ok(certificates),
        _ => Err(TlsError::NoCertificate {
            path: path.to_owned(),
        }),
    }
}

/// The first private key in a file.
pub(crate) fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    let pem = read(path)?;
    // What is wrong with the text is not told: it could be told with parts of the key.
    PrivateKeyDer::from_pem_slice(&pem).map_err(|_| {
        let path = path.to_owned();
        match pem.windows(9).any(|word| word == b"ENCRYPTED") {
            true => TlsError::EncryptedKey { path },
            false => TlsError::NoKey { path },
        }
    })
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    fs::read(path).map_err(|source| TlsError::Read {
        path: path.to_owned(),
        source,
    })
}
