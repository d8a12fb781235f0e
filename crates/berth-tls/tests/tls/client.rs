use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use rustls::crypto::ring;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, HandshakeKind, RootCertStore, SupportedProtocolVersion};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::authority::{Authority, Pair};

pub(crate) const BOTH: &[&SupportedProtocolVersion] = &[&TLS13, &TLS12];

/// A client that trusts an authority.
#[derive(Clone)]
pub(crate) struct Client(Arc<ClientConfig>);

/// What it is connected to.
pub(crate) struct Connected {
    pub(crate) stream: BufReader<TlsStream<TcpStream>>,
    /// What the server took the client for.
    pub(crate) name: String,
}

impl Client {
    pub(crate) fn trusting(authority: &Authority) -> Self {
        Self::with(authority, None, BOTH, &[])
    }

    /// A client that presents a certificate.
    pub(crate) fn named(authority: &Authority, pair: &Pair) -> Self {
        Self::with(authority, Some(pair), BOTH, &[])
    }

    pub(crate) fn with(
        authority: &Authority,
        pair: Option<&Pair>,
        versions: &[&'static SupportedProtocolVersion],
        protocols: &[&str],
    ) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add(authority.certificate()).unwrap();
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(versions)
            .unwrap()
            .with_root_certificates(roots);
        let mut config = match pair {
            None => builder.with_no_client_auth(),
            Some(pair) => {
                let key = PrivateKeyDer::try_from(pair.key.serialize_der()).unwrap();
                let chain = vec![pair.certificate.clone()];
                builder.with_client_auth_cert(chain, key).unwrap()
            }
        };
        config.alpn_protocols = protocols
            .iter()
            .map(|name| name.as_bytes().to_vec())
            .collect();
        Self(Arc::new(config))
    }

    /// A client that presents a certificate and signs with a key that need not be its own.
    pub(crate) fn with_any_key(authority: &Authority, pair: &Pair) -> Self {
        let Self(config) = Self::trusting(authority);
        let key = PrivateKeyDer::try_from(pair.key.serialize_der()).unwrap();
        let key = ring::sign::any_supported_type(&key).unwrap();
        let certified = CertifiedKey::new(vec![pair.certificate.clone()], key);
        let mut config = ClientConfig::clone(&config);
        config.client_auth_cert_resolver = Arc::new(SingleCertAndKey::from(certified));
        Self(Arc::new(config))
    }

    /// Connects, and waits for the server's greeting: only then it has taken the client in.
    pub(crate) async fn connect(&self, address: SocketAddr) -> io::Result<Connected> {
        let stream = TcpStream::connect(address).await?;
        let connector = TlsConnector::from(Arc::clone(&self.0));
        let name = "localhost".try_into().unwrap();
        let mut stream = BufReader::new(connector.connect(name, stream).await?);
        let mut greeting = String::new();
        stream.read_line(&mut greeting).await?;
        Ok(Connected {
            stream,
            name: greeting.trim_end().to_owned(),
        })
    }
}

impl Connected {
    /// The certificate that the server has shown.
    pub(crate) fn certificate(&self) -> CertificateDer<'static> {
        let (_, session) = self.stream.get_ref().get_ref();
        session.peer_certificates().unwrap()[0].clone().into_owned()
    }

    /// The protocol that was chosen.
    pub(crate) fn protocol(&self) -> Option<&str> {
        let (_, session) = self.stream.get_ref().get_ref();
        session
            .alpn_protocol()
            .map(|name| str::from_utf8(name).unwrap())
    }

    pub(crate) fn is_resumed(&self) -> bool {
        let (_, session) = self.stream.get_ref().get_ref();
        session.handshake_kind() == Some(HandshakeKind::Resumed)
    }

    /// Whether bytes go forth and back.
    pub(crate) async fn works(&mut self) -> bool {
        let mut back = [0; 4];
        let sent = self.stream.write_all(b"ping").await;
        sent.is_ok() && self.stream.read_exact(&mut back).await.is_ok() && &back == b"ping"
    }
}
