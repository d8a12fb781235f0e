use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

use super::jwt::Expected;
use super::rejection::Rejection;
use super::remote::{IssuerKeys, Place, TrustError};
use super::verified::Verified;
use crate::{Caller, Identity, Named, Patterns};

/// An issuer of OpenID Connect tokens, such as a CI system or a Kubernetes cluster: a table `[[oidc]]` of the
/// configuration.
///
/// At an issuer that serves everybody, such as GitHub's, anybody gets a token and chooses its audience. Then `authenticated`
/// and `oidc:<label>:*` in rules mean everybody whom the issuer serves: name the subjects that are meant, or demand
/// [roles](OidcSettings::role) whose claims no stranger has.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct OidcSettings {
    /// What rules call it: its identities are `oidc:<label>:<name>`.
    pub label: String,
    /// What it calls itself: `iss` in tokens.
    pub issuer: String,
    /// For whom its tokens must be: `aud` in tokens. One that no other service accepts, or tokens meant for that can be used here.
    /// It is no secret and no proof: who asks for a token mostly chooses it.
    pub audience: String,
    /// Its keys: the URL or the file of a JWK set (RFC 7517). If not given, the issuer's discovery document
    /// (`/.well-known/openid-configuration`) says where they are.
    pub jwks: Option<String>,
    /// The claim that is the name.
    #[serde(default = "subject")]
    pub name_claim: String,
    /// What claims make of an identity.
    #[serde(default)]
    pub role: Vec<OidcRole>,
    /// Whether a token must fit one of the roles at least. If not given, it must as soon as there are any.
    pub require_role: Option<bool>,
    /// A file of certificate authorities in PEM that are trusted beside the system's when keys are fetched.
    pub certificate_authorities: Option<PathBuf>,
}

/// The groups of those whose claims fit: a table `[[oidc.role]]` of the configuration.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct OidcRole {
    /// For each claim a glob, or a list of which one must fit. All claims must fit; of a claim that is a list, one element must. A claim
    /// inside another is named by both with a `/` between: `kubernetes.io/namespace`. In the globs, `/` and `:` are
    /// characters like others.
    #[serde(deserialize_with = "globs_by_claim")]
    pub claims: BTreeMap<String, Patterns>,
    /// The groups.
    pub groups: BTreeSet<String>,
}

/// A glob, or a list of globs.
#[derive(Deserialize)]
#[serde(untagged)]
enum Globs {
    One(String),
    Several(Vec<String>),
}

fn globs_by_claim<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<BTreeMap<String, Patterns>, D::Error> {
    let claims = BTreeMap::<String, Globs>::deserialize(deserializer)?;
    let read = |(claim, globs)| {
        let globs = match globs {
            Globs::One(glob) => vec![glob],
            Globs::Several(globs) => globs,
        };
        let globs = Patterns::of_claims(globs).map_err(D::Error::custom)?;
        Ok((claim, globs))
    };
    claims.into_iter().map(read).collect()
}

fn subject() -> String {
    "sub".to_owned()
}

/// Verifies the tokens of an OpenID Connect issuer.
pub struct OidcIssuer {
    settings: OidcSettings,
    keys: IssuerKeys,
}

impl OidcIssuer {
    /// An issuer as it is configured. Its keys are fetched when the first token comes.
    ///
    /// # Errors
    /// When the label cannot be part of a name, the issuer or the audience is empty, the place of its keys cannot be trusted, or the authorities cannot be read.
    pub fn new(settings: OidcSettings) -> Result<Self, TrustError> {
        let is_wrong = |character: char| character == ':' || character.is_control();
        if settings.label.is_empty() || settings.label.contains(is_wrong) {
            return Err(TrustError::Setting(format!(
                "the label {:?} of an OpenID Connect issuer cannot be part of a name: it must not be empty, and have no colon",
                settings.label
            )));
        }
        if settings.issuer.is_empty() {
            return Err(TrustError::Setting(format!(
                "the OpenID Connect issuer {} has no issuer; give the claim iss of its tokens",
                settings.label
            )));
        }
        if settings.audience.is_empty() {
            return Err(TrustError::Setting(format!(
                "the OpenID Connect issuer {} has no audience; choose one that its tokens for this registry have",
                settings.label
            )));
        }
        let place = match &settings.jwks {
            Some(text) => Place::of(text)?,
            None => Place::discovered(&settings.issuer)?,
        };
        let authorities = settings.certificate_authorities.as_deref();
        let label = format!("the OpenID Connect issuer {}", settings.label);
        let keys = IssuerKeys::new(&label, place, authorities)?;
        Ok(Self { settings, keys })
    }

