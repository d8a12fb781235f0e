use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use uuid::Uuid;

use super::claims::{AccessClaims, AccessEntry, REFRESH, RefreshClaims};
use super::jwt::{self, Expected, MAX_TOKEN_LENGTH, TYPE};
use super::refresh::{Fingerprint, Refresh, RefreshSubject};
use super::rejection::Rejection;
use super::request::TokenRequest;
use super::signature_checks::in_turn;
use super::signing_key::SigningKey;
use super::signing_keys::{KeyAges, SigningKeys};
use super::token_answer::TokenAnswer;
use super::token_error::TokenError;
use super::verified::Verified;
use crate::{Access, Caller, Identity, Named, SigningKeyStore};

/// How the registry issues tokens.
#[derive(Clone, Debug)]
pub struct TokenSettings {
    /// What the registry calls itself in challenges and tokens: `service` of a challenge, and issuer and audience of a token.
    pub service: String,
    /// How long an access token is good, an hour at most: what is longer is taken for an hour. What a user may do is evaluated at each use, but which groups and which grants of a
    /// robot's are in the token: this long they go on to hold.
    pub token_lifetime: Duration,
    /// How long a refresh token is good.
    pub refresh_lifetime: Duration,
    /// How old a signing key becomes before a newer one is made.
    pub key_lifetime: Duration,
}

/// `berth`, 5 minutes, 30 days and 30 days.
impl Default for TokenSettings {
    fn default() -> Self {
        const DAY: Duration = Duration::from_secs(24 * 60 * 60);
        Self {
            service: "berth".to_owned(),
            token_lifetime: Duration::from_secs(5 * 60),
            refresh_lifetime: DAY.saturating_mul(30),
            key_lifetime: DAY.saturating_mul(30),
        }
    }
}

/// The longest lifetime of an access token: nothing ends one but time.
const LONGEST_LIFETIME: Duration = Duration::from_secs(60 * 60);

/// Issues the registry's own tokens, and verifies them: JWTs with ES256 as clients of Docker registries know them. Its keys are
/// made, replaced and forgotten as they age; replicas with one store accept each other's tokens.
pub struct TokenService {
    settings: TokenSettings,
    keys: SigningKeys,
}

/// The claims that say from when to when a token is good, in seconds since 1970.
struct Period {
    from: u64,
    to: u64,
}

impl TokenService {
    /// A service whose keys are in this store. The store is asked when the first token is issued or verified.
    pub fn new(mut settings: TokenSettings, store: Arc<dyn SigningKeyStore>) -> Self {
        settings.token_lifetime = settings.token_lifetime.min(LONGEST_LIFETIME);
        let ages = KeyAges {
            signs_for: settings.key_lifetime,
            longest_token: settings.token_lifetime.max(settings.refresh_lifetime),
        };
        let keys = SigningKeys::new(store, ages);
        Self { settings, keys }
    }

    /// What the registry calls itself in challenges and tokens.
    pub fn service(&self) -> &str {
        &self.settings.service
    }

    /// Refuses a request for a token of another service.
    ///
    /// # Errors
    /// [`TokenError::InvalidRequest`].
    pub fn check(&self, request: &TokenRequest) -> Result<(), TokenError> {
        let is_other = |asked: &&String| !asked.is_empty() && *asked != self.service();
        match request.service.as_ref().filter(is_other) {
            Some(_) => Err(TokenError::InvalidRequest(format!(
                "this token server has one service, {:?}: ask for a token of that",
                self.service()
            ))),
            None => Ok(()),
        }
    }

    /// Issues an access token by which an identity may do what is in `scope`, as far as it may do it anyway: [`granted`] says
    /// what to put there. With `refresh` a refresh token too.
    ///
    /// # Errors
    /// When no key can be had, or the token would be longer than [`MAX_TOKEN_LENGTH`].
    ///
    /// [`granted`]: crate::granted
    pub async fn issue(
        &self,
        identity: &Identity,
        scope: &[Access],
        refresh: Option<&Refresh>,
    ) -> Result<TokenAnswer, TokenError> {
        self.issue_until(identity, scope, refresh, None).await
    }

    /// Issues tokens that end when the credential does that they are issued for, if that is sooner.
    pub(crate) async fn issue_until(
        &self,
        identity: &Identity,
        scope: &[Access],
        refresh: Option<&Refresh>,
        expires_at: Option<SystemTime>,
    ) -> Result<TokenAnswer, TokenError> {
        let key = self.keys.signer().await?;
        let now = SystemTime::now();
        let period = Period::of(now, self.settings.token_lifetime, expires_at);
        let claims = self.access_claims(identity, scope, &period);
        let token = in_turn(|| sign(&key, TYPE, &claims)).await?;
        let refresh_token = match refresh {
            Some(refresh) => {
                let period = Period::of(now, self.settings.refresh_lifetime, expires_at);
                let claims = self.refresh_claims(refresh, &period);
                Some(in_turn(|| sign(&key, REFRESH, &claims)).await?)
            }
            None => None,
        };
        Ok(TokenAnswer::new(
            token,
            now,
            Duration::from_secs(period.to.saturating_sub(period.from)),
            refresh_token,
            identity.clone(),
        ))
    }

