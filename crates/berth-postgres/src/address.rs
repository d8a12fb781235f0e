use std::fmt;
use std::sync::Arc;

use berth_metadata::MetadataError;
use secrecy::{ExposeSecret, SecretString};

use crate::database_url::DatabaseUrl;
use crate::tls::{Relay, Tls};
use crate::url_parts::UrlParts;

/// Where libpq connects to, as long as this, or a clone, is there.
#[derive(Clone)]
pub(crate) struct Address {
    database: DatabaseUrl,
    url: SecretString,
    /// By way of which the database is reached, if that takes TLS.
    _relay: Option<Arc<Relay>>,
}

impl Address {
    /// # Errors
    /// [`MetadataError::Database`] if the URL wants TLS that cannot be had.
    pub(crate) fn open(database: &DatabaseUrl) -> Result<Self, MetadataError> {
        let parts = UrlParts::parse(database.url())?;
        let tls = Tls::wanted(&parts)?;
        let relay = tls.map(Relay::start).transpose();
        let relay = relay
            .map_err(|error| database.failed(&format!("there is no way to begin TLS: {error}")))?;
        let url = match &relay {
            Some(relay) => relay.url(&parts),
            None => parts.text(),
        };
        Ok(Self {
            database: database.clone(),
            url: url.into(),
            _relay: relay.map(Arc::new),
        })
    }

    /// The URL for libpq, with the password.
    pub(crate) fn url(&self) -> &str {
        self.url.expose_secret()
    }

    /// [`DatabaseUrl::failed`].
    pub(crate) fn failed(&self, error: &dyn fmt::Display) -> MetadataError {
        self.database.failed(error)
    }
}
