use std::fmt;

use argon2::password_hash::phc::PasswordHash;
use argon2::{Algorithm, Argon2, Params, PasswordVerifier};
use secrecy::{ExposeSecret, SecretString};

/// The highest cost of bcrypt that is computed: about a second of a processor.
const BCRYPT_COST: u32 = 14;

/// The most memory that argon2 may take, in KiB.
const ARGON2_MEMORY: u32 = 256 * 1024;

/// How much memory argon2 may go through in all its passes, in KiB: about a second of a processor.
const ARGON2_WORK: u64 = 1024 * 1024;

/// The hash of a password, of a kind that is strong enough, and that costs no more than can be borne.
#[derive(Clone)]
pub(crate) struct StoredHash {
    text: SecretString,
    kind: Kind,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Bcrypt {
        cost: u32,
    },
    Argon2 {
        memory: u32,
        passes: u32,
        lanes: u32,
    },
}

/// Why a hash is not used. It shows nothing of the hash.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum HashError {
    #[error("{0} is too weak for passwords")]
    Weak(&'static str),
    #[error("this hash takes too much time or memory: at most cost {BCRYPT_COST} of bcrypt, and {} MiB and {} MiB times passes of argon2 would do", ARGON2_MEMORY / 1024, ARGON2_WORK / 1024)]
    Costly,
    #[error("this is no hash of bcrypt or argon2 that can be read")]
    Unknown,
}

impl StoredHash {
    /// Reads bcrypt in the form of crypt (`$2y$…`, `$2a$…`, `$2b$…`), or argon2 as a PHC string (`$argon2id$…`).
    pub(crate) fn parse(text: &str) -> Result<Self, HashError> {
        let kind = match text.split('$').nth(1) {
            Some("2y" | "2a" | "2b") => bcrypt_kind(text)?,
            Some("argon2id" | "argon2i" | "argon2d") => argon2_kind(text)?,
            _ => return Err(weakness(text)),
        };
        Ok(Self {
            text: text.into(),
            kind,
        })
    }

    /// Takes as long to verify, and matches no password.
    pub(crate) fn of_nobody(&self) -> Self {
        // Nobody finds a password whose hash is zero.
        let text = match self.kind {
            Kind::Bcrypt { cost } => format!("$2b${cost:02}${}", ".".repeat(53)),
            Kind::Argon2 {
                memory,
                passes,
                lanes,
            } => format!(
                "$argon2id$v=19$m={memory},t={passes},p={lanes}${}${}",
                "A".repeat(22),
                "A".repeat(43)
            ),
        };
        Self {
            text: text.into(),
            kind: self.kind,
        }
    }

    /// One that matches no password, and takes as long to verify as a hash that [`crate::hash_password`] makes.
    pub(crate) fn of_nobody_here() -> Self {
        let kind = Kind::Argon2 {
            memory: Params::DEFAULT_M_COST,
            passes: Params::DEFAULT_T_COST,
            lanes: Params::DEFAULT_P_COST,
        };
        let text = SecretString::default();
        Self { text, kind }.of_nobody()
    }

    /// About how long it takes to verify, in a unit of its own.
    pub(crate) fn work(&self) -> u64 {
        match self.kind {
            // One step of bcrypt takes about as long as argon2 takes for 100 KiB.
            Kind::Bcrypt { cost } => 100 << cost,
            Kind::Argon2 { memory, passes, .. } => u64::from(memory) * u64::from(passes),
        }
    }

    /// Whether it is the hash of this password. Blocks for up to a second. Of a password for bcrypt the first 72 bytes count,
    /// as they do for all that makes such hashes.
    pub(crate) fn matches(
        &self,
        password: &SecretString,
    ) -> Result<bool, argon2::password_hash::Error> {
        let (text, password) = (self.text.expose_secret(), password.expose_secret());
        match self.kind {
            Kind::Bcrypt { .. } => Ok(bcrypt::verify(password, text).unwrap_or(false)),
            Kind::Argon2 { .. } => {
                match Argon2::default().verify_password(password.as_bytes(), text) {
                    Ok(()) => Ok(true),
                    Err(argon2::password_hash::Error::PasswordInvalid) => Ok(false),
                    Err(error) => Err(error),
                }
            }
        }
    }

    pub(crate) fn text(&self) -> &SecretString {
        &self.text
    }
}

impl fmt::Debug for StoredHash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.text.fmt(formatter)
    }
}

fn bcrypt_kind(text: &str) -> Result<Kind, HashError> {
    let parts: bcrypt::HashParts = text.parse().map_err(|_| HashError::Unknown)?;
    match parts.get_cost() {
        cost @ 4..=BCRYPT_COST => Ok(Kind::Bcrypt { cost }),
        cost if cost > BCRYPT_COST => Err(HashError::Costly),
        _ => Err(HashError::Unknown),
    }
}

fn argon2_kind(text: &str) -> Result<Kind, HashError> {
    let hash = PasswordHash::new(text).map_err(|_| HashError::Unknown)?;
    if hash.salt.is_none() || hash.hash.is_none() {
        return Err(HashError::Unknown);
    }
    Algorithm::try_from(hash.algorithm.as_str()).map_err(|_| HashError::Unknown)?;
    let params = Params::try_from(&hash).map_err(|_| HashError::Unknown)?;
    let kind = Kind::Argon2 {
        memory: params.m_cost(),
        passes: params.t_cost(),
        lanes: params.p_cost(),
    };
    let work = u64::from(params.m_cost()) * u64::from(params.t_cost());
    match params.m_cost() <= ARGON2_MEMORY && work <= ARGON2_WORK {
        true => Ok(kind),
        false => Err(HashError::Costly),
    }
}

