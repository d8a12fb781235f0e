use jsonwebtoken::{Algorithm, DecodingKey, Header, Validation};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::rejection::{Reason, Rejection};

/// The longest token that is read, in bytes. The registry issues none that is longer.
pub const MAX_TOKEN_LENGTH: usize = 8 * 1024;

/// How far clocks may be apart, in seconds.
pub(super) const LEEWAY: u64 = 30;

/// The type of a JWT, where nothing else is said (RFC 7519, section 5.1).
pub(super) const TYPE: &str = "JWT";

/// What must be true of the claims of a token.
pub(super) struct Expected<'a> {
    pub(super) issuer: &'a str,
    pub(super) audience: &'a str,
    /// Claims that must be there, of `sub` and `nbf`. `exp`, `iss` and `aud` must be there always.
    pub(super) requires: &'a [&'static str],
}

/// The claim by which the rest of a token is looked at by one issuer's rules and no other's. Nothing proves it yet.
#[derive(Deserialize)]
struct Unproven {
    iss: String,
}

/// Reads the header of a token. What is in it is not proven, and it chooses at most among keys that are trusted already:
/// keys in it, or addresses of keys (`jwk`, `jku`, `x5c`, `x5u`), are not looked at.
pub(super) fn header(token: &str) -> Result<Header, Rejection> {
    if token.len() > MAX_TOKEN_LENGTH {
        return Err(Rejection::TooLong);
    }
    let header = jsonwebtoken::decode_header(token).map_err(malformed)?;
    match header.crit {
        Some(_) => Err(Rejection::Critical),
        None => Ok(header),
    }
}

/// Who a token says has issued it. Nothing proves it.
pub(super) fn unproven_issuer(token: &str) -> Result<String, Rejection> {
    let claims = jsonwebtoken::dangerous::insecure_decode_claims::<Unproven>(token);
    Ok(claims.map_err(malformed)?.iss)
}

fn malformed(error: jsonwebtoken::errors::Error) -> Rejection {
    Rejection::Malformed(Reason(error))
}

/// Verifies signature and claims with this key and no other algorithm than this.
pub(super) fn verify<C: DeserializeOwned>(
    token: &str,
    key: &DecodingKey,
    algorithm: Algorithm,
    expected: &Expected<'_>,
) -> Result<C, Rejection> {
    let mut validation = Validation::new(algorithm);
    validation.leeway = LEEWAY;
    validation.validate_nbf = true;
    validation.set_issuer(&[expected.issuer]);
    validation.set_audience(&[expected.audience]);
    let always = ["exp", "iss", "aud"].iter();
    let required: Vec<&str> = always.chain(expected.requires).copied().collect();
    validation.set_required_spec_claims(&required);
    let token = jsonwebtoken::decode(token, key, &validation).map_err(Rejection::of)?;
    Ok(token.claims)
}
