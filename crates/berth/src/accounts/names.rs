//! Which names users, groups and robots may have.

/// The longest name, in bytes.
const LONGEST: usize = 128;

/// What has a meaning of its own where names are written: `:` ends a user's name before a password, and the rest make globs.
const RESERVED_CHARACTERS: [char; 8] = [':', '*', '?', '[', ']', '{', '}', '\\'];

/// Rules mean everybody by these two; and whoever has the token of an OpenID provider logs in with the third.
const RESERVED_NAMES: [&str; 3] = ["anonymous", "authenticated", "oidc"];

/// Checks the name of a new user.
pub(crate) fn user_name(text: &str) -> Result<String, String> {
    if RESERVED_NAMES.contains(&text) {
        return Err(format!(
            "{text} has a meaning of its own; choose another name"
        ));
    }
    name(text)
}

/// Checks the name of a group.
pub(crate) fn group_name(text: &str) -> Result<String, String> {
    name(text)
}

/// Checks the name of a new token: one that looks like an id could be taken for one.
pub(crate) fn token_name(text: &str) -> Result<String, String> {
    let is_hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    if text.len() == 16 && text.bytes().all(is_hex) {
        return Err("16 hex digits are an id; choose another name".to_owned());
    }
    name(text)
}

fn name(text: &str) -> Result<String, String> {
    if text.is_empty() {
        return Err("a name cannot be empty".to_owned());
    }
    if text.len() > LONGEST {
        return Err(format!("a name has at most {LONGEST} bytes"));
    }
    if text.chars().any(char::is_control) {
        return Err("a name has no control characters".to_owned());
    }
    if text.starts_with(char::is_whitespace) || text.ends_with(char::is_whitespace) {
        return Err("a name does not begin or end with a space".to_owned());
    }
    match text.chars().find(|one| RESERVED_CHARACTERS.contains(one)) {
        Some(reserved) => Err(format!("a name has no {reserved}")),
        None => Ok(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_are_used_are_taken() {
        let longest = "a".repeat(LONGEST);
        for text in [
            "alice",
            "a.b+c@example.com",
            "CI builder",
            "jürgen",
            "a/b",
            &longest,
        ] {
            for check in [user_name, group_name, token_name] {
                assert_eq!(check(text).as_deref(), Ok(text));
            }
        }
    }

    #[test]
    fn names_that_would_be_misread_are_refused() {
        let too_long = "ä".repeat(LONGEST / 2 + 1);
        let wrong = [
            "",
            " alice",
            "alice ",
            "\u{a0}alice",
            "a:b",
            "a\nb",
            "a\0",
            "\u{7f}",
            "\u{85}",
            "al*ce",
            "al?ce",
            "[a]",
            "{a,b}",
            "a\\b",
            &too_long,
        ];
        for text in wrong {
            for check in [user_name, group_name, token_name] {
                assert!(check(text).is_err(), "{text:?}");
            }
        }
        assert!(user_name("a:b").unwrap_err().contains("no :"));
    }

    #[test]
    fn names_that_mean_something_else_are_refused() {
        for name in RESERVED_NAMES {
            assert!(user_name(name).unwrap_err().contains(name));
        }
        assert!(token_name("0123456789abcdef").unwrap_err().contains("id"));
        assert!(token_name("0123456789abcdeF").is_ok());
        assert!(token_name("0123456789abcde").is_ok());
    }
}
