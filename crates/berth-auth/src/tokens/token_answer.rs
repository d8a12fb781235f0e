use std::time::{Duration, SystemTime};

use secrecy::{ExposeSecret, SecretString};
use serde::{Serialize, Serializer};

use crate::Identity;

/// What a token server answers, as JSON (RFC 6749, section 5.1, and the token authentication of Docker registries). It is a
/// secret: to be sent with `Cache-Control: no-store`.
#[derive(Debug, Serialize)]
pub struct TokenAnswer {
    /// The access token.
    #[serde(serialize_with = "exposed")]
    pub token: SecretString,
    /// The same: OAuth 2.0 calls it so.
    #[serde(serialize_with = "exposed")]
    pub access_token: SecretString,
    /// `Bearer`.
    pub token_type: &'static str,
    /// How long it is good, in seconds.
    pub expires_in: u64,
    /// When it was issued (RFC 3339).
    pub issued_at: String,
    /// Gets further access tokens, if one was asked for.
    #[serde(
        serialize_with = "exposed_if_any",
        skip_serializing_if = "Option::is_none"
    )]
    pub refresh_token: Option<SecretString>,
    /// To whom it was issued: for the log.
    #[serde(skip)]
    pub identity: Identity,
}

impl TokenAnswer {
    pub(super) fn new(
        token: SecretString,
        issued_at: SystemTime,
        lifetime: Duration,
        refresh_token: Option<SecretString>,
        identity: Identity,
    ) -> Self {
        Self {
            access_token: token.clone(),
            token,
            token_type: "Bearer",
            expires_in: lifetime.as_secs(),
            issued_at: humantime::format_rfc3339_seconds(issued_at).to_string(),
            refresh_token,
            identity,
        }
    }
}

fn exposed<S: Serializer>(secret: &SecretString, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(secret.expose_secret())
}

fn exposed_if_any<S: Serializer>(
    secret: &Option<SecretString>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let secret = secret.as_ref().map(SecretString::expose_secret);
    secret.serialize(serializer)
}
