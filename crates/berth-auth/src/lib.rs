//! Who may do what in a registry.
//!
//! ```
//! use berth_auth::{Action, Groups, Identity, Patterns, Rule, Rules};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let rule = Rule {
//!     repositories: Patterns::new(["team/*"])?,
//!     who: vec!["alice".to_owned().try_into()?],
//!     actions: [Action::Pull, Action::Push].into_iter().collect(),
//! };
//! let rules = Rules::new(vec![rule], Groups::default());
//!
//! let alice = Identity::named("alice");
//! assert!(rules.actions(&alice, &"team/app".parse()?).contains(Action::Push));
//! assert!(rules.actions(&alice, &"other/app".parse()?).is_empty());
//! # Ok(())
//! # }
//! ```
#![forbid(unsafe_code)]

mod access;
mod accounts;
mod action;
mod authentication_error;
mod caller;
mod challenge;
mod credentials;
mod decision;
mod gate;
mod identity;
mod login_name;
mod logins;
#[cfg(test)]
mod memory_accounts;
mod password_hash;
mod passwords;
mod patterns;
mod robot_secret;
mod rules;
mod tokens;

pub use access::Access;
pub use accounts::{Accounts, RobotToken, SigningKeyStore, StoreError, StoredKey, User};
pub use action::{Action, ActionError, Actions};
pub use authentication_error::AuthenticationError;
pub use caller::{Caller, Presented};
pub use challenge::Challenge;
pub use decision::Decision;
pub use gate::{Gate, GateSettings};
pub use identity::{Grant, Identity, Named};
pub use password_hash::{PasswordHashError, hash_password};
pub use passwords::{Htpasswd, HtpasswdError};
pub use patterns::{PatternError, Patterns};
pub use robot_secret::{RandomError, RobotSecret};
pub use rules::{Groups, Rule, Rules, Subject};
pub use tokens::{
    BearerTokens, Fingerprint, MAX_REQUEST_LENGTH, MAX_SCOPES, MAX_TOKEN_LENGTH, OidcIssuer,
    OidcRole, OidcSettings, Refresh, RefreshSubject, Rejection, TokenAnswer, TokenError,
    TokenGrant, TokenRequest, TokenServer, TokenServerSettings, TokenService, TokenSettings,
    TrustError, Unavailable, granted,
};