    /// Tells whom an access token stands for. Its scope is what it lists.
    ///
    /// # Errors
    /// When it is not good, or keys cannot be had now.
    pub async fn verify(&self, token: &str) -> Result<Caller, Rejection> {
        let verified = self.verify_access(token).await?;
        Ok(Arc::unwrap_or_clone(verified.caller))
    }

    /// Tells what a refresh token stands for.
    ///
    /// # Errors
    /// When it is not good, or keys cannot be had now.
    pub async fn verify_refresh(&self, token: &SecretString) -> Result<Refresh, Rejection> {
        let token = token.expose_secret();
        let key = self.key_of(token, REFRESH).await?;
        let expected = self.expected(REFRESH, &["sub", "nbf"]);
        let claims: RefreshClaims = in_turn(|| key.verify(token, &expected)).await?;
        let subject = match claims.berth_robot {
            true => RefreshSubject::Robot(claims.sub),
            false => RefreshSubject::User(claims.sub),
        };
        Ok(Refresh {
            subject,
            fingerprint: Fingerprint::from(claims.berth_fingerprint),
        })
    }

    pub(super) async fn verify_access(&self, token: &str) -> Result<Verified, Rejection> {
        let key = self.key_of(token, TYPE).await?;
        let expected = self.expected(self.service(), &["nbf"]);
        let claims: AccessClaims = in_turn(|| key.verify(token, &expected)).await?;
        let scope = claims.access.iter().filter_map(AccessEntry::access);
        let scope = Some(scope.collect());
        let identity = match (claims.sub, claims.berth_grants) {
            (Some(name), grants) => Identity::Named(Named {
                name,
                groups: claims.groups,
                grants,
            }),
            (None, Some(grants)) => Identity::Nameless(grants),
            (None, None) => Identity::Anonymous,
        };
        let caller = Caller {
            identity,
            scope,
            is_proven: true,
        };
        Ok(Verified::new(caller, claims.exp))
    }

    /// The key that a token names, if the token is of this type.
    async fn key_of(&self, token: &str, kind: &str) -> Result<Arc<SigningKey>, Rejection> {
        let header = jwt::header(token)?;
        if header.typ.as_deref() != Some(kind) {
            return Err(Rejection::OtherType);
        }
        let id = header.kid.ok_or(Rejection::UnknownKey)?;
        self.keys.find(&id).await
    }

    fn expected<'a>(&'a self, audience: &'a str, requires: &'a [&'static str]) -> Expected<'a> {
        Expected {
            issuer: self.service(),
            audience,
            requires,
        }
    }

    fn access_claims(
        &self,
        identity: &Identity,
        scope: &[Access],
        period: &Period,
    ) -> AccessClaims {
        let (sub, groups, berth_grants) = match identity.clone() {
            Identity::Named(named) => (Some(named.name), named.groups, named.grants),
            Identity::Nameless(grants) => (None, BTreeSet::new(), Some(grants)),
            Identity::Anonymous => Default::default(),
        };
        AccessClaims {
            iss: self.settings.service.clone(),
            sub,
            aud: self.settings.service.clone(),
            exp: period.to,
            nbf: period.from,
            iat: period.from,
            jti: Uuid::new_v4().to_string(),
            access: scope.iter().map(AccessEntry::from).collect(),
            groups,
            berth_grants,
        }
    }

    fn refresh_claims(&self, refresh: &Refresh, period: &Period) -> RefreshClaims {
        let (sub, berth_robot) = match &refresh.subject {
            RefreshSubject::User(name) => (name.clone(), false),
            RefreshSubject::Robot(id) => (id.clone(), true),
        };
        RefreshClaims {
            iss: self.settings.service.clone(),
            sub,
            aud: REFRESH.to_owned(),
            exp: period.to,
            nbf: period.from,
            iat: period.from,
            jti: Uuid::new_v4().to_string(),
            berth_robot,
            berth_fingerprint: refresh.fingerprint.as_str().to_owned(),
        }
    }
}

impl Period {
    fn of(now: SystemTime, lifetime: Duration, until: Option<SystemTime>) -> Self {
        let from = seconds(now);
        let until = until.map_or(u64::MAX, seconds);
        let to = from.saturating_add(lifetime.as_secs()).min(until);
        Self { from, to }
    }
}

/// Since 1970.
fn seconds(time: SystemTime) -> u64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH);
    since.unwrap_or_default().as_secs()
}

fn sign(key: &SigningKey, kind: &str, claims: &impl Serialize) -> Result<SecretString, TokenError> {
    let token = key.sign(kind, claims).map_err(TokenError::signing)?;
    match token.expose_secret().len() > MAX_TOKEN_LENGTH {
        true => Err(TokenError::InvalidRequest(
            "the token would be too long: ask for fewer repositories at a time, or give the robot fewer grants"
                .to_owned(),
        )),
        false => Ok(token),
    }
}
