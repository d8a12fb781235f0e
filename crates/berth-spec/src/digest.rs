use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{Algorithm, Hasher};

/// A content digest, `<algorithm>:<lower-case hex>`, of a supported [`Algorithm`] and with exactly
/// the length that the algorithm prescribes.
///
/// A digest is safe to use as a file name: it holds nothing but `[a-z0-9:]`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Digest {
    text: Box<str>,
    algorithm: Algorithm,
}

/// Why a text is not a digest that the registry can use.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DigestError {
    /// There is no colon between an algorithm and an encoded part.
    #[error("digest {0:?} is not of the form <algorithm>:<hex>")]
    NotADigest(String),
    /// The algorithm is not supported.
    #[error(transparent)]
    UnsupportedAlgorithm(#[from] crate::UnsupportedAlgorithm),
    /// The encoded part has another length, or another character than `[0-9a-f]`.
    #[error(
        "digest {text:?} needs exactly {length} lower-case hexadecimal characters after the colon"
    )]
    InvalidHex {
        /// The text that was given.
        text: String,
        /// How many characters the algorithm prescribes.
        length: usize,
    },
}

impl Digest {
    /// The SHA-256 digest of bytes that are already in memory. For streams, see [`Hasher`].
    pub fn sha256(content: &[u8]) -> Self {
        Self::of(Algorithm::Sha256, content)
    }

    /// The digest of bytes that are already in memory, by any supported algorithm.
    pub fn of(algorithm: Algorithm, content: &[u8]) -> Self {
        let mut hasher = Hasher::new(algorithm);
        hasher.update(content);
        hasher.finish()
    }

    /// The last one, in byte order, whose encoded part begins with this hexadecimal digit.
    pub(crate) fn greatest(algorithm: Algorithm, digit: u8) -> Self {
        let rest = "f".repeat(algorithm.hex_length() - 1);
        Self {
            text: format!("{algorithm}:{:x}{rest}", digit & 15).into(),
            algorithm,
        }
    }

    /// The whole digest, as it stands in manifests and URLs.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The algorithm that made this digest.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The part after the colon.
    pub fn hex(&self) -> &str {
        &self.text[self.algorithm.as_str().len() + 1..]
    }

    /// The SHA-256 digest of which these are the bytes.
    ///
    /// ```
    /// use berth_spec::Digest;
    ///
    /// let digest = Digest::sha256(b"content");
    /// let hash: [u8; 32] = digest.to_hash().try_into().unwrap_or_default();
    /// assert_eq!(Digest::from_sha256(hash), digest);
    /// ```
    pub fn from_sha256(hash: [u8; 32]) -> Self {
        Self::from_hash(Algorithm::Sha256, &hash)
    }

    /// The bytes that the encoded part stands for.
    pub fn to_hash(&self) -> Vec<u8> {
        // A digest has no other characters than hexadecimal digits, whose values fit.
        let value = |digit: u8| char::from(digit).to_digit(16).unwrap_or_default() as u8;
        let pairs = self.hex().as_bytes().chunks_exact(2);
        pairs
            .map(|pair| value(pair[0]) << 4 | value(pair[1]))
            .collect()
    }

    pub(crate) fn from_hash(algorithm: Algorithm, hash: &[u8]) -> Self {
        const HEX: &[u8; 16] = b"0123456789abcdef";
        let mut text = String::with_capacity(7 + hash.len() * 2);
        text.push_str(algorithm.as_str());
        text.push(':');
        for byte in hash {
            text.push(HEX[usize::from(byte >> 4)].into());
            text.push(HEX[usize::from(byte & 15)].into());
        }
        Self {
            text: text.into(),
            algorithm,
        }
    }
}

impl FromStr for Digest {
    type Err = DigestError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (algorithm, hex) = text
            .split_once(':')
            .filter(|(algorithm, _)| !algorithm.is_empty())
            .ok_or_else(|| DigestError::NotADigest(text.to_owned()))?;
        let algorithm: Algorithm = algorithm.parse()?;
        let is_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        if hex.len() != algorithm.hex_length() || !hex.bytes().all(is_hex) {
            return Err(DigestError::InvalidHex {
                text: text.to_owned(),
                length: algorithm.hex_length(),
            });
        }
        Ok(Self {
            text: text.into(),
            algorithm,
        })
    }
}

impl TryFrom<String> for Digest {
    type Error = DigestError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> Self {
        digest.text.into()
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Digest({})", self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn known_vectors() {
        assert_eq!(
            Digest::sha256(b"").as_str(),
            "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
        let sha512 = Digest::of(Algorithm::Sha512, b"abc");
        assert!(sha512.hex().starts_with("ddaf35a193617abacc417349ae204131"));
        assert_eq!(sha512.hex().len(), 128);
    }

    #[test]
    fn refuses_what_is_not_a_digest() {
        let hex = "a".repeat(64);
        for text in [
            "",
            ":",
            "sha256",
            "sha256:",
            "sha256:baddigeststring",
            &format!(":{hex}"),
            &format!("md5:{hex}"),
            &format!("SHA256:{hex}"),
            &format!("sha256:{}", hex.to_uppercase()),
            &format!("sha256:{hex}a"),
            &format!("sha512:{hex}"),
            &format!("sha256:{}", "é".repeat(32)),
        ] {
            assert!(text.parse::<Digest>().is_err(), "{text:?} was taken");
        }
    }

    proptest! {
        #[test]
        fn text_round_trips(content: Vec<u8>, long: bool) {
            let algorithm = if long { Algorithm::Sha512 } else { Algorithm::Sha256 };
            let digest = Digest::of(algorithm, &content);
            prop_assert_eq!(digest.to_string().parse::<Digest>(), Ok(digest));
        }

        #[test]
        fn any_text_parses_or_is_refused(text: String) {
            if let Ok(digest) = text.parse::<Digest>() {
                prop_assert_eq!(digest.as_str(), text);
            }
        }
    }
}
