use std::sync::Arc;
use std::time::SystemTime;

use secrecy::{ExposeSecret, SecretString};

use crate::caller::certificate_name;
use crate::credentials::Credentials;
use crate::logins::{Login, Logins};
use crate::names::is_presentable;
use crate::tokens::Verified;
use crate::{
    AuthenticationError, BearerTokens, Caller, Identity, Presented, Refresh, Rejection, Rules,
    TokenAnswer, TokenError, TokenGrant, TokenRequest, granted,
};

/// The name with which a token of an OpenID Connect issuer is a password, for clients that know nothing but passwords.
const OIDC: &str = "oidc";

/// Tells who asks.
pub(super) struct Authenticator {
    pub(super) logins: Logins,
    pub(super) bearer: BearerTokens,
}

/// Somebody whose credential is good.
struct Proven {
    caller: Caller,
    /// What a refresh token for it says. Only who has a password or the secret of a robot gets one.
    refresh: Option<Refresh>,
    /// When the credential ends.
    expires_at: Option<SystemTime>,
}

impl From<Caller> for Proven {
    fn from(caller: Caller) -> Self {
        Self {
            caller,
            refresh: None,
            expires_at: None,
        }
    }
}

impl From<Verified> for Proven {
    fn from(verified: Verified) -> Self {
        Self {
            refresh: None,
            expires_at: verified.expires_at(),
            caller: Arc::unwrap_or_clone(verified.caller),
        }
    }
}

impl From<Login> for Proven {
    fn from(login: Login) -> Self {
        Self {
            caller: Caller::proven(Identity::Named(login.named)),
            refresh: Some(login.refresh),
            expires_at: login.expires_at,
        }
    }
}

impl Authenticator {
    pub(super) async fn authenticate(
        &self,
        presented: &Presented<'_>,
    ) -> Result<Caller, AuthenticationError> {
        Ok(self.prove(presented).await?.caller)
    }

    /// Issues a token to whoever the request or what was presented proves.
    pub(super) async fn token(
        &self,
        request: &TokenRequest,
        presented: &Presented<'_>,
        rules: &Rules,
    ) -> Result<TokenAnswer, TokenError> {
        let own = self
            .bearer
            .own
            .as_ref()
            .ok_or_else(super::no_token_service)?;
        own.check(request)?;
        let proven = match &request.grant {
            TokenGrant::Header => self.prove(presented).await?,
            TokenGrant::Password { username, password } => {
                self.with_password(username, password).await?
            }
            TokenGrant::RefreshToken(token) => {
                let refresh = own.verify_refresh(token).await.inspect_err(tell)?;
                // No new one: it would never end.
                Proven {
                    refresh: None,
                    ..self.logins.refreshed(&refresh).await?.into()
                }
            }
        };
        let Proven {
            caller,
            refresh,
            expires_at,
        } = without_scope(proven)?;
        let scope = granted(rules, &caller, &request.scopes);
        let refresh = refresh.filter(|_| request.is_offline);
        own.issue_until(&caller.identity, &scope, refresh.as_ref(), expires_at)
            .await
    }

    async fn prove(&self, presented: &Presented<'_>) -> Result<Proven, AuthenticationError> {
        let Some(header) = presented.authorization else {
            return Ok(without_header(presented)?.into());
        };
        match Credentials::parse(header).ok_or(AuthenticationError::Malformed)? {
            Credentials::Basic { name, password } => self.with_password(&name, &password).await,
            Credentials::Bearer(token) => self.with_token(&token).await,
        }
    }

    async fn with_password(
        &self,
        name: &str,
        password: &SecretString,
    ) -> Result<Proven, AuthenticationError> {
        if let Some(robot) = self.logins.with_robot_secret(password).await? {
            return Ok(robot.into());
        }
        if name == OIDC && !self.bearer.issuers.is_empty() {
            return without_scope(self.verify(password).await?);
        }
        let login = self.logins.with_password(name, password).await?;
        Ok(login.into())
    }

    async fn with_token(&self, token: &SecretString) -> Result<Proven, AuthenticationError> {
        match self.logins.with_robot_secret(token).await? {
            Some(robot) => Ok(robot.into()),
            None => self.verify(token).await,
        }
    }

    async fn verify(&self, token: &SecretString) -> Result<Proven, AuthenticationError> {
        let verified = self.bearer.verify_remembered(token.expose_secret()).await;
        Ok(verified.inspect_err(tell)?.into())
    }
}

/// A certificate whose name cannot be one is no better than none, and whoever shows it is not anonymous.
fn without_header(presented: &Presented<'_>) -> Result<Caller, AuthenticationError> {
    match presented.certificate {
        Some(name) if is_presentable(name) => {
            Ok(Caller::proven(Identity::named(certificate_name(name))))
        }
        Some(_) => Err(AuthenticationError::Invalid),
        None => Ok(Caller::anonymous()),
    }
}

/// Refuses access tokens, which have a scope, where something else is due: with one, nobody gets the next, and so on for
/// ever.
fn without_scope(proven: Proven) -> Result<Proven, AuthenticationError> {
    match proven.caller.scope {
        Some(_) => Err(AuthenticationError::Invalid),
        None => Ok(proven),
    }
}

fn tell(rejection: &Rejection) {
    tracing::info!(%rejection, "a token was refused");
}
