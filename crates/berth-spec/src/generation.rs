use std::fmt;
use std::str::FromStr;

use uuid::Uuid;

/// Which writing of a blob's bytes is meant, where each has a name of its own: a random UUID, as 32 lower-case
/// hexadecimal characters. Nobody ever makes the same one again, so whoever removes a generation
/// removes nothing that was written later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Generation(Uuid);

/// The text is not a generation.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("generation {0:?} is not of 32 lower-case hexadecimal characters")]
pub struct GenerationError(pub String);

impl Generation {
    /// A new one that was never there before.
    pub fn random() -> Self {
        Self(Uuid::new_v4())
    }
}

impl FromStr for Generation {
    type Err = GenerationError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // Uuid also takes hyphens, braces and upper case: one generation has one text here.
        let parsed = Uuid::try_parse(text).ok();
        parsed
            .filter(|uuid| uuid.simple().to_string() == text)
            .map(Self)
            .ok_or_else(|| GenerationError(text.to_owned()))
    }
}

impl fmt::Display for Generation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.simple().fmt(formatter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_generation_has_one_text() {
        let generation = Generation::random();
        let text = generation.to_string();
        assert_eq!(text.len(), 32);
        assert_eq!(text.parse(), Ok(generation));
        assert_ne!(generation, Generation::random());
        let fixed = "0123456789abcdef0123456789abcdef";
        assert!(fixed.parse::<Generation>().is_ok());
        for other in [
            "",
            "0123456789ABCDEF0123456789ABCDEF",
            "01234567-89ab-cdef-0123-456789abcdef",
            "{0123456789abcdef0123456789abcdef}",
            &fixed[1..],
        ] {
            let refused = other.parse::<Generation>();
            assert_eq!(refused, Err(GenerationError(other.to_owned())));
        }
    }
}
