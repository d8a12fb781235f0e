use std::ops::Range;

/// What a `Range` header asks of a representation of a known size (RFC 9110, section 14).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// All of it: there is no range, or none that this server understands, which is to be ignored.
    Whole,
    /// These bytes.
    Part(Range<u64>),
    /// Bytes that it does not have.
    Unsatisfiable,
}

/// Reads a `Range` header. Several ranges at once are ignored, as section 14.2 allows.
pub fn wanted(header: &str, size: u64) -> Wanted {
    let Some((start, end)) = header
        .trim()
        .strip_prefix("bytes=")
        .and_then(|range| range.split_once('-'))
    else {
        return Wanted::Whole;
    };
    let (start, end) = (start.trim(), end.trim());
    match (number(start), number(end)) {
        (Some(start), _) if end.is_empty() => part(start, size, size),
        (Some(start), Some(end)) => part(start, end.saturating_add(1), size),
        (None, Some(suffix)) if start.is_empty() => part(size.saturating_sub(suffix), size, size),
        _ => Wanted::Whole,
    }
}

fn part(start: u64, end: u64, size: u64) -> Wanted {
    let end = end.min(size);
    if start >= end {
        return Wanted::Unsatisfiable;
    }
    Wanted::Part(start..end)
}

/// Reads the `Content-Range` of a chunk (end-5): `<first>-<last>`, as the specification has it, or
/// `bytes <first>-<last>/<size>`, as RFC 9110 has it; also with only one of unit and size, and with
/// `=` after the unit. `None` if it is none of these, and if the size does not hold the range.
pub fn chunk(header: &str) -> Option<Range<u64>> {
    let header = header.trim();
    let range = match header.strip_prefix("bytes") {
        None => header,
        Some(rest) => rest.strip_prefix([' ', '='])?.trim_start(),
    };
    let (range, size) = range.split_once('/').unwrap_or((range, "*"));
    let (first, last) = range.split_once('-')?;
    let (first, last) = (number(first)?, number(last)?);
    let end = last.checked_add(1)?;
    let is_within = size == "*" || number(size)? >= end;
    (first < end && is_within).then_some(first..end)
}

/// Digits and nothing else; a number too large is the largest.
fn number(text: &str) -> Option<u64> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_of_ten_bytes() {
        for (header, expected) in [
            ("bytes=0-0", Wanted::Part(0..1)),
            ("bytes=2-5", Wanted::Part(2..6)),
            ("bytes=5-", Wanted::Part(5..10)),
            ("bytes=-3", Wanted::Part(7..10)),
            ("bytes=-30", Wanted::Part(0..10)),
            ("bytes=9-999999999999999999999999", Wanted::Part(9..10)),
            ("bytes=10-", Wanted::Unsatisfiable),
            ("bytes=10-20", Wanted::Unsatisfiable),
            ("bytes=5-0", Wanted::Unsatisfiable),
            ("bytes=-0", Wanted::Unsatisfiable),
            ("bytes=0-1,4-5", Wanted::Whole),
            ("bytes=-", Wanted::Whole),
            ("bytes=a-b", Wanted::Whole),
            ("bytes=--1", Wanted::Whole),
            ("bytes=+1-2", Wanted::Whole),
            ("lines=1-2", Wanted::Whole),
            ("", Wanted::Whole),
        ] {
            assert_eq!(wanted(header, 10), expected, "{header}");
        }
    }

    #[test]
    fn nothing_of_an_empty_blob_can_be_had() {
        for header in ["bytes=0-", "bytes=0-0", "bytes=-1"] {
            assert_eq!(wanted(header, 0), Wanted::Unsatisfiable, "{header}");
        }
    }

    #[test]
    fn ranges_of_chunks() {
        assert_eq!(chunk("0-9"), Some(0..10));
        assert_eq!(chunk("bytes 5-9/*"), Some(5..10));
        assert_eq!(chunk("bytes=5-9"), Some(5..10));
        assert_eq!(chunk("bytes 5-9/10"), Some(5..10));
        assert_eq!(chunk("5-9/99999999999999999999"), Some(5..10));
        for header in [
            "",
            "-",
            "5",
            "5-",
            "-5",
            "9-5",
            "a-b",
            "0-18446744073709551615",
            "0 - 9",
            "bytes5-9",
            "bytes 5-9/",
            "bytes 5-9/anything",
            "bytes 5-9/9",
            "5-9/10/11",
        ] {
            assert_eq!(chunk(header), None, "{header}");
        }
    }
}
