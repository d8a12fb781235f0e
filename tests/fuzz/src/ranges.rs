use std::ops::Range;

use berth_http::headers::{Wanted, chunk, wanted};

/// The value of a `Range` or `Content-Range` header: what is read lies within the content, and is
/// what RFC 9110 says of the numbers, however large.
pub fn ranges(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    content_range(&text);
    for size in sizes(&text) {
        range(&text, size);
    }
}

/// Sizes at the ends of the type, and around each number of the text.
fn sizes(text: &str) -> Vec<u64> {
    let numbers = text
        .split(|one: char| !one.is_ascii_digit())
        .filter_map(|digits| digits.parse::<u64>().ok())
        .take(4);
    numbers
        .flat_map(|number| {
            [
                number.saturating_sub(1),
                number,
                number.saturating_add(1),
                number.saturating_add(2),
            ]
        })
        .chain([0, 1, 10, u64::MAX - 1, u64::MAX])
        .collect()
}

fn range(text: &str, size: u64) {
    let read = wanted(text, size);
    if let Wanted::Part(part) = &read {
        assert!(part.start < part.end && part.end <= size, "{text:?}");
    }
    if let Some(expected) = expected(text, size) {
        assert_eq!(read, expected, "{text:?} of {size}");
        return;
    }
    // White space may be overlooked, and nothing else.
    let bare: String = text.split_whitespace().collect();
    let is_ignored = read == Wanted::Whole;
    assert!(
        is_ignored || expected(&bare, size) == Some(read),
        "{text:?} of {size}"
    );
}

/// What is wanted of so many bytes, if the text is one valid range: section 14.1.2.
fn expected(text: &str, size: u64) -> Option<Wanted> {
    let (first, last) = text.strip_prefix("bytes=")?.split_once('-')?;
    let size = u128::from(size);
    let (start, end) = match (first, last) {
        ("", length) => (size.saturating_sub(number(length)?), size),
        (first, "") => (number(first)?, size),
        (first, last) => (number(first)?, number(last)?.saturating_add(1).min(size)),
    };
    if start >= end {
        return Some(Wanted::Unsatisfiable);
    }
    let part = u64::try_from(start).unwrap()..u64::try_from(end).unwrap();
    Some(Wanted::Part(part))
}

fn content_range(text: &str) {
    let read = chunk(text);
    if let Some(range) = &read {
        assert!(range.start < range.end, "{text:?}");
    }
    // White space may be overlooked around it and after the unit.
    let words: Vec<&str> = text.split_whitespace().collect();
    let bare = words.join(" ").replacen("= ", "=", 1);
    match sent(text) {
        Some(range) => assert_eq!(read, Some(range), "{text:?}"),
        None => assert!(read.is_none() || sent(&bare) == read, "{text:?}: {read:?}"),
    }
}

/// The bytes that a chunk says it has: `<first>-<last>`, or section 14.4 of RFC 9110, or something
/// between the two.
fn sent(text: &str) -> Option<Range<u64>> {
    let bare = text.strip_prefix("bytes ").or(text.strip_prefix("bytes="));
    let mut parts = bare.unwrap_or(text).splitn(2, '/');
    let (first, last) = parts.next()?.split_once('-')?;
    let (first, last) = (number(first)?, number(last)?);
    let is_within = match parts.next() {
        None | Some("*") => true,
        Some(size) => last < number(size)?,
    };
    // The offset after the last byte is a number too.
    let end = u64::try_from(last + 1).ok()?;
    let first = u64::try_from(first).ok()?;
    (is_within && first < end).then_some(first..end)
}

/// The value of one or more digits; beyond all that is compared with it, it counts as so much.
fn number(digits: &str) -> Option<u128> {
    const ENOUGH: u128 = u128::MAX / 100;
    if digits.is_empty() {
        return None;
    }
    digits.chars().try_fold(0_u128, |value, digit| {
        let digit = digit.is_ascii_digit().then_some(digit)?.to_digit(10)?;
        Some((value * 10 + u128::from(digit)).min(ENOUGH))
    })
}
