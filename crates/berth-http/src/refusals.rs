//! Why somebody is not let in.

/// Nobody knows who asks, or the token is for something else: 401 with challenges.
#[derive(Debug, thiserror::Error)]
#[error("{reason}")]
pub(crate) struct Unauthorized {
    pub(crate) reason: String,
    /// The values of `WWW-Authenticate`.
    pub(crate) challenges: Vec<String>,
}

/// It is known who asks, and they may not do it: 403.
#[derive(Debug, thiserror::Error)]
#[error("{identity} may not {action} in {place}; its owner would have to add a rule for that")]
pub(crate) struct Denied {
    pub(crate) identity: String,
    pub(crate) action: &'static str,
    pub(crate) place: String,
}
