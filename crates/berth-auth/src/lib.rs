//! Who may do what in a registry: a [`Gate`] tells who a request comes from, and what becomes of it.
//!
//! ```
//! use berth_auth::{Action, Decision, Gate, GateSettings, Groups, Patterns, Presented, Rule, Rules};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let rule = Rule {
//!     repositories: Patterns::new(["team/*"])?,
//!     who: vec!["certificate:build-*".to_owned().try_into()?],
//!     actions: [Action::Pull, Action::Push].into_iter().collect(),
//! };
//! let gate = Gate::new(GateSettings {
//!     rules: Rules::new(vec![rule], Groups::default()),
//!     ..GateSettings::default()
//! })?;
//!
//! let presented = Presented { authorization: None, certificate: Some("build-1") };
//! let caller = gate.authenticate(&presented).await?;
//! assert_eq!(caller.identity.to_string(), "certificate:build-1");
//! assert!(gate.may(&caller, &"team/app".parse()?, Action::Push));
//! let elsewhere = gate.decide(&caller, &"other/app".parse()?, Action::Pull);
//! assert_eq!(elsewhere, Decision::Hidden);
//!
//! let nobody = gate.authenticate(&Presented::default()).await?;
//! let pull = gate.decide(&nobody, &"team/app".parse()?, Action::Pull);
//! assert_eq!(pull, Decision::Authenticate);
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
mod names;
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
pub use names::{NameError, check_group_name, check_robot_name, check_user_name};
pub use password_hash::{PasswordHashError, hash_password};
pub use passwords::{Htpasswd, HtpasswdError};
pub use patterns::{PatternError, Patterns};
pub use robot_secret::{RandomError, RobotSecret};
pub use rules::{Groups, Rule, Rules, Subject};
pub use tokens::{
    BearerTokens, Fingerprint, MAX_REQUEST_LENGTH, MAX_SCOPES, MAX_TOKEN_LENGTH, NewKeyError,
    OidcIssuer, OidcRole, OidcSettings, Reason, Refresh, RefreshSubject, Rejection, TokenAnswer,
    TokenError, TokenGrant, TokenRequest, TokenServer, TokenServerSettings, TokenService,
    TokenSettings, TrustError, Unavailable, granted,
};
