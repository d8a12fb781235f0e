use std::fmt;
use std::sync::Arc;

use crate::{Accounts, BearerTokens, Challenge, Htpasswd, Rules};

/// What a [`Gate`](crate::Gate) is made of. What is `None` is off.
#[derive(Default)]
pub struct GateSettings {
    /// Names and password hashes in a file. Somebody has to [watch](Htpasswd::watch) it.
    pub htpasswd: Option<Arc<Htpasswd>>,
    /// The users and robot tokens that the registry itself keeps. A user whose name is in the file too is that of the file.
    pub accounts: Option<Arc<dyn Accounts>>,
    /// Whose bearer tokens are accepted, and who issues the registry's own.
    pub bearer: BearerTokens,
    /// Who may do what.
    pub rules: Rules,
    /// How clients are told to authenticate: [`BearerTokens::challenge`] tells what fits.
    pub challenge: Challenge,
}

impl fmt::Debug for GateSettings {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = formatter.debug_struct("GateSettings");
        shown.field("htpasswd", &self.htpasswd);
        shown.field("has_accounts", &self.accounts.is_some());
        shown.field("bearer", &self.bearer);
        shown.field("rules", &self.rules);
        shown.field("challenge", &self.challenge);
        shown.finish()
    }
}
