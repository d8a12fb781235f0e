use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use reqwest::redirect::{Attempt, Policy};
use reqwest::{Client, Url};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::jwt::Expected;
use super::key_set::KeySet;
use super::refreshed::{Load, Pace, Refreshed, Unavailable};
use super::rejection::Rejection;
use super::signature_checks::in_turn;
use super::{bearer, jwt};

const SECOND: Duration = Duration::from_secs(1);

/// The longest document that is read, in bytes.
const MAX_DOCUMENT: usize = 1024 * 1024;

/// How long a document may take, from the first packet to the last byte.
const TIMEOUT: Duration = SECOND.saturating_mul(5);

const MAX_REDIRECTS: usize = 3;

/// Issuers announce a key some time before they sign with it. `apart` is what a flood of tokens with forged ids of keys comes to.
const PACE: Pace = Pace {
    fresh_for: SECOND.saturating_mul(10 * 60),
    usable_for: SECOND.saturating_mul(60 * 60),
    kept_for: SECOND.saturating_mul(24 * 60 * 60),
    apart: SECOND.saturating_mul(30),
    apart_at_first: SECOND.saturating_mul(5),
};

/// Why an issuer of tokens cannot be trusted as it is configured.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// An address is none, or others could change what it answers.
    #[error(
        "{0:?} is no https URL; http is allowed for this machine alone (localhost, 127.0.0.1, [::1])"
    )]
    Url(String),
    /// A file cannot be read.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file of certificates has none, or one that cannot be read.
    #[error("{}: no certificate in PEM: {why}", path.display())]
    Certificates {
        /// The file.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// The client that fetches keys cannot be made.
    #[error("keys cannot be fetched: {0}")]
    Client(String),
    /// A setting that cannot be empty is, or has characters that it cannot have.
    #[error("{0}")]
    Setting(String),
}

/// The keys of an issuer, kept in memory and refreshed.
pub(super) struct IssuerKeys(Refreshed<KeySource>);

/// Where the keys of an issuer are.
pub(super) enum Place {
    /// The URL of a JWK set.
    Url(Url),
    /// What the issuer's discovery document names (OpenID Connect Discovery 1.0, section 4).
    Discovered { document: Url, issuer: String },
    /// A file.
    File(PathBuf),
}

impl Place {
    /// A URL, or the path of a file.
    pub(super) fn of(text: &str) -> Result<Self, TrustError> {
        match text.contains("://") {
            true => Ok(Self::Url(permitted(text)?)),
            false => Ok(Self::File(PathBuf::from(text))),
        }
    }

    pub(super) fn discovered(issuer: &str) -> Result<Self, TrustError> {
        let address = issuer.trim_end_matches('/');
        Ok(Self::Discovered {
            document: permitted(&format!("{address}/.well-known/openid-configuration"))?,
            issuer: issuer.to_owned(),
        })
    }
}

impl IssuerKeys {
    /// The keys in this place. Servers prove themselves by a certificate of the system's authorities or of those in the file.
    pub(super) fn new(
        label: &str,
        place: Place,
        authorities: Option<&Path>,
    ) -> Result<Self, TrustError> {
        let source = KeySource {
            what: format!("the keys of {label}"),
            client: client(&place, authorities)?,
            place,
        };
        Ok(Self(Refreshed::new(source, PACE)))
    }

    /// Verifies a token. If its key may be one that is not known yet, keys are fetched again, but not for each such token.
    pub(super) async fn verify<C: DeserializeOwned>(
        &self,
        token: &str,
        expected: &Expected<'_>,
    ) -> Result<C, Rejection> {
        let header = jwt::header(token)?;
        bearer::check_type(&header)?;
        let keys = self.0.get().await?;
        match in_turn(|| keys.verify(token, &header, expected)).await {
            Err(rejection) if is_key_missing(&rejection, &keys, &header) => {
                let keys = self.0.get_again().await?;
                in_turn(|| keys.verify(token, &header, expected)).await
            }
            verified => verified,
        }
    }
}

fn is_key_missing(rejection: &Rejection, keys: &KeySet, header: &jsonwebtoken::Header) -> bool {
    matches!(rejection, Rejection::UnknownKey)
        || (rejection.is_bad_signature() && keys.may_lack(header))
}

struct KeySource {
    what: String,
    client: Client,
    place: Place,
}

/// What of a discovery document is needed.
#[derive(Deserialize)]
struct Discovery {
    issuer: String,
    jwks_uri: String,
}

#[async_trait]
impl Load for KeySource {
    type Value = KeySet;

    fn what(&self) -> String {
        self.what.clone()
    }

    async fn load(&self) -> Result<KeySet, Unavailable> {
        let document = match &self.place {
            Place::Url(url) => self.fetch(url.clone()).await?,
            Place::Discovered { document, issuer } => {
                self.fetch(self.discover(document, issuer).await?).await?
            }
            Place::File(path) => self.read(path.clone()).await?,
        };
        let keys = KeySet::read(&document).map_err(|error| self.failed(error))?;
        // The issuer may have withdrawn all of them, so they are not kept.
        if keys.is_empty() {
            tracing::warn!("no key of a known type is among {}", self.what);
        }
        Ok(keys)
    }
}

