use berth_http::headers::{is_not_modified, is_not_wanted, of_change, range_counts};
use berth_spec::Digest;
use http::{HeaderMap, HeaderName, HeaderValue, header};

use crate::entity_tags::{EntityTag, EntityTags};

/// Headers of a request, one `<name>: <value>` a line: valid conditions are understood as RFC 9110
/// (section 13.1) says, for content that is there and for none.
pub fn conditions(input: &[u8]) {
    let headers = headers(input);
    let here = Digest::sha256(b"");
    let not_modified = is_not_modified(&headers, &here);
    let not_wanted = is_not_wanted(&headers, &here);
    let change = of_change(&headers);
    if_range(&headers, &here);
    let Some((only_if, unless)) = expected(&headers, &here) else {
        // Not valid, so nobody can know what it means.
        return;
    };
    assert_eq!(not_modified, unless == Some(true), "{headers:?}");
    assert_eq!(not_wanted, only_if == Some(false), "{headers:?}");
    let is_to_happen = only_if != Some(false) && unless != Some(true);
    assert_eq!(change.holds(Some(&here)), is_to_happen, "{headers:?}");
    assert_eq!(change.holds(None), only_if.is_none(), "{headers:?}");
}

fn headers(input: &[u8]) -> HeaderMap {
    let line = |line: &[u8]| {
        let colon = line.iter().position(|byte| *byte == b':')?;
        let name = HeaderName::from_bytes(&line[..colon]).ok()?;
        let value = HeaderValue::from_bytes(line[colon + 1..].trim_ascii()).ok()?;
        Some((name, value))
    };
    let mut headers = HeaderMap::new();
    // More lines than a map of headers can hold say nothing new.
    for (name, value) in input.split(|byte| *byte == b'\n').filter_map(line).take(64) {
        headers.append(name, value);
    }
    headers
}

/// Whether `If-Match` and `If-None-Match` match, where they are; none if one of them is not valid.
fn expected(headers: &HeaderMap, here: &Digest) -> Option<(Option<bool>, Option<bool>)> {
    let is_here = |tag: &EntityTag| tag.opaque == here.as_str().as_bytes();
    let strong = |tag: &EntityTag| !tag.is_weak && is_here(tag);
    let only_if = matches(headers, header::IF_MATCH, strong)?;
    let unless = matches(headers, header::IF_NONE_MATCH, is_here)?;
    Some((only_if, unless))
}

fn matches(
    headers: &HeaderMap,
    name: HeaderName,
    is_match: impl Fn(&EntityTag) -> bool,
) -> Option<Option<bool>> {
    let values: Vec<&[u8]> = headers
        .get_all(name)
        .iter()
        .map(HeaderValue::as_bytes)
        .collect();
    if values.is_empty() {
        return Some(None);
    }
    Some(Some(match EntityTags::read(&values.join(&b", "[..]))? {
        EntityTags::Any => true,
        EntityTags::List(tags) => tags.iter().any(is_match),
    }))
}

/// `Range` counts only with the same strong tag: section 13.1.5.
fn if_range(headers: &HeaderMap, here: &Digest) {
    let Some(value) = headers.get(header::IF_RANGE) else {
        assert!(range_counts(headers, here));
        return;
    };
    let is_same = EntityTag::read(value.as_bytes()).is_some_and(|(tag, rest)| {
        rest.is_empty() && !tag.is_weak && tag.opaque == here.as_str().as_bytes()
    });
    assert_eq!(range_counts(headers, here), is_same, "{headers:?}");
}
