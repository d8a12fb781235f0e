use std::collections::BTreeSet;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::claims::{AccessEntry, foreign_actions};
use super::jwt::Expected;
use super::rejection::Rejection;
use super::remote::{IssuerKeys, Place, TrustError};
use super::verified::Verified;
use crate::{Caller, Grant, Identity, Named, Patterns};

/// An external token server: the table `[token_server]` of the configuration.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct TokenServerSettings {
    /// The URL at which clients get tokens, for challenges.
    pub realm: String,
    /// What the server calls this registry: `service` in challenges, and `aud` in tokens.
    pub service: String,
    /// What it calls itself: `iss` in tokens.
    pub issuer: String,
    /// Its keys: the URL or the file of a JWK set (RFC 7517).
    pub jwks: String,
    /// A file of certificate authorities in PEM that are trusted beside the system's when keys are fetched.
    pub certificate_authorities: Option<std::path::PathBuf>,
}

/// Verifies the tokens of an external token server.
///
/// What such a token lists may be done with it, and nothing else: the server has decided, and no rule of the registry's own
/// is asked. So the identity is granted everything but [`Action::Admin`](crate::Action::Admin), of which other servers know nothing, and
/// the [scope](Caller::scope) bounds it to the list; a request for more is answered with a challenge, since only the
/// server knows whether it would give that. A token for the catalog shows the names of all repositories: nobody here knows
/// which of them the server would hide.
///
/// The identity is `external:<subject>`, or without a name if the token has no subject.
pub struct TokenServer {
    settings: TokenServerSettings,
    keys: IssuerKeys,
}

#[derive(Deserialize)]
struct Claims {
    exp: u64,
    sub: Option<String>,
    #[serde(default)]
    access: Vec<AccessEntry>,
}

impl TokenServer {
    /// A server as it is configured. Its keys are read when the first token comes.
    ///
    /// # Errors
    /// When the issuer or the service is empty, the place of its keys cannot be trusted, or the authorities cannot be read.
    pub fn new(settings: TokenServerSettings) -> Result<Self, TrustError> {
        for (key, value) in [("issuer", &settings.issuer), ("service", &settings.service)] {
            if value.is_empty() {
                return Err(TrustError::Setting(format!(
                    "the {key} of the external token server is empty; give it as its tokens have it"
                )));
            }
        }
        let place = Place::of(&settings.jwks)?;
        let authorities = settings.certificate_authorities.as_deref();
        let keys = IssuerKeys::new("the external token server", place, authorities)?;
        Ok(Self { settings, keys })
    }

    /// As it is configured.
    pub fn settings(&self) -> &TokenServerSettings {
        &self.settings
    }

    /// Tells whom a token stands for.
    ///
    /// # Errors
    /// When it is not good, or keys cannot be had now.
    pub async fn verify(&self, token: &str) -> Result<Caller, Rejection> {
        let verified = self.verify_access(token).await?;
        Ok(Arc::unwrap_or_clone(verified.caller))
    }

    pub(super) async fn verify_access(&self, token: &str) -> Result<Verified, Rejection> {
        let expected = Expected {
            issuer: &self.settings.issuer,
            audience: &self.settings.service,
            requires: &[],
        };
        let claims: Claims = self.keys.verify(token, &expected).await?;
        let scope = claims.access.iter().filter_map(AccessEntry::foreign_access);
        let scope = Some(scope.collect());
        let identity = identity(claims.sub)?;
        let caller = Caller {
            identity,
            scope,
            is_proven: true,
        };
        Ok(Verified::new(caller, claims.exp))
    }
}

fn identity(subject: Option<String>) -> Result<Identity, Rejection> {
    let grants = vec![Grant {
        repositories: Patterns::all(),
        actions: foreign_actions(),
    }];
    let Some(subject) = subject.filter(|subject| !subject.is_empty()) else {
        return Ok(Identity::Nameless(grants));
    };
    match subject.contains(char::is_control) {
        true => Err(Rejection::Name("sub".to_owned())),
        false => Ok(Identity::Named(Named {
            name: format!("external:{subject}"),
            groups: BTreeSet::new(),
            grants: Some(grants),
        })),
    }
}