impl KeySource {
    fn failed(&self, why: impl std::fmt::Display) -> Unavailable {
        Unavailable::new(&self.what, why.to_string())
    }

    /// Where the discovery document says that the keys are. A document of another issuer is none (section 4.3).
    async fn discover(&self, document: &Url, issuer: &str) -> Result<Url, Unavailable> {
        let bytes = self.fetch(document.clone()).await?;
        let found: Discovery =
            serde_json::from_slice(&bytes).map_err(|error| self.failed(error))?;
        if found.issuer != issuer {
            return Err(self.failed(format!(
                "{document} is of the issuer {:?} and not of {issuer:?}",
                found.issuer
            )));
        }
        let keys = permitted(&found.jwks_uri).map_err(|error| self.failed(error))?;
        match is_downgrade(document, &keys) {
            true => Err(self.failed(TrustError::Url(found.jwks_uri))),
            false => Ok(keys),
        }
    }

    async fn fetch(&self, url: Url) -> Result<Vec<u8>, Unavailable> {
        let request = self.client.get(url.clone()).send().await;
        let failed = |error: reqwest::Error| self.failed(with_causes(&error));
        let mut answer = request
            .and_then(reqwest::Response::error_for_status)
            .map_err(failed)?;
        let mut document = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(failed)? {
            if document.len() + chunk.len() > MAX_DOCUMENT {
                return Err(self.failed(format!("{url} is longer than {MAX_DOCUMENT} bytes")));
            }
            document.extend_from_slice(&chunk);
        }
        Ok(document)
    }

    async fn read(&self, path: PathBuf) -> Result<Vec<u8>, Unavailable> {
        let read = tokio::task::spawn_blocking(move || {
            std::fs::read(&path).map_err(|error| format!("{}: {error}", path.display()))
        });
        let read = read.await.map_err(|error| self.failed(error))?;
        read.map_err(|error| self.failed(error))
    }
}

/// `https`, or `http` to this machine.
fn permitted(text: &str) -> Result<Url, TrustError> {
    let wrong = || TrustError::Url(text.to_owned());
    let url = Url::parse(text).map_err(|_| wrong())?;
    match url.scheme() == "https" || is_loopback(&url) {
        true => Ok(url),
        false => Err(wrong()),
    }
}

fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']');
    let address = address.parse::<std::net::IpAddr>();
    url.scheme() == "http"
        && (host == "localhost" || address.is_ok_and(|address| address.is_loopback()))
}

/// Whether a server elsewhere sends us to plain text or to this machine.
fn is_downgrade(from: &Url, to: &Url) -> bool {
    to.scheme() != "https" && !(is_loopback(from) && is_loopback(to))
}

fn client(place: &Place, authorities: Option<&Path>) -> Result<Client, TrustError> {
    let failed = |error: &dyn std::fmt::Display| TrustError::Client(error.to_string());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| failed(&error))?
        .with_root_certificates(roots(authorities)?)
        .with_no_client_auth();
    let mut client = Client::builder()
        .tls_backend_preconfigured(tls)
        .redirect(Policy::custom(redirect))
        .referer(false)
        .connect_timeout(TIMEOUT)
        .timeout(TIMEOUT)
        .user_agent(concat!("berth/", env!("CARGO_PKG_VERSION")));
    // No proxy of the environment leads back to this machine.
    if let Place::Url(url) | Place::Discovered { document: url, .. } = place
        && is_loopback(url)
    {
        client = client.no_proxy();
    }
    client.build().map_err(|error| failed(&with_causes(&error)))
}

fn redirect(attempt: Attempt<'_>) -> reqwest::redirect::Action {
    let previous = attempt.previous().last();
    let is_bad = previous.is_none_or(|previous| is_downgrade(previous, attempt.url()));
    match is_bad || attempt.previous().len() > MAX_REDIRECTS {
        true => attempt.error("a redirect that is not followed"),
        false => attempt.follow(),
    }
}

/// The system's authorities, and those in the file.
fn roots(authorities: Option<&Path>) -> Result<RootCertStore, TrustError> {
    let mut roots = RootCertStore::empty();
    let system = rustls_native_certs::load_native_certs();
    for error in system.errors {
        tracing::warn!(%error, "a certificate of the system's authorities is left out");
    }
    roots.add_parsable_certificates(system.certs);
    let Some(path) = authorities else {
        return Ok(roots);
    };
    let pem = std::fs::read(path).map_err(|source| TrustError::File {
        path: path.to_owned(),
        source,
    })?;
    let wrong = |why: String| TrustError::Certificates {
        path: path.to_owned(),
        why,
    };
    let before = roots.len();
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        let certificate = certificate.map_err(|error| wrong(error.to_string()))?;
        let added = roots.add(certificate);
        added.map_err(|error| wrong(error.to_string()))?;
    }
    match roots.len() == before {
        true => Err(wrong("the file has none".to_owned())),
        false => Ok(roots),
    }
}

/// reqwest's own text leaves out the cause.
fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
