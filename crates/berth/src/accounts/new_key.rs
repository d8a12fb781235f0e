use std::time::SystemTime;

use anyhow::Context;
use berth_auth::StoredKey;
use berth_spec::SessionId;
use p256::SecretKey;
use p256::elliptic_curve::Generate;
use p256::pkcs8::{EncodePrivateKey, LineEnding};

/// A new key to sign tokens with.
pub(crate) fn new_key() -> anyhow::Result<StoredKey> {
    let key = SecretKey::try_generate().context("the system gives no random bytes for a key")?;
    let pem = key
        .to_pkcs8_pem(LineEnding::LF)
        .context("the new key cannot be written")?;
    Ok(StoredKey {
        id: SessionId::random().to_string(),
        private_key: pem.as_str().into(),
        created_at: SystemTime::now(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use p256::pkcs8::DecodePrivateKey;
    use secrecy::ExposeSecret;

    #[test]
    fn it_is_a_key_that_can_be_read_and_no_other() {
        let [first, second] = [new_key().unwrap(), new_key().unwrap()];
        assert_ne!(first.id, second.id);
        let read = |key: &StoredKey| SecretKey::from_pkcs8_pem(key.private_key.expose_secret());
        assert_ne!(read(&first).unwrap(), read(&second).unwrap());
    }
}
