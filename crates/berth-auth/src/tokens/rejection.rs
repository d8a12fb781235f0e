use std::fmt;

use jsonwebtoken::errors::ErrorKind;

use super::jwt::MAX_TOKEN_LENGTH;
use super::refreshed::Unavailable;
use crate::{AuthenticationError, StoreError};

/// Why a token is not good. For the log: whoever presented it is not told.
#[derive(Debug, thiserror::Error)]
pub enum Rejection {
    /// It is longer than any token should be; nothing of it was read.
    #[error("a token is longer than {MAX_TOKEN_LENGTH} bytes")]
    TooLong,
    /// It is no JWT (RFC 7519), or one whose algorithm is none that is ever accepted.
    #[error("it is no JWT that can be read: {0}")]
    Malformed(Reason),
    /// Its header demands that extensions are understood which this registry does not have (RFC 7515, section 4.1.11).
    #[error("its header has critical parameters")]
    Critical,
    /// It is a JWT of another type: a refresh token where an access token is due, or the reverse.
    #[error("it is a token of another type")]
    OtherType,
    /// Nobody who is trusted issues such tokens.
    #[error("its issuer is not trusted")]
    UnknownIssuer,
    /// The issuer has no key of this id that signs with this algorithm.
    #[error("its issuer has no such key")]
    UnknownKey,
    /// It was good once.
    #[error("it has expired")]
    Expired,
    /// The signature does not fit, or a claim is missing, has another type, or is about something else.
    #[error("it is not good: {0}")]
    Invalid(Reason),
    /// A claim cannot be taken for the name of somebody.
    #[error("the claim {0:?} is no name")]
    Name(String),
    /// The issuer is trusted, but none of its roles fits.
    #[error("its claims fit no role")]
    NoRole,
    /// The keys that would verify it cannot be had now.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

/// What is wrong with a JWT, without what is written in it: anybody can write there, and logs are read by people and programs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason(pub(super) jsonwebtoken::errors::Error);

impl fmt::Display for Reason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.kind() {
            ErrorKind::Json(error) => write!(
                formatter,
                "something in its JSON is missing or of another type, at column {}",
                error.column()
            ),
            ErrorKind::MissingRequiredClaim(name) => {
                write!(formatter, "the claim {name} is missing or of another type")
            }
            ErrorKind::InvalidClaimFormat(name) => {
                write!(formatter, "the claim {name} is of another type")
            }
            ErrorKind::InvalidToken => formatter.write_str("it has not three parts"),
            ErrorKind::InvalidSignature => formatter.write_str("its signature does not fit"),
            ErrorKind::InvalidIssuer => formatter.write_str("it is of another issuer"),
            ErrorKind::InvalidAudience => formatter.write_str("it is for somebody else"),
            ErrorKind::ImmatureSignature => formatter.write_str("it is not valid yet"),
            ErrorKind::Base64(_) => formatter.write_str("a part of it is not base64url"),
            _ => formatter.write_str("it cannot be verified"),
        }
    }
}

impl Rejection {
    /// Of two reasons why a token is not good, the one that says more: that it may be good, but cannot be verified now; that
    /// it was good; or whatever else but that somebody does not know it.
    pub(super) fn or(self, other: Self) -> Self {
        match other.weight() >= self.weight() {
            true => other,
            false => self,
        }
    }

    fn weight(&self) -> u8 {
        match self {
            Self::Unavailable(_) => 3,
            Self::Expired => 2,
            Self::UnknownIssuer | Self::UnknownKey => 0,
            _ if self.is_bad_signature() => 0,
            _ => 1,
        }
    }

    pub(super) fn is_bad_signature(&self) -> bool {
        matches!(self, Self::Invalid(reason) if *reason.0.kind() == ErrorKind::InvalidSignature)
    }

    /// What the verification of a JWT says.
    pub(super) fn of(error: jsonwebtoken::errors::Error) -> Self {
        match error.kind() {
            ErrorKind::ExpiredSignature => Self::Expired,
            _ => Self::Invalid(Reason(error)),
        }
    }
}

impl From<Rejection> for AuthenticationError {
    fn from(rejection: Rejection) -> Self {
        match rejection {
            Rejection::Expired => Self::Expired,
            Rejection::Unavailable(unavailable) => Self::Store(StoreError(Box::new(unavailable))),
            _ => Self::Invalid,
        }
    }
}