    /// As it is configured.
    pub fn settings(&self) -> &OidcSettings {
        &self.settings
    }

    /// Tells whom a token stands for. It has no scope: rules say what the identity may do.
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
            audience: &self.settings.audience,
            requires: &["sub"],
        };
        let claims: Claims = self.keys.verify(token, &expected).await?;
        let named = Named {
            name: format!("oidc:{}:{}", self.settings.label, self.name(&claims)?),
            groups: self.groups(&claims)?,
            grants: None,
        };
        let caller = Caller::proven(Identity::Named(named));
        Ok(Verified::new(caller, claims.expiry()))
    }

    fn name(&self, claims: &Claims) -> Result<String, Rejection> {
        let claim = &self.settings.name_claim;
        let name = claims.find(claim).and_then(Value::as_str);
        let is_name = |name: &&str| !name.is_empty() && !name.contains(char::is_control);
        let name = name.filter(is_name);
        let name = name.ok_or_else(|| Rejection::Name(claim.clone()))?;
        Ok(name.to_owned())
    }

    fn groups(&self, claims: &Claims) -> Result<BTreeSet<String>, Rejection> {
        let roles = &self.settings.role;
        let mut fitting = roles.iter().filter(|role| role.fits(claims)).peekable();
        let is_required = self.settings.require_role.unwrap_or(!roles.is_empty());
        if is_required && fitting.peek().is_none() {
            return Err(Rejection::NoRole);
        }
        Ok(fitting.flat_map(|role| role.groups.clone()).collect())
    }
}

impl OidcRole {
    fn fits(&self, claims: &Claims) -> bool {
        let fits = |(claim, globs): (&String, &Patterns)| {
            let value = claims.find(claim);
            value.is_some_and(|value| any_matches(value, globs))
        };
        // A role without claims would fit everybody: a slip, so it fits nobody.
        !self.claims.is_empty() && self.claims.iter().all(fits)
    }
}

fn any_matches(value: &Value, globs: &Patterns) -> bool {
    match value {
        Value::String(text) => globs.matches(text),
        Value::Bool(_) | Value::Number(_) => globs.matches(&value.to_string()),
        Value::Array(values) => values
            .iter()
            .any(|value| !value.is_array() && any_matches(value, globs)),
        Value::Null | Value::Object(_) => false,
    }
}

/// The claims of a token, each once.
struct Claims(Map<String, Value>);

impl Claims {
    fn find(&self, name: &str) -> Option<&Value> {
        find(&self.0, name)
    }

    /// In seconds since 1970. Verification has seen to it that it is a number.
    fn expiry(&self) -> u64 {
        let expiry = self.0.get("exp");
        let whole = expiry.and_then(Value::as_u64);
        let seconds = whole.or_else(|| Some(expiry?.as_f64()? as u64));
        seconds.unwrap_or_default()
    }
}

/// The claim of this name, or one inside others. Names have dots and slashes in them, so every slash may or may not divide.
fn find<'a>(claims: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    if let Some(value) = claims.get(name) {
        return Some(value);
    }
    let mut slashes = name.match_indices('/');
    slashes.find_map(|(at, _)| {
        let outer = claims.get(name.get(..at)?)?.as_object()?;
        find(outer, name.get(at + 1..)?)
    })
}

/// Whoever reads a claim that comes twice may read another than whoever has checked it, so such a token is none.
impl<'de> Deserialize<'de> for Claims {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(EachOnce)
    }
}

struct EachOnce;

impl<'de> Visitor<'de> for EachOnce {
    type Value = Claims;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("claims")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Claims, A::Error> {
        let mut claims = Map::new();
        while let Some((name, value)) = entries.next_entry::<String, Value>()? {
            if claims.insert(name, value).is_some() {
                return Err(A::Error::custom("a claim comes twice"));
            }
        }
        Ok(Claims(claims))
    }
}
