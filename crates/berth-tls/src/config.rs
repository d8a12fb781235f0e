use std::path::Path;
use std::sync::Arc;

use rustls::crypto::{CryptoProvider, ring};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::version::{TLS12, TLS13};
use rustls::{Error, RootCertStore, ServerConfig};
use rustls_pki_types::CertificateDer;

use crate::certificate::Validity;
use crate::client_certificate::NamedClients;
use crate::files::{certificates, private_key};
use crate::{TlsError, TlsFiles};

/// What the handshakes of one time use.
pub(crate) struct Loaded {
    pub(crate) config: Arc<ServerConfig>,
    pub(crate) validity: Validity,
    /// The authorities of clients.
    pub(crate) authorities: Authorities,
}

/// The certificates of authorities: the same ones as long as they are clones of each other.
pub(crate) type Authorities = Arc<Vec<CertificateDer<'static>>>;

/// Reads the files, which must fit each other.
pub(crate) fn load(files: &TlsFiles) -> Result<Loaded, TlsError> {
    let provider = Arc::new(ring::default_provider());
    let (certified, validity) = certified_key(files, &provider)?;
    let setup = |error: Error| TlsError::Setup(error.to_string());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&[&TLS13, &TLS12])
        .map_err(setup)?;
    let mut authorities = Authorities::default();
    let builder = match &files.client_ca {
        Some(path) => {
            authorities = certificates(path)?.into();
            let clients = clients(path, &authorities, provider)?;
            builder.with_client_cert_verifier(Arc::new(clients))
        }
        None => builder.with_no_client_auth(),
    };
    let mut config = builder.with_cert_resolver(Arc::new(SingleCertAndKey::from(certified)));
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    // Its keys are of this configuration alone: a session of a client whose authority is trusted no more
    // is not resumed.
    config.ticketer = ring::Ticketer::new().map_err(setup)?;
    Ok(Loaded {
        config: Arc::new(config),
        validity,
        authorities,
    })
}

fn certified_key(
    files: &TlsFiles,
    provider: &CryptoProvider,
) -> Result<(CertifiedKey, Validity), TlsError> {
    let path = &files.certificate;
    let chain = certificates(path)?;
    let key = private_key(&files.key)?;
    let validity = Validity::of(path, &chain[0])?;
    let key = provider.key_provider.load_private_key(key);
    let key = key.map_err(|_| TlsError::UnusableKey {
        path: files.key.clone(),
    })?;
    let certified = CertifiedKey::new(chain, key);
    match certified.keys_match() {
        Ok(()) => Ok((certified, validity)),
        Err(Error::InconsistentKeys(_)) => Err(TlsError::Mismatch {
            certificate: path.clone(),
            key: files.key.clone(),
        }),
        Err(error) => Err(broken(path, &error)),
    }
}

fn clients(
    path: &Path,
    certificates: &[CertificateDer<'static>],
    provider: Arc<CryptoProvider>,
) -> Result<NamedClients, TlsError> {
    let mut authorities = RootCertStore::empty();
    for certificate in certificates {
        let added = authorities.add(certificate.clone());
        added.map_err(|error| broken(path, &error))?;
    }
    NamedClients::of(authorities, provider).map_err(TlsError::Setup)
}

fn broken(path: &Path, error: &Error) -> TlsError {
    TlsError::BrokenCertificate {
        path: path.to_owned(),
        reason: error.to_string(),
    }
}
