//! The grammars of the specifications, written once more and in another way than in berth-spec.

/// `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(\/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*`, and the limit of clients.
pub(crate) fn is_repository_name(text: &str) -> bool {
    #[derive(Clone, Copy, PartialEq)]
    enum After {
        Slash,
        Word,
        Dot,
        Line,
        TwoLines,
        Dash,
    }
    let mut state = After::Slash;
    for character in text.chars() {
        state = match (state, character) {
            (_, 'a'..='z' | '0'..='9') => After::Word,
            (After::Word, '/') => After::Slash,
            (After::Word, '.') => After::Dot,
            (After::Word, '_') => After::Line,
            (After::Line, '_') => After::TwoLines,
            (After::Word | After::Dash, '-') => After::Dash,
            _ => return false,
        };
    }
    state == After::Word && text.len() <= 255
}

/// `[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}`
pub(crate) fn is_tag(text: &str) -> bool {
    let mut rest = text.chars();
    let first = rest.next();
    matches!(first, Some('a'..='z' | 'A'..='Z' | '0'..='9' | '_'))
        && rest.all(|other| matches!(other, 'a'..='z' | 'A'..='Z' | '0'..='9' | '.' | '_' | '-'))
        && text.chars().count() <= 128
}

/// `sha256:[a-f0-9]{64}` or `sha512:[a-f0-9]{128}`
pub(crate) fn is_digest(text: &str) -> bool {
    let of = |start: &str, length| {
        let hex = text.strip_prefix(start);
        hex.is_some_and(|hex| hex.len() == length && hex.chars().all(is_hex))
    };
    of("sha256:", 64) || of("sha512:", 128)
}

/// A UUID in lower case with hyphens: `[a-f0-9]{8}(-[a-f0-9]{4}){3}-[a-f0-9]{12}`
pub(crate) fn is_session_id(text: &str) -> bool {
    let lengths = text.split('-').map(str::len);
    lengths.eq([8, 4, 4, 4, 12]) && text.chars().filter(|one| *one != '-').all(is_hex)
}

/// RFC 6838, section 4.2: `restricted-name "/" restricted-name`
pub(crate) fn is_media_type(text: &str) -> bool {
    let names: Vec<&str> = text.split('/').collect();
    names.len() == 2 && names.into_iter().all(is_restricted_name)
}

fn is_restricted_name(name: &str) -> bool {
    let in_name = |one: char| one.is_ascii_alphanumeric() || "!#$&-^_.+".contains(one);
    let first = name.chars().next();
    (1..=127).contains(&name.len())
        && first.is_some_and(|first| first.is_ascii_alphanumeric())
        && name.chars().all(in_name)
}

fn is_hex(character: char) -> bool {
    matches!(character, '0'..='9' | 'a'..='f')
}
