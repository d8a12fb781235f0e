use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// What a refresh token proves: that its bearer once presented this credential. Whether it is still good, whoever keeps the
/// accounts says: there must be such an account, it must not have expired, and its fingerprint must be this one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refresh {
    /// Whose credential it was.
    pub subject: RefreshSubject,
    /// Of the credential.
    pub fingerprint: Fingerprint,
}

/// Whose credential a refresh token stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RefreshSubject {
    /// The user of this name.
    User(String),
    /// The robot token of this id.
    Robot(String),
}

/// Tells one password or secret of an account from the next: part of the SHA-256 of its stored hash. With the password
/// the fingerprint changes, and refresh tokens of before are worth nothing.
#[derive(Clone, Debug)]
pub struct Fingerprint(String);

impl Fingerprint {
    /// Of a stored hash of a password or secret. Stored hashes have a salt, so the fingerprint tells nothing of either.
    pub fn of(stored_hash: &SecretString) -> Self {
        let mut hash = Sha256::new();
        hash.update(b"berth refresh token\0");
        hash.update(stored_hash.expose_secret());
        Self(URL_SAFE_NO_PAD.encode(&hash.finalize()[..16]))
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<String> for Fingerprint {
    fn from(text: String) -> Self {
        Self(text)
    }
}

/// In the same time wherever they differ.
impl PartialEq for Fingerprint {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_bytes().ct_eq(other.0.as_bytes()).into()
    }
}

impl Eq for Fingerprint {}
