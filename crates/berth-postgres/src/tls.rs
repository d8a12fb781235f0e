//! TLS to the server, for libpq, which is built without: it connects to a [`Relay`] in this process.

mod greeting;
mod handshake;
mod relay;
mod servers;
mod verifier;

use std::env;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use berth_metadata::MetadataError;
use percent_encoding::percent_decode_str;
use rustls::client::Resumption;
use rustls::crypto::ring;
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use tracing::warn;

use crate::url_parts::{UrlParts, refused};
use servers::{Server, servers};
use verifier::{Trust, Verifier};

pub(crate) use relay::Relay;

/// What PostgreSQL is called in TLS (RFC 7301).
const PROTOCOL: &[u8] = b"postgresql";

/// The parameters about TLS that are understood. Any other one would have to do something that is not done.
const UNDERSTOOD: [&str; 3] = ["sslmode", "sslrootcert", "sslnegotiation"];

/// How much before libpq a connection is given up: libpq would not say why.
const EARLIER: Duration = Duration::from_millis(500);

/// How long a connection may take where libpq has no limit.
const WITHOUT_LIMIT: Duration = Duration::from_secs(60);

/// How the servers of a URL are reached with TLS.
pub(crate) struct Tls {
    servers: Vec<Server>,
    config: Arc<ClientConfig>,
    /// How long connecting to one may take.
    within: Duration,
}

impl Tls {
    /// What the URL wants: by its `sslmode`, or, if it has none, TLS for all that is not on this machine.
    ///
    /// # Errors
    /// [`MetadataError::Database`] if it wants what there is not, or authorities that cannot be read.
    pub(crate) fn wanted(url: &UrlParts<'_>) -> Result<Option<Self>, MetadataError> {
        let mode = url.parameter("sslmode");
        if mode == Some("disable") {
            return Ok(None);
        }
        let servers = servers(url)?;
        // It is where libpq connects to, whatever the host is.
        let has_address =
            url.parameter("hostaddr").is_some() || env::var_os("PGHOSTADDR").is_some();
        if mode.is_none() && !has_address && servers.iter().all(Server::is_here) {
            return Ok(None);
        }
        let names = url.parameters.iter().map(|(name, _)| *name);
        let mut of_tls = names.filter(|name| name.starts_with("ssl"));
        if let Some(name) = of_tls.find(|name| !UNDERSTOOD.contains(name)) {
            return Err(refused(&format!("has {name}, which is not supported")));
        }
        if !matches!(url.parameter("sslnegotiation"), None | Some("postgres")) {
            return Err(refused("may have no sslnegotiation but postgres"));
        }
        if servers.is_empty() || has_address {
            return Err(refused(
                "must say the host as part of it or as the parameter host, for TLS, and not by hostaddr",
            ));
        }
        let trust = trust(mode.unwrap_or("verify-full"), authorities(url))?;
        let seconds = url.parameter("connect_timeout");
        let seconds = seconds.and_then(|seconds| seconds.parse().ok());
        Ok(Some(Self {
            servers,
            config: Arc::new(config(trust)?),
            within: match seconds {
                None | Some(0) => WITHOUT_LIMIT,
                Some(seconds) => Duration::from_secs(seconds).saturating_sub(EARLIER),
            },
        }))
    }
}

/// The file of the authorities; `None` if it is those of the system.
fn authorities(url: &UrlParts<'_>) -> Option<String> {
    let given = url
        .parameter("sslrootcert")
        .filter(|given| *given != "system");
    given.map(|path| percent_decode_str(path).decode_utf8_lossy().into_owned())
}

