use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The hash of a password or of a robot's secret, on its way from the command that made it to whoever keeps it.
#[derive(Clone, Debug)]
pub(crate) struct Hash(pub(crate) SecretString);

impl Serialize for Hash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.expose_secret())
    }
}

impl<'de> Deserialize<'de> for Hash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Self(text.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_arrives_and_is_not_shown() {
        let sent = serde_json::to_string(&Hash("$argon2id$x".into())).unwrap();
        let arrived: Hash = serde_json::from_str(&sent).unwrap();
        assert_eq!(arrived.0.expose_secret(), "$argon2id$x");
        assert!(!format!("{arrived:?}").contains("argon2id"));
    }
}
