use berth_spec::Digest;
use http::{HeaderMap, header};

/// The entity tag of content with this digest: content of one digest never changes.
pub(crate) fn entity_tag(digest: &Digest) -> String {
    format!("\"{digest}\"")
}

/// Whether the client has this content already, and says so (`If-None-Match`, RFC 9110, section
/// 13.1.2).
pub(crate) fn is_not_modified(headers: &HeaderMap, digest: &Digest) -> bool {
    let tag = entity_tag(digest);
    let matches = |candidate: &str| {
        let candidate = candidate.trim();
        candidate == "*" || candidate.strip_prefix("W/").unwrap_or(candidate) == tag
    };
    headers
        .get_all(header::IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .any(|value| value.split(',').any(matches))
}

/// Whether a `Range` header counts: there is no `If-Range`, or it names this content (RFC 9110,
/// section 13.1.5). A date never does, since content has no date here.
pub(crate) fn range_counts(headers: &HeaderMap, digest: &Digest) -> bool {
    headers
        .get(header::IF_RANGE)
        .is_none_or(|value| value.as_bytes() == entity_tag(digest).as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

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
