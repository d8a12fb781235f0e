use berth_registry::{Condition, Expected};
use berth_spec::Digest;
use http::{HeaderMap, HeaderName, header};

/// The entity tag of content with this digest: content of one digest never changes.
pub(crate) fn entity_tag(digest: &Digest) -> String {
    ["\"", digest.as_str(), "\""].concat()
}

/// Whether the client has this content already, and says so (`If-None-Match`, RFC 9110, section
/// 13.1.2).
pub fn is_not_modified(headers: &HeaderMap, digest: &Digest) -> bool {
    let condition = Condition {
        only_if: None,
        unless: expected(headers, header::IF_NONE_MATCH, digest_of_any),
    };
    !condition.holds(Some(digest))
}

/// Whether the client wants other content than this, and nothing if it is this (`If-Match`, RFC 9110,
/// section 13.1.1).
pub fn is_not_wanted(headers: &HeaderMap, digest: &Digest) -> bool {
    let condition = Condition {
        only_if: expected(headers, header::IF_MATCH, digest_of),
        unless: None,
    };
    !condition.holds(Some(digest))
}

/// What the client expects of a reference that it changes.
pub fn of_change(headers: &HeaderMap) -> Condition {
    Condition {
        only_if: expected(headers, header::IF_MATCH, digest_of),
        unless: expected(headers, header::IF_NONE_MATCH, digest_of_any),
    }
}

/// The entity tags that a header lists. Those that are no digest are nobody's.
fn expected(
    headers: &HeaderMap,
    name: HeaderName,
    digest_of: fn(&str) -> Option<Digest>,
) -> Option<Expected> {
    let mut values = headers.get_all(name).iter().peekable();
    values.peek()?;
    let mut digests = Vec::new();
    // Tags of others may have bytes that are no text.
    for value in values.map(|value| String::from_utf8_lossy(value.as_bytes())) {
        if value.trim() == "*" {
            return Some(Expected::Any);
        }
        digests.extend(value.split(',').filter_map(digest_of));
    }
    Some(Expected::OneOf(digests))
}

/// The inverse of [`entity_tag`]. A weak tag is none of this registry's.
fn digest_of(tag: &str) -> Option<Digest> {
    let text = tag.trim().strip_prefix('"')?.strip_suffix('"')?;
    text.parse().ok()
}

/// As [`digest_of`], where weak tags count too.
fn digest_of_any(tag: &str) -> Option<Digest> {
    let tag = tag.trim();
    digest_of(tag.strip_prefix("W/").unwrap_or(tag))
}

/// Whether a `Range` header counts: there is no `If-Range`, or it names this content (RFC 9110,
/// section 13.1.5). A date never does, since content has no date here.
pub fn range_counts(headers: &HeaderMap, digest: &Digest) -> bool {
    headers
        .get(header::IF_RANGE)
        .is_none_or(|value| value.as_bytes() == entity_tag(digest).as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn headers(name: header::HeaderName, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name, value.parse().unwrap())])
    }

    #[test]
    fn if_none_match_takes_lists_weak_tags_and_stars() {
        let digest = Digest::sha256(b"");
        let tag = entity_tag(&digest);
        for value in [tag.clone(), format!("\"a\", W/{tag}"), "*".to_owned()] {
            assert!(
                is_not_modified(&headers(header::IF_NONE_MATCH, &value), &digest),
                "{value}"
            );
        }
        assert!(!is_not_modified(
            &headers(header::IF_NONE_MATCH, "\"a\""),
            &digest
        ));
        assert!(!is_not_modified(&HeaderMap::new(), &digest));
    }

    #[test]
    fn other_tags_may_have_any_characters_that_tags_have() {
        let digest = Digest::sha256(b"");
        let starred = headers(header::IF_NONE_MATCH, "\"a,*,b\"");
        assert!(!is_not_modified(&starred, &digest));
        let value = [b"\"\xe9\", ", entity_tag(&digest).as_bytes()].concat();
        let value = HeaderValue::from_bytes(&value).unwrap();
        let with = |name| HeaderMap::from_iter([(name, value.clone())]);
        assert!(is_not_modified(&with(header::IF_NONE_MATCH), &digest));
        assert!(!is_not_wanted(&with(header::IF_MATCH), &digest));
        let change = of_change(&with(header::IF_NONE_MATCH));
        assert!(!change.holds(Some(&digest)));
    }

    #[test]
    fn what_is_expected_of_a_change_is_read_from_both_headers() {
        let digest = Digest::sha256(b"");
        let tag = entity_tag(&digest);
        let these = Some(Expected::OneOf(vec![digest.clone()]));
        for (value, expected) in [
            ("*".to_owned(), Some(Expected::Any)),
            (tag.clone(), these.clone()),
            (format!("\"other\", W/\"weak\", {tag}"), these.clone()),
            ("nonsense".to_owned(), Some(Expected::OneOf(Vec::new()))),
        ] {
            let condition = of_change(&headers(header::IF_MATCH, &value));
            assert_eq!(condition.only_if, expected, "{value}");
            let condition = of_change(&headers(header::IF_NONE_MATCH, &value));
            assert_eq!(condition.unless, expected, "{value}");
        }
        let weak = format!("W/{tag}");
        let condition = of_change(&headers(header::IF_NONE_MATCH, &weak));
        assert_eq!(condition.unless, these);
        let condition = of_change(&headers(header::IF_MATCH, &weak));
        assert_eq!(condition.only_if, Some(Expected::OneOf(Vec::new())));
        assert_eq!(of_change(&HeaderMap::new()), Condition::default());
        assert!(!is_not_wanted(&headers(header::IF_MATCH, &tag), &digest));
        assert!(is_not_wanted(&headers(header::IF_MATCH, "\"a\""), &digest));
    }

    #[test]
    fn if_range_needs_the_same_strong_tag() {
        let digest = Digest::sha256(b"");
        let tag = entity_tag(&digest);
        assert!(range_counts(&HeaderMap::new(), &digest));
        assert!(range_counts(&headers(header::IF_RANGE, &tag), &digest));
        for value in [
            format!("W/{tag}"),
            "\"a\"".to_owned(),
            "Tue, 24 Nov 2026 00:00:00 GMT".to_owned(),
        ] {
            assert!(
                !range_counts(&headers(header::IF_RANGE, &value), &digest),
                "{value}"
            );
        }
    }
}
