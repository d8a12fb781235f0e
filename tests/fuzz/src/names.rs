use std::fmt::{Debug, Display};
use std::str::FromStr;

use berth_spec::{Algorithm, Digest, Hasher, MediaType, Reference, RepositoryName, SessionId, Tag};
use serde_json::Value;

use crate::grammar;

/// Texts become names, tags, digests, media types and session ids exactly as the grammars say, and
/// become the same texts again.
pub fn names(input: &[u8]) {
    hash_states(input);
    let Ok(text) = str::from_utf8(input) else {
        return;
    };
    reads::<RepositoryName>(text, grammar::is_repository_name(text));
    reads::<Tag>(text, grammar::is_tag(text));
    reads::<MediaType>(text, grammar::is_media_type(text));
    reads::<SessionId>(text, grammar::is_session_id(text));
    reads::<Algorithm>(text, matches!(text, "sha256" | "sha512"));
    let reference = reads::<Reference>(text, grammar::is_tag(text) || grammar::is_digest(text));
    if let Some(reference) = reference {
        let is_digest = matches!(reference, Reference::Digest(_));
        assert_eq!(is_digest, grammar::is_digest(text));
    }
    if let Some(digest) = reads::<Digest>(text, grammar::is_digest(text)) {
        is_a_safe_file_name(&digest);
    }
    if let Ok(name) = text.parse::<RepositoryName>() {
        assert_eq!(name.components().collect::<Vec<_>>().join("/"), text);
    }
    same_in_json(text);
    content_type(text);
}

/// Reads a text, which must succeed exactly if the grammar takes it.
fn reads<T>(text: &str, is_valid: bool) -> Option<T>
where
    T: FromStr<Err: Display> + Display + Debug + PartialEq,
{
    match text.parse::<T>() {
        Ok(value) => {
            assert!(is_valid, "{text:?} was taken as {value:?}");
            assert_eq!(value.to_string(), text);
            assert_eq!(text.parse::<T>().ok().as_ref(), Some(&value));
            Some(value)
        }
        Err(error) => {
            assert!(!is_valid, "{text:?} was refused: {error}");
            assert!(!error.to_string().is_empty());
            None
        }
    }
}

fn is_a_safe_file_name(digest: &Digest) {
    let name = digest.as_str();
    assert!(!name.starts_with('.') && name.len() <= 255);
    assert!(!name.contains(|one: char| one == '/' || one == '\\' || !one.is_ascii_graphic()));
    assert_eq!(name, format!("{}:{}", digest.algorithm(), digest.hex()));
    assert_eq!(digest.hex().len(), digest.algorithm().hex_length());
}

/// JSON is read by the same rules.
fn same_in_json(text: &str) {
    let json = Value::from(text);
    let read: Option<Digest> = serde_json::from_value(json.clone()).ok();
    assert_eq!(read, text.parse().ok());
    let read: Option<Tag> = serde_json::from_value(json.clone()).ok();
    assert_eq!(read, text.parse().ok());
    let read: Option<RepositoryName> = serde_json::from_value(json.clone()).ok();
    assert_eq!(read, text.parse().ok());
    let read: Option<MediaType> = serde_json::from_value(json).ok();
    assert_eq!(read, text.parse().ok());
}

/// What stands before the parameters is the media type.
fn content_type(text: &str) {
    let read = MediaType::from_content_type(text);
    let end = text.find(';').unwrap_or(text.len());
    let essence = text[..end].trim();
    assert_eq!(read.is_ok(), grammar::is_media_type(essence), "{text:?}");
    if let Ok(media_type) = read {
        assert_eq!(media_type.as_str(), essence);
        assert!(media_type.is(&essence.to_ascii_uppercase()));
    }
}

/// Bytes that are read as the state of a hash are its state.
fn hash_states(bytes: &[u8]) {
    for algorithm in Algorithm::ALL {
        if let Ok(hasher) = Hasher::from_state(algorithm, bytes) {
            assert_eq!(hasher.algorithm(), algorithm);
            assert_eq!(hasher.state(), bytes);
        }
    }
}
