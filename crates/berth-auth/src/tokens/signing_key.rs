use std::time::SystemTime;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header};
use p256::SecretKey;
use p256::elliptic_curve::Generate;
use p256::elliptic_curve::sec1::ToSec1Point;
use p256::pkcs8::{DecodePrivateKey, EncodePrivateKey, LineEnding};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

use super::jwt::{self, Expected};
use super::rejection::Rejection;
use crate::StoredKey;

/// The one algorithm of the registry's own tokens.
const ALGORITHM: Algorithm = Algorithm::ES256;

/// The text of a stored key is no private key, or none can be made.
#[derive(Debug, thiserror::Error)]
pub(super) enum SigningKeyError {
    #[error("the system gives no random numbers")]
    Random,
    #[error("it is no private key of P-256 in PKCS #8 and PEM: {0}")]
    Read(#[from] p256::pkcs8::Error),
    #[error("it cannot be used: {0}")]
    Use(#[from] jsonwebtoken::errors::Error),
}

/// No key could be made.
#[derive(Debug, thiserror::Error)]
#[error("no key can be made to sign tokens with: {0}")]
pub struct NewKeyError(#[source] SigningKeyError);

impl StoredKey {
    /// A new key to sign the registry's own tokens with, for a [`SigningKeyStore`](crate::SigningKeyStore): the registry makes keys by
    /// itself, so this is for those who want one sooner.
    ///
    /// # Errors
    /// When the system gives no random numbers.
    pub fn generate(created_at: SystemTime) -> Result<Self, NewKeyError> {
        SigningKey::generate(created_at).map_err(NewKeyError)
    }
}

/// A key that signs the registry's own tokens, ready for use.
pub(super) struct SigningKey {
    pub(super) id: String,
    private: EncodingKey,
    public: DecodingKey,
}

impl SigningKey {
    /// Makes a key, as it is stored. Its id is the hash of its public half.
    pub(super) fn generate(created_at: SystemTime) -> Result<StoredKey, SigningKeyError> {
        let key = SecretKey::try_generate().map_err(|_| SigningKeyError::Random)?;
        let public = Sha256::digest(key.public_key().to_sec1_point(false).as_bytes());
        let pem = key.to_pkcs8_pem(LineEnding::LF)?;
        Ok(StoredKey {
            id: URL_SAFE_NO_PAD.encode(&public[..16]),
            private_key: SecretString::from(pem.as_str()),
            created_at,
        })
    }

    /// Reads a stored key.
    pub(super) fn read(stored: &StoredKey) -> Result<Self, SigningKeyError> {
        let pem = stored.private_key.expose_secret();
        let key = SecretKey::from_pkcs8_pem(pem)?;
        let public = key.public_key().to_sec1_point(false);
        Ok(Self {
            id: stored.id.clone(),
            private: EncodingKey::from_ec_pem(pem.as_bytes())?,
            // What this takes is the point, whatever its name says.
            public: DecodingKey::from_ec_der(public.as_bytes()),
        })
    }

    pub(super) fn sign(
        &self,
        kind: &str,
        claims: &impl Serialize,
    ) -> Result<SecretString, SigningKeyError> {
        let mut header = Header::new(ALGORITHM);
        header.typ = Some(kind.to_owned());
        header.kid = Some(self.id.clone());
        let token = jsonwebtoken::encode(&header, claims, &self.private)?;
        Ok(SecretString::from(token))
    }

    pub(super) fn verify<C: DeserializeOwned>(
        &self,
        token: &str,
        expected: &Expected<'_>,
    ) -> Result<C, Rejection> {
        jwt::verify(token, &self.public, ALGORITHM, expected)
    }
}