/// Who is believed to be the server in a mode of libpq.
fn trust(mode: &str, authorities: Option<String>) -> Result<Trust, MetadataError> {
    match (mode, authorities) {
        ("verify-full", None) => Ok(Trust::Named(system_authorities())),
        ("verify-full", Some(path)) => Ok(Trust::Named(read_authorities(Path::new(&path))?)),
        ("verify-ca" | "require", Some(path)) => {
            Ok(Trust::Certified(read_authorities(Path::new(&path))?))
        }
        ("verify-ca", None) => Err(refused(
            "has sslmode=verify-ca, which needs sslrootcert=FILE: everybody has a certificate of the system's authorities",
        )),
        ("require", None) => {
            warn!(
                "with sslmode=require, whoever is on the way to the database may pretend to be it: verify-full is safe"
            );
            Ok(Trust::Anybody)
        }
        ("allow" | "prefer", _) => Err(refused(&format!(
            "has sslmode={mode}, with which whoever is on the way to the database can turn TLS off: write verify-full, or \
             disable if nobody is",
        ))),
        _ => Err(refused(
            "has another sslmode than disable, require, verify-ca and verify-full",
        )),
    }
}

fn system_authorities() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    let system = rustls_native_certs::load_native_certs();
    for error in system.errors {
        warn!(%error, "a certificate of the system's authorities is left out");
    }
    roots.add_parsable_certificates(system.certs);
    roots
}

fn read_authorities(path: &Path) -> Result<RootCertStore, MetadataError> {
    let failed = |error: &dyn std::fmt::Display| {
        let path = path.display();
        MetadataError::Database(format!("the authorities in {path} cannot be used: {error}"))
    };
    let pem = std::fs::read(path).map_err(|error| failed(&error))?;
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        let certificate = certificate.map_err(|error| failed(&error))?;
        roots.add(certificate).map_err(|error| failed(&error))?;
    }
    match roots.is_empty() {
        true => Err(failed(&"there is no certificate in it")),
        false => Ok(roots),
    }
}

fn config(trust: Trust) -> Result<ClientConfig, MetadataError> {
    let provider = Arc::new(ring::default_provider());
    let verifier = Verifier::new(trust, &provider);
    let builder = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13, &TLS12])
        .map_err(|error| MetadataError::Database(error.to_string()))?;
    let mut config = builder
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    config.alpn_protocols = vec![PROTOCOL.to_vec()];
    // The server has none, and what was verified once is verified again.
    config.resumption = Resumption::disabled();
    Ok(config)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(text: &str) -> Result<Option<Tls>, MetadataError> {
        Tls::wanted(&UrlParts::parse(text)?)
    }

    #[test]
    fn what_is_elsewhere_is_reached_with_tls_unless_the_url_says_otherwise() {
        for (url, expected) in [
            ("postgresql://db/a", true),
            ("postgresql://192.0.2.1/a", true),
            ("postgresql://127.0.0.1,db/a", true),
            ("postgresql:///a?host=db", true),
            ("postgresql://db/a?sslmode=disable", false),
            ("postgresql://localhost/a", false),
            ("postgresql://127.0.0.1:5433,[::1]/a", false),
            ("postgresql:///a?host=/run/postgresql", false),
            ("postgresql://%2Frun%2Fpostgresql/a", false),
            ("postgresql://localhost/a?sslmode=verify-full", true),
        ] {
            assert_eq!(wanted(url).unwrap().is_some(), expected, "{url}");
        }
    }

    #[test]
    fn what_there_is_not_is_refused() {
        for (url, why) in [
            ("postgresql://db/a?sslmode=prefer", "turn TLS off"),
            ("postgresql://db/a?sslmode=allow", "turn TLS off"),
            ("postgresql://db/a?sslmode=always", "another sslmode"),
            ("postgresql://db/a?sslmode=verify-ca", "needs sslrootcert"),
            ("postgresql://db/a?sslrootcert=%2Fnot%20there", "/not there"),
            ("postgresql://db/a?sslcert=c", "sslcert, which is not"),
            ("postgresql://db/a?sslnegotiation=direct", "sslnegotiation"),
            (
                "postgresql://localhost/a?hostaddr=192.0.2.1",
                "say the host",
            ),
            ("postgresql:///a?sslmode=require", "say the host"),
            ("postgresql:///a?host=/run,db", "/run is a socket"),
        ] {
            let told = wanted(url).map(|_| ()).unwrap_err().to_string();
            assert!(told.contains(why), "{url}: {told}");
        }
    }
}
