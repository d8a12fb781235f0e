use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use p256::elliptic_curve::Generate;
use secrecy::{ExposeSecret, SecretString};

const PREFIX: &str = "berth_";
const ID_LENGTH: usize = 16;
const SECRET_BYTES: usize = 32;

/// What a robot shows to prove itself: `berth_<id>_<secret>`. The id, 16 lower case hex digits, finds its record; the secret,
/// 256 random bits as 43 characters of base64url, is kept nowhere but as a hash. The prefix lets scanners
/// for leaked secrets find it.
#[derive(Clone, Debug)]
pub struct RobotSecret {
    id: String,
    secret: SecretString,
}

/// The system gave no random bytes.
#[derive(Debug, thiserror::Error)]
#[error("the system gives no random bytes: {0}")]
pub struct RandomError(#[source] pub(crate) Box<dyn std::error::Error + Send + Sync>);

impl RobotSecret {
    /// A new one, of random bytes of the system.
    ///
    /// # Errors
    /// When the system gives none.
    pub fn generate() -> Result<Self, RandomError> {
        let id = u64::try_generate().map_err(|error| RandomError(error.into()))?;
        let secret = <[u8; SECRET_BYTES]>::try_generate();
        let secret = secret.map_err(|error| RandomError(error.into()))?;
        Ok(Self {
            id: format!("{id:016x}"),
            secret: URL_SAFE_NO_PAD.encode(secret).into(),
        })
    }

    /// Reads one as [`RobotSecret::text`] writes it. `None` for whatever else, a user's password for example.
    pub fn parse(text: &str) -> Option<Self> {
        let (id, secret) = text.strip_prefix(PREFIX)?.split_once('_')?;
        let is_hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        let is_id = id.len() == ID_LENGTH && id.bytes().all(is_hex);
        let is_secret = URL_SAFE_NO_PAD
            .decode(secret)
            .is_ok_and(|bytes| bytes.len() == SECRET_BYTES);
        (is_id && is_secret).then(|| Self {
            id: id.to_owned(),
            secret: secret.into(),
        })
    }

    /// The part that is no secret.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The part that is one: what is hashed with [`hash_password`](crate::hash_password), and compared with that hash.
    pub fn secret(&self) -> &SecretString {
        &self.secret
    }

    /// The whole, as its owner gets to see it once.
    pub fn text(&self) -> SecretString {
        format!("{PREFIX}{}_{}", self.id, self.secret.expose_secret()).into()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_generated_is_read_again() {
        // Some of them have `_` and `-` in the secret.
        for _ in 0..100 {
            let made = RobotSecret::generate().expect("random bytes");
            let text = made.text();
            assert_eq!(text.expose_secret().len(), 6 + 16 + 1 + 43);
            let read = RobotSecret::parse(text.expose_secret()).expect("a token");
            assert_eq!(read.id(), made.id());
            assert_eq!(read.secret().expose_secret(), made.secret().expose_secret());
        }
    }

    #[test]
    fn no_two_are_alike() {
        let first = RobotSecret::generate().expect("random bytes");
        let second = RobotSecret::generate().expect("random bytes");
        assert_ne!(first.id(), second.id());
        assert_ne!(
            first.secret().expose_secret(),
            second.secret().expose_secret()
        );
    }

    #[test]
    fn debug_hides_the_secret() {
        let made = RobotSecret::generate().expect("random bytes");
        assert!(!format!("{made:?}").contains(made.secret().expose_secret()));
    }

    #[test]
    fn what_is_almost_one_is_none() {
        let secret = "A".repeat(43);
        let whole = format!("berth_0123456789abcdef_{secret}");
        assert!(RobotSecret::parse(&whole).is_some());
        let wrong = [
            String::new(),
            "berth_".to_owned(),
            "berth__".to_owned(),
            format!("Berth_0123456789abcdef_{secret}"),
            format!("berth_0123456789ABCDEF_{secret}"),
            format!("berth_0123456789abcde_{secret}"),
            format!("berth_0123456789abcdef0_{secret}"),
            format!("berth_0123456789abcdeg_{secret}"),
            format!("{whole}A"),
            format!("{whole}="),
            format!(" {whole}"),
            format!("{whole}\n"),
            whole[..whole.len() - 1].to_owned(),
            // The last character carries two bits that belong to no byte.
            format!("{}B", &whole[..whole.len() - 1]),
        ];
        for text in wrong {
            assert!(RobotSecret::parse(&text).is_none(), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "(berth_)?\\PC{0,20}_?\\PC{0,50}") {
            if let Some(read) = RobotSecret::parse(&text) {
                let whole = read.text();
                prop_assert_eq!(whole.expose_secret(), text);
            }
        }
    }
}
