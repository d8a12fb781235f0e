//! Which names users, groups and robots may have.

/// The longest name that is given to somebody, in bytes.
const LONGEST: usize = 128;

/// The longest name that a request may bring, in bytes: what is longer is nobody's.
pub(crate) const LONGEST_PRESENTED: usize = 255;

/// What has a meaning of its own where names are written: `:` ends a user's name before a password, and the rest make
/// globs.
const RESERVED_CHARACTERS: [char; 8] = [':', '*', '?', '[', ']', '{', '}', '\\'];

/// Rules mean everybody by these two; and whoever has the token of an OpenID Connect issuer logs in with the third.
const RESERVED_NAMES: [&str; 3] = ["anonymous", "authenticated", "oidc"];

/// A name that nobody can have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// It is empty.
    #[error("a name cannot be empty")]
    Empty,
    /// It has more than 128 bytes.
    #[error("a name has at most {LONGEST} bytes")]
    Long,
    /// It has characters that cannot be seen.
    #[error("a name has no control characters")]
    Control,
    /// It begins or ends with white space.
    #[error("a name does not begin or end with a space")]
    Space,
    /// It has a character that means something where names are written.
    #[error("a name has no {0}")]
    Character(char),
    /// It means something else as a whole.
    #[error("{0} has a meaning of its own; choose another name")]
    Reserved(String),
    /// A robot's name could be taken for its id.
    #[error("16 hex digits are an id; choose another name")]
    Id,
}

/// Checks the name of a user with a password.
///
/// ```
/// use berth_auth::check_user_name;
///
/// assert!(check_user_name("alice").is_ok());
/// // In rules it means everybody with a name.
/// assert!(check_user_name("authenticated").is_err());
/// ```
///
/// # Errors
/// When it is empty, longer than 128 bytes, has control characters, one of `:*?[]{}\` or white space at an end, or is
/// `anonymous`, `authenticated` or `oidc`.
pub fn check_user_name(name: &str) -> Result<(), NameError> {
    match RESERVED_NAMES.contains(&name) {
        true => Err(NameError::Reserved(name.to_owned())),
        false => check(name),
    }
}

/// Checks the name of a group.
///
/// # Errors
/// As for [`check_user_name`], but that no name is reserved.
pub fn check_group_name(name: &str) -> Result<(), NameError> {
    check(name)
}

/// Checks the name of a robot.
///
/// # Errors
/// As for [`check_group_name`], and when it looks like the id of one.
pub fn check_robot_name(name: &str) -> Result<(), NameError> {
    let is_hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    match name.len() == 16 && name.bytes().all(is_hex) {
        true => Err(NameError::Id),
        false => check(name),
    }
}

fn check(name: &str) -> Result<(), NameError> {
    if name.is_empty() {
        return Err(NameError::Empty);
    }
    if name.len() > LONGEST {
        return Err(NameError::Long);
    }
    if name.contains(char::is_control) {
        return Err(NameError::Control);
    }
    if name.trim() != name {
        return Err(NameError::Space);
    }
    match name.chars().find(|one| RESERVED_CHARACTERS.contains(one)) {
        Some(reserved) => Err(NameError::Character(reserved)),
        None => Ok(()),
    }
}

/// Whether a name that a request brings can be anybody's.
pub(crate) fn is_presentable(name: &str) -> bool {
    !name.is_empty() && name.len() <= LONGEST_PRESENTED && !name.contains(char::is_control)
}

/// What of a name that a request brings is worth to be told, or counted.
pub(crate) fn shortened(mut name: String) -> String {
    name.truncate(name.floor_char_boundary(LONGEST_PRESENTED));
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_are_used_are_good() {
        let longest = "a".repeat(LONGEST);
        for name in [
            "alice",
            "a.b+c@example.com",
            "CI builder",
            "jürgen",
            "a/b",
            &longest,
        ] {
            for check in [check_user_name, check_group_name, check_robot_name] {
                assert_eq!(check(name), Ok(()), "{name}");
            }
        }
    }

    #[test]
    fn names_that_would_be_misread_are_refused() {
        let too_long = "ä".repeat(LONGEST / 2 + 1);
        let wrong = [
            ("", NameError::Empty),
            (too_long.as_str(), NameError::Long),
            (" alice", NameError::Space),
            ("alice ", NameError::Space),
            ("\u{a0}alice", NameError::Space),
            ("a\nb", NameError::Control),
            ("a\0", NameError::Control),
            ("\u{85}", NameError::Control),
            ("a:b", NameError::Character(':')),
            ("al*ce", NameError::Character('*')),
            ("al?ce", NameError::Character('?')),
            ("[a]", NameError::Character('[')),
            ("{a,b}", NameError::Character('{')),
            ("a\\b", NameError::Character('\\')),
        ];
        for (name, error) in wrong {
            for check in [check_user_name, check_group_name, check_robot_name] {
                assert_eq!(check(name).as_ref(), Err(&error), "{name:?}");
            }
        }
    }

    #[test]
    fn names_that_mean_something_else_are_refused() {
        for name in RESERVED_NAMES {
            assert!(check_user_name(name).is_err());
            assert!(check_group_name(name).is_ok());
        }
        assert_eq!(check_robot_name("0123456789abcdef"), Err(NameError::Id));
        assert!(check_robot_name("0123456789abcdeF").is_ok());
    }

    #[test]
    fn a_name_is_shortened_between_characters() {
        assert_eq!(shortened("alice".to_owned()), "alice");
        let shorter = shortened("ä".repeat(200));
        assert_eq!(shorter, "ä".repeat(LONGEST_PRESENTED / 2));
    }
}
