use std::fmt;

use serde::Serialize;

/// Text that a client may have chosen: a name, an id, what it says it is. Bytes that are not UTF-8 become `U+FFFD`, and
/// what is longer than [`Text::LONGEST`] is cut, and ends in `…`.
#[derive(Clone, PartialEq, Eq, Hash, Serialize)]
#[serde(transparent)]
pub struct Text(Box<str>);

impl Text {
    /// How many bytes a text may have before it is cut.
    pub const LONGEST: usize = 256;

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        match text.len() {
            0..=Self::LONGEST => Self(text.into()),
            _ => {
                let end = text.floor_char_boundary(Self::LONGEST);
                Self(format!("{}…", &text[..end]).into())
            }
        }
    }
}

impl From<&[u8]> for Text {
    fn from(bytes: &[u8]) -> Self {
        // A character has at most four bytes: what is beyond is cut either way.
        let first = &bytes[..bytes.len().min(Self::LONGEST + 4)];
        Self::from(&*String::from_utf8_lossy(first))
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self::from(text.as_str())
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_utf_8_is_replaced() {
        assert_eq!(Text::from(&b"a\xffb"[..]).as_str(), "a\u{fffd}b");
        assert_eq!(Text::from(&b""[..]).as_str(), "");
    }

    #[test]
    fn what_is_too_long_is_cut_between_characters() {
        let fits = "x".repeat(Text::LONGEST);
        assert_eq!(Text::from(fits.as_str()).as_str(), fits);
        assert_eq!(Text::from(fits.as_bytes()).as_str(), fits);
        let longer = format!("{fits}x");
        assert_eq!(Text::from(longer.as_str()).as_str(), format!("{fits}…"));
        assert_eq!(Text::from(longer.as_bytes()).as_str(), format!("{fits}…"));
        let wide = "€".repeat(Text::LONGEST);
        let cut = Text::from(wide.as_bytes());
        assert_eq!(cut, Text::from(wide.as_str()));
        assert_eq!(cut.as_str(), format!("{}…", "€".repeat(Text::LONGEST / 3)));
        let many = vec![0xff; 1 << 20];
        assert!(Text::from(&many[..]).as_str().len() <= Text::LONGEST + "…".len());
    }
}
