use argon2::{Argon2, PasswordHasher};
use secrecy::{ExposeSecret, SecretString};

/// The hash of a password, to be kept instead of it: argon2id with the parameters that its authors recommend by default
/// (19 MiB of memory, two passes) and a salt of its own, as a PHC string. It takes some 20 ms of a processor, so call it where
/// blocking is allowed.
///
/// # Errors
/// When there is no memory for it, or the system gives no random bytes for the salt.
pub fn hash_password(password: &SecretString) -> Result<SecretString, PasswordHashError> {
    let hash = Argon2::default().hash_password(password.expose_secret().as_bytes())?;
    Ok(hash.to_string().into())
}

/// A password could not be hashed.
#[derive(Debug, thiserror::Error)]
#[error("the password cannot be hashed: {0}")]
pub struct PasswordHashError(#[from] argon2::password_hash::Error);

#[cfg(test)]
mod tests {
    use argon2::PasswordVerifier;
    use argon2::password_hash::phc::PasswordHash;

    use super::*;

    #[test]
    fn it_is_argon2id_and_of_this_password_alone() {
        let hash = hash_password(&"correct horse".into()).expect("a hash");
        let text = hash.expose_secret();
        assert!(
            text.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"),
            "{text}"
        );

        let parsed = PasswordHash::new(text).expect("a PHC string");
        let verify = |password: &[u8]| Argon2::default().verify_password(password, &parsed);
        assert!(verify(b"correct horse").is_ok());
        assert!(verify(b"correct horsf").is_err());
        assert!(verify(b"").is_err());
    }

    #[test]
    fn two_hashes_of_one_password_differ() {
        let password = "correct horse".into();
        let first = hash_password(&password).expect("a hash");
        let second = hash_password(&password).expect("a hash");
        assert_ne!(first.expose_secret(), second.expose_secret());
    }
}
