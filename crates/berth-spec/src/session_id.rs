use std::fmt;
use std::str::FromStr;

use uuid::Uuid;

/// The id of an upload session: a random UUID, unique across servers and restarts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SessionId(Uuid);

/// The text is not the id of an upload session.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("upload session id {0:?} is not a UUID; use the Location that the registry answered")]
pub struct SessionIdError(pub String);

impl SessionId {
    /// A new id that nobody can guess.
    pub fn random() -> Self {
        Self(Uuid::new_v4())
    }
}

impl FromStr for SessionId {
    type Err = SessionIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // Uuid also takes braces, URNs and forms without hyphens: one id has one text here.
        let parsed = Uuid::try_parse(text).ok();
        parsed
            .filter(|uuid| uuid.hyphenated().to_string() == text)
            .map(Self)
            .ok_or_else(|| SessionIdError(text.to_owned()))
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(formatter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_id_has_one_text() {
        let id = SessionId::random();
        assert_eq!(id.to_string().parse(), Ok(id));
        assert!(
            id.to_string().to_uppercase().parse::<SessionId>().is_err()
                || id.to_string().chars().all(|c| !c.is_ascii_lowercase())
        );
        assert!(
            id.to_string()
                .replace('-', "")
                .parse::<SessionId>()
                .is_err()
        );
        assert!(format!("{{{id}}}").parse::<SessionId>().is_err());
        assert!("".parse::<SessionId>().is_err());
    }
}
