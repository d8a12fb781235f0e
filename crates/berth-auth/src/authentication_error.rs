use std::time::Duration;

use crate::StoreError;

/// Why nobody knows who asks. Whoever presents a credential that is not good is never taken for anonymous.
#[derive(Debug, thiserror::Error)]
pub enum AuthenticationError {
    /// The header `Authorization` cannot be read: 401 with the challenge.
    #[error(
        "the header Authorization is neither Basic, with a name and a password, nor Bearer, with a token"
    )]
    Malformed,
    /// There is no such user, the password is wrong, or the token is none of this registry's: 401 with the challenge. Which of
    /// them it is, nobody is told.
    #[error("the name, the password or the token is wrong")]
    Invalid,
    /// The token was good once: 401 with the challenge, for a client that gets itself a new one.
    #[error("the token has expired; get a new one")]
    Expired,
    /// So many passwords are being verified already that this one was not: 429 with `Retry-After`.
    #[error("too many attempts to log in; try again in {} s", retry_after.as_secs())]
    TooManyAttempts {
        /// When to try again.
        retry_after: Duration,
    },
    /// Accounts or keys cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}
