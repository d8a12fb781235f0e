//! Texts that PostgreSQL does not take: those with a NUL.

use std::borrow::Cow;

/// A text that names may come after, as one that PostgreSQL takes. No name has a NUL, and every other character is greater: so the same
/// names come after what is before it.
pub(crate) fn after(last: &str) -> &str {
    last.split('\0').next().unwrap_or_default()
}

/// Whether a row may have this text as its name.
pub(crate) fn may_be_stored(text: &str) -> bool {
    !text.contains('\0')
}

/// A type as it is kept for lists. No media type has a NUL (RFC 6838), so whatever has one is no type that anybody knows, and is
/// shown with U+FFFD in its place. The bytes of the manifest stay as they are.
pub(crate) fn artifact_type(text: &str) -> Cow<'_, str> {
    match may_be_stored(text) {
        true => text.into(),
        false => text.replace('\0', "\u{fffd}").into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_names_come_after_what_is_cut() {
        let names = ["a", "a\u{1}", "a-b", "a0", "ab", "b"];
        for last in ["a\0", "a\0z", "\0", "a-\0", "b\0b\0"] {
            let those = |after: &str| names.map(|name| name > after);
            assert_eq!(those(last), those(after(last)), "{last:?}");
        }
    }

    #[test]
    fn only_what_cannot_be_kept_is_changed() {
        assert_eq!(artifact_type("a/b"), "a/b");
        assert_eq!(artifact_type("a\0b"), "a\u{fffd}b");
    }
}
