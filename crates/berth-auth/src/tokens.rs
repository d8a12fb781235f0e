//! Bearer tokens: those that the registry signs itself, those of an external token server, and those of OpenID Connect
//! issuers.

mod bearer;
mod claims;
mod grant;
mod jwt;
mod key_set;
mod oidc;
mod refresh;
mod refreshed;
mod rejection;
mod remote;
mod request;
mod service;
mod signature_checks;
mod signing_key;
mod signing_keys;
mod token_answer;
mod token_error;
mod token_server;
mod verified;

pub use bearer::BearerTokens;
pub use grant::granted;
pub use jwt::MAX_TOKEN_LENGTH;
pub use oidc::{OidcIssuer, OidcRole, OidcSettings};
pub use refresh::{Fingerprint, Refresh, RefreshSubject};
pub use refreshed::Unavailable;
pub use rejection::{Reason, Rejection};
pub use remote::TrustError;
pub use request::{MAX_REQUEST_LENGTH, MAX_SCOPES, TokenGrant, TokenRequest};
pub use service::{TokenService, TokenSettings};
pub use signing_key::NewKeyError;
pub use token_answer::TokenAnswer;
pub use token_error::TokenError;
pub use token_server::{TokenServer, TokenServerSettings};
pub(crate) use verified::Verified;
