use reqwest::Certificate;
use reqwest::blocking::{Client, ClientBuilder};

/// A client that trusts no server over TLS.
pub(crate) fn client() -> ClientBuilder {
    client_trusting([])
}

/// A client that trusts servers with certificates of these authorities, and no others.
pub(crate) fn client_trusting(authorities: impl IntoIterator<Item = Certificate>) -> ClientBuilder {
    // An error says that it has been done.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder().tls_certs_only(authorities)
}
