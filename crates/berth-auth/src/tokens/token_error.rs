use std::time::Duration;

use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};

use super::refreshed::Unavailable;
use super::rejection::Rejection;
use super::signing_key::SigningKeyError;
use crate::{AuthenticationError, StoreError};

/// Why a token server gives no token. As JSON it is the body of the answer (RFC 6749, section 5.2), with its text once more
/// as `details`, which is what Docker shows.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// A parameter is missing, comes twice, is too long or cannot be read.
    #[error("{0}")]
    InvalidRequest(String),
    /// The password, the refresh token or the header `Authorization` is not good. Which of them, nobody is told.
    #[error("the name, the password or the token is wrong")]
    InvalidGrant,
    /// `grant_type` is neither `password` nor `refresh_token`.
    #[error("grant_type is neither password nor refresh_token")]
    UnsupportedGrantType,
    /// So many passwords are being verified already that this one was not.
    #[error("too many attempts to log in; try again in {} s", retry_after.as_secs())]
    TooManyAttempts {
        /// When to try again.
        retry_after: Duration,
    },
    /// Accounts or keys cannot be read, or a token cannot be signed. The text of the cause is for the log.
    #[error("tokens cannot be issued now; try again later")]
    Unavailable(#[source] StoreError),
}

impl TokenError {
    /// The error code of OAuth 2.0.
    pub fn code(&self) -> &'static str {
        match self {
            Self::InvalidRequest(_) => "invalid_request",
            Self::InvalidGrant => "invalid_grant",
            Self::UnsupportedGrantType => "unsupported_grant_type",
            Self::TooManyAttempts { .. } => "slow_down",
            Self::Unavailable(_) => "temporarily_unavailable",
        }
    }

    /// The status of the answer. For a wrong password it is 401 and not the 400 of RFC 6749: clients of Docker registries know only that
    /// for one.
    pub fn status(&self) -> u16 {
        match self {
            Self::InvalidRequest(_) | Self::UnsupportedGrantType => 400,
            Self::InvalidGrant => 401,
            Self::TooManyAttempts { .. } => 429,
            Self::Unavailable(_) => 503,
        }
    }

    /// For the header `Retry-After`.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::TooManyAttempts { retry_after } => Some(*retry_after),
            _ => None,
        }
    }

    pub(super) fn signing(error: SigningKeyError) -> Self {
        Self::Unavailable(StoreError(Box::new(error)))
    }
}

impl From<AuthenticationError> for TokenError {
    fn from(error: AuthenticationError) -> Self {
        match error {
            AuthenticationError::Malformed => Self::InvalidRequest(error.to_string()),
            AuthenticationError::Invalid | AuthenticationError::Expired => Self::InvalidGrant,
            AuthenticationError::TooManyAttempts { retry_after } => {
                Self::TooManyAttempts { retry_after }
            }
            AuthenticationError::Store(error) => Self::Unavailable(error),
        }
    }
}

impl From<Rejection> for TokenError {
    fn from(rejection: Rejection) -> Self {
        AuthenticationError::from(rejection).into()
    }
}

impl From<Unavailable> for TokenError {
    fn from(unavailable: Unavailable) -> Self {
        Self::Unavailable(StoreError(Box::new(unavailable)))
    }
}

impl Serialize for TokenError {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let text = self.to_string();
        let mut body = serializer.serialize_struct("TokenError", 3)?;
        body.serialize_field("error", self.code())?;
        body.serialize_field("error_description", &text)?;
        body.serialize_field("details", &text)?;
        body.end()
    }
}
