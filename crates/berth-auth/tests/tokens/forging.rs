//! Tokens made by hand, with whatever header, claims and signature.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, get_current_timestamp};
use serde_json::{Value, json};

pub(crate) const RSA: &str = include_str!("keys/rsa.pem");
pub(crate) const RSA_PUBLIC: &str = include_str!("keys/rsa.pub.pem");
pub(crate) const SHORT_RSA: &str = include_str!("keys/rsa-1024.pem");
pub(crate) const P256: &str = include_str!("keys/p256.pem");
pub(crate) const OTHER_P256: &str = include_str!("keys/p256-other.pem");
pub(crate) const P384: &str = include_str!("keys/p384.pem");
pub(crate) const ED25519: &str = include_str!("keys/ed25519.pem");

/// The private key in a text.
pub(crate) fn private_key(pem: &str) -> EncodingKey {
    let pem = pem.as_bytes();
    EncodingKey::from_ec_pem(pem)
        .or_else(|_| EncodingKey::from_rsa_pem(pem))
        .or_else(|_| EncodingKey::from_ed_pem(pem))
        .unwrap()
}

/// The public key of a private one, as an entry of a JWK set without `alg`.
pub(crate) fn public_key(pem: &str, algorithm: Algorithm, id: &str) -> Value {
    let key = Jwk::from_encoding_key(&private_key(pem), algorithm).unwrap();
    let mut key = serde_json::to_value(key).unwrap();
    key["kid"] = json!(id);
    key.as_object_mut().unwrap().remove("alg");
    key
}

pub(crate) fn key_set(keys: &[Value]) -> String {
    json!({ "keys": keys }).to_string()
}

/// A token of these texts, signed.
pub(crate) fn signed(
    header: &str,
    claims: &str,
    key: &EncodingKey,
    algorithm: Algorithm,
) -> String {
    let message = format!("{}.{}", encoded(header), encoded(claims));
    let signature = jsonwebtoken::crypto::sign(message.as_bytes(), key, algorithm).unwrap();
    format!("{message}.{signature}")
}

pub(crate) fn encoded(text: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(text)
}

/// The part of a token at this position, as JSON.
pub(crate) fn part(token: &str, position: usize) -> Value {
    let part = token.split('.').nth(position).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

pub(crate) fn now() -> u64 {
    get_current_timestamp()
}
