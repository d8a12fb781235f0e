//! Credentials that were found to be right lately.

use secrecy::SecretString;

use super::Gate;
use crate::credentials::Credentials;
use crate::{Presented, TokenGrant, TokenRequest};

impl Gate {
    /// Whether what is presented was found to be right lately, of an account that is as it was then. Nothing is hashed
    /// to tell that, so whoever answers for too many wrong passwords can still let the right ones in: of a password or
    /// secret that is wrong, or was not seen for a few minutes, it is never true.
    pub async fn remembers(&self, presented: &Presented<'_>) -> bool {
        let header = presented.authorization.and_then(Credentials::parse);
        match header {
            Some(Credentials::Basic { name, password }) => self.knows(&name, &password).await,
            // A robot has no name.
            Some(Credentials::Bearer(token)) => self.knows("", &token).await,
            None => false,
        }
    }

    /// As [`Gate::remembers`], of what a request for a token brings.
    pub async fn remembers_request(
        &self,
        request: &TokenRequest,
        presented: &Presented<'_>,
    ) -> bool {
        match &request.grant {
            TokenGrant::Header => self.remembers(presented).await,
            TokenGrant::Password { username, password } => self.knows(username, password).await,
            TokenGrant::RefreshToken(_) => false,
        }
    }

    async fn knows(&self, name: &str, password: &SecretString) -> bool {
        match &self.guard {
            Some(guard) => guard.authenticator.logins.remember(name, password).await,
            None => false,
        }
    }
}