fn weakness(text: &str) -> HashError {
    let by_prefix = [
        ("$apr1$", "MD5"),
        ("$1$", "MD5"),
        ("{SHA}", "SHA-1"),
        ("{SSHA}", "SHA-1"),
        ("$5$", "the hash crypt-SHA-256"),
        ("$6$", "the hash crypt-SHA-512"),
        ("$2x$", "bcrypt with the error of 2011"),
    ];
    let known = by_prefix
        .iter()
        .find(|(prefix, _)| text.starts_with(prefix));
    match known {
        Some((_, name)) => HashError::Weak(name),
        None if text.starts_with('$') => HashError::Unknown,
        None => HashError::Weak("crypt, or a password that is not hashed,"),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Of `secret`, by another implementation, libxcrypt.
    const BCRYPT: &str = "$2y$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW";

    fn argon2(memory: u32, passes: u32) -> String {
        format!(
            "$argon2id$v=19$m={memory},t={passes},p=1${}${}",
            "A".repeat(22),
            "A".repeat(43)
        )
    }

    #[test]
    fn a_hash_matches_its_password_alone() {
        let ours = crate::hash_password(&"secret".into()).expect("a hash");
        for text in [
            BCRYPT,
            &BCRYPT.replace("$2y$", "$2a$"),
            &BCRYPT.replace("$2y$", "$2b$"),
            ours.expose_secret(),
        ] {
            let hash = StoredHash::parse(text).expect("a hash");
            assert!(hash.matches(&"secret".into()).expect("memory"), "{text}");
            for wrong in ["", "Secret", "secret ", "secret\0"] {
                assert!(!hash.matches(&wrong.into()).expect("memory"), "{text}");
            }
        }
    }

    #[test]
    fn a_hash_of_the_reference_implementation_of_argon2_is_read() {
        let text =
            "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4";
        let hash = StoredHash::parse(text).expect("a hash");
        assert!(hash.matches(&"password".into()).expect("memory"));
        assert!(!hash.matches(&"Password".into()).expect("memory"));
    }

    #[test]
    fn a_hash_of_nobody_is_as_costly_and_matches_nothing() {
        let ours = crate::hash_password(&"secret".into()).expect("a hash");
        for text in [BCRYPT, ours.expose_secret(), &argon2(64, 3)] {
            let hash = StoredHash::parse(text).expect("a hash");
            let nobody = hash.of_nobody();
            let read = StoredHash::parse(nobody.text().expose_secret()).expect("a hash");
            assert!(read.kind == hash.kind);
            for password in ["", "secret"] {
                assert!(!nobody.matches(&password.into()).expect("memory"));
            }
        }
        let ours = StoredHash::parse(ours.expose_secret()).expect("a hash");
        assert!(StoredHash::of_nobody_here().kind == ours.kind);
    }

    #[test]
    fn what_takes_too_much_is_refused() {
        for text in [
            BCRYPT.replace("$04$", "$15$"),
            BCRYPT.replace("$04$", "$31$"),
            argon2(4 * 1024 * 1024, 1),
            argon2(ARGON2_MEMORY, 5),
            argon2(64, u32::MAX),
        ] {
            assert_eq!(
                StoredHash::parse(&text).err(),
                Some(HashError::Costly),
                "{text}"
            );
        }
        assert!(StoredHash::parse(&BCRYPT.replace("$04$", "$14$")).is_ok());
        assert!(StoredHash::parse(&argon2(ARGON2_MEMORY, 4)).is_ok());
    }

    #[test]
    fn what_is_weak_or_unknown_is_refused() {
        for (text, expected) in [
            ("$apr1$saltsalt$MhBYGGaoJKzFMoTOKAI3d/", Some("MD5")),
            ("$1$saltsalt$MhBYGGaoJKzFMoTOKAI3d/", Some("MD5")),
            ("{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=", Some("SHA-1")),
            ("$6$saltsalt$abc", Some("the hash crypt-SHA-512")),
            ("secret", Some("crypt, or a password that is not hashed,")),
            ("", Some("crypt, or a password that is not hashed,")),
            ("$y$j9T$abc$def", None),
            ("$2y$04$short", None),
            (
                "$2y$00$.....................................................",
                None,
            ),
            ("$argon2id$v=19$m=64,t=1,p=1", None),
            ("$argon2id$v=19$m=64,t=1,p=1$AAAAAAAAAAAAAAAAAAAAAA", None),
            (
                "$argon2id$v=19$m=64,t=0,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAA",
                None,
            ),
            ("$", None),
        ] {
            let expected = expected.map_or(HashError::Unknown, HashError::Weak);
            assert_eq!(StoredHash::parse(text).err(), Some(expected), "{text}");
        }
    }

    #[test]
    fn debug_hides_it() {
        let hash = StoredHash::parse(BCRYPT).expect("a hash");
        assert!(!format!("{hash:?}").contains("$2y$"));
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "(\\$(2y|argon2id|argon2d|\\PC{0,4})\\$)?\\PC{0,60}") {
            if let Ok(hash) = StoredHash::parse(&text) {
                prop_assert!(hash.work() <= ARGON2_WORK.max(100 << BCRYPT_COST));
            }
        }
    }
}
