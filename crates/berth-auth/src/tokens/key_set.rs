use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::jwt::{self, Expected};
use super::rejection::Rejection;

/// How many keys of a set are read.
const MAX_KEYS: usize = 256;

/// With how many keys of the same id, or without any, a signature is tried: an issuer has no reason for more.
const MAX_TRIED: usize = 4;

/// RSA with fewer bits can be broken, and the crate that verifies takes no more.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=4096;

/// The public keys of an issuer: what of a JWK set (RFC 7517) can verify signatures.
pub(super) struct KeySet(Vec<PublicKey>);

struct PublicKey {
    id: Option<String>,
    /// What the key says of itself, by its type and curve or by `alg`.
    algorithms: &'static [Algorithm],
    key: DecodingKey,
}

#[derive(Deserialize)]
struct Document {
    keys: Vec<Value>,
}

/// The parameters of a key that are looked at (RFC 7517, section 4, and RFC 7518, section 6).
#[derive(Deserialize)]
struct Parameters {
    kty: String,
    kid: Option<String>,
    alg: Option<String>,
    #[serde(rename = "use")]
    usage: Option<String>,
    key_ops: Option<Vec<String>>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

impl KeySet {
    /// Reads a JWK set. Keys that do not verify signatures, or of types that are not known, are left out: symmetric ones
    /// too, since a set of public keys is no secret.
    pub(super) fn read(json: &[u8]) -> Result<Self, serde_json::Error> {
        let document: Document = serde_json::from_slice(json)?;
        let keys = document.keys.into_iter().take(MAX_KEYS);
        Ok(Self(keys.filter_map(public_key).collect()))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Verifies a token whose header has this algorithm and this id of a key. The algorithm only chooses among those that
    /// the key itself is for.
    pub(super) fn verify<C: DeserializeOwned>(
        &self,
        token: &str,
        header: &jsonwebtoken::Header,
        expected: &Expected<'_>,
    ) -> Result<C, Rejection> {
        let mut rejection = Rejection::UnknownKey;
        for key in self.candidates(header).take(MAX_TRIED) {
            match jwt::verify(token, &key.key, header.alg, expected) {
                Ok(claims) => return Ok(claims),
                Err(error) => rejection = rejection.or(error),
            }
        }
        Err(rejection)
    }

    /// Whether a token with this header may have been signed with a key that is not in the set yet, if none of it fits: the
    /// header names none that is.
    pub(super) fn may_lack(&self, header: &jsonwebtoken::Header) -> bool {
        header.kid.is_none() || self.named(header).next().is_none()
    }

    /// The keys that the header may mean: those of its id, and those without one. If it has none all.
    fn candidates(&self, header: &jsonwebtoken::Header) -> impl Iterator<Item = &PublicKey> {
        let nameless = self.0.iter().filter(|key| key.id.is_none());
        let others = self
            .0
            .iter()
            .filter(|key| key.id.is_some() && header.kid.is_none());
        let all = self.named(header).chain(nameless).chain(others);
        all.filter(|key| key.algorithms.contains(&header.alg))
    }

    /// The keys of the id that the header has.
    fn named(&self, header: &jsonwebtoken::Header) -> impl Iterator<Item = &PublicKey> {
        let is_named = |key: &&PublicKey| key.id.is_some() && key.id == header.kid;
        self.0.iter().filter(is_named)
    }
}

fn public_key(value: Value) -> Option<PublicKey> {
    let parameters: Parameters = serde_json::from_value(value).ok()?;
    if !parameters.are_for_signatures() {
        return None;
    }
    let possible = parameters.possible_algorithms()?;
    let algorithms = match &parameters.alg {
        Some(alg) => only(possible, alg)?,
        None => possible,
    };
    Some(PublicKey {
        key: parameters.key()?,
        id: parameters.kid,
        algorithms,
    })
}

/// The one algorithm that the key says it is for, if a key of its type can be for it.
fn only(possible: &'static [Algorithm], alg: &str) -> Option<&'static [Algorithm]> {
    // RFC 9864 calls EdDSA by its curve.
    let alg: Algorithm = match alg {
        "Ed25519" => Algorithm::EdDSA,
        alg => alg.parse().ok()?,
    };
    let at = possible.iter().position(|algorithm| *algorithm == alg)?;
    possible.get(at..=at)
}

impl Parameters {
    fn are_for_signatures(&self) -> bool {
        let verifies = |operations: &Vec<String>| operations.iter().any(|name| name == "verify");
        self.usage.as_ref().is_none_or(|usage| usage == "sig")
            && self.key_ops.as_ref().is_none_or(verifies)
    }

    fn possible_algorithms(&self) -> Option<&'static [Algorithm]> {
        match (self.kty.as_str(), self.crv.as_deref()) {
            ("RSA", _) => Some(&[
                Algorithm::RS256,
                Algorithm::RS384,
                Algorithm::RS512,
                Algorithm::PS256,
                Algorithm::PS384,
                Algorithm::PS512,
            ]),
            ("EC", Some("P-256")) => Some(&[Algorithm::ES256]),
            ("EC", Some("P-384")) => Some(&[Algorithm::ES384]),
            ("OKP", Some("Ed25519")) => Some(&[Algorithm::EdDSA]),
            _ => None,
        }
    }

    /// The key, if its numbers have the lengths that its type asks for.
    fn key(&self) -> Option<DecodingKey> {
        let coordinate = match self.crv.as_deref() {
            Some("P-384") => 48,
            _ => 32,
        };
        match self.kty.as_str() {
            "RSA" => {
                let (n, e) = (decoded(&self.n)?, decoded(&self.e)?);
                RSA_BITS
                    .contains(&bits(&n))
                    .then(|| DecodingKey::from_rsa_raw_components(&n, &e))
            }
            "EC" => {
                let (x, y) = (decoded(&self.x)?, decoded(&self.y)?);
                let is_point = x.len() == coordinate && y.len() == coordinate;
                // What this takes is the point, whatever its name says.
                is_point.then(|| DecodingKey::from_ec_der(&[&[4], x.as_slice(), &y].concat()))
            }
            _ => {
                let x = decoded(&self.x)?;
                (x.len() == coordinate).then(|| DecodingKey::from_ed_der(&x))
            }
        }
    }
}

fn decoded(text: &Option<String>) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text.as_ref()?).ok()
}

/// The length of a number without its leading zeros.
fn bits(number: &[u8]) -> usize {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    match number.get(zeros) {
        Some(first) => (number.len() - zeros) * 8 - first.leading_zeros() as usize,
        None => 0,
    }
}
