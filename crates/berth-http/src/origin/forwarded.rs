//! What proxies write into the head of a request.

use std::net::{IpAddr, SocketAddr};

use http::header::FORWARDED;
use http::{HeaderMap, HeaderName};

use super::{ForwardedHeader, Scheme, authority};

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

/// What one proxy tells of the request that it got.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Hop {
    /// Who sent it.
    pub(super) from: Option<IpAddr>,
    pub(super) scheme: Option<Scheme>,
    pub(super) host: Option<String>,
}

/// What all of them tell in these headers; the nearest proxy is the last.
pub(super) fn hops(header: ForwardedHeader, headers: &HeaderMap) -> Vec<Hop> {
    match header {
        ForwardedHeader::XForwarded => of_lists(headers),
        ForwardedHeader::Forwarded => of_elements(headers),
    }
}

/// `Forwarded`. If a line cannot be read, nothing counts: a client might have made it so.
fn of_elements(headers: &HeaderMap) -> Vec<Hop> {
    let values = headers.get_all(FORWARDED).iter();
    let elements = values.map(|value| elements(value.to_str().ok()?));
    let hops: Option<Vec<Vec<Hop>>> = elements.collect();
    hops.unwrap_or_default().concat()
}

/// `X-Forwarded-*`, where each is a list of its own. Proxies add to the address; the scheme and the host
/// they replace, or add to as well: the last is the one that the nearest proxy wrote.
fn of_lists(headers: &HeaderMap) -> Vec<Hop> {
    let mut hops: Vec<Hop> = list(headers, &FORWARDED_FOR)
        .map(|text| Hop {
            from: text.and_then(address),
            ..Hop::default()
        })
        .collect();
    if hops.is_empty() {
        hops.push(Hop::default());
    }
    if let Some(nearest) = hops.last_mut() {
        nearest.scheme = last(headers, &FORWARDED_PROTO).and_then(Scheme::of);
        nearest.host = last(headers, &FORWARDED_HOST).and_then(authority::checked);
    }
    hops
}

/// What stands between the commas of a header; `None` for what is not text.
fn list<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = Option<&'a str>> {
    let values = headers.get_all(name).iter();
    let parts = values.flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
    parts.map(|part| str::from_utf8(part).ok().map(str::trim))
}

fn last<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    list(headers, name).last().flatten()
}

/// An IP address, and maybe a port, as the various proxies write it.
fn address(text: &str) -> Option<IpAddr> {
    let bare = text
        .strip_prefix('[')
        .and_then(|text| text.strip_suffix(']'));
    let address = bare.unwrap_or(text).parse::<IpAddr>();
    let address = address.or_else(|_| text.parse::<SocketAddr>().map(|socket| socket.ip()));
    address.ok().map(|address| address.to_canonical())
}

/// One line of `Forwarded` (RFC 7239, section 4); `None` if it is not of the form.
fn elements(text: &str) -> Option<Vec<Hop>> {
    let mut hops = Vec::new();
    let mut pairs = Vec::new();
    let mut rest = text;
    loop {
        let (pair, behind) = pair(rest)?;
        pairs.extend(pair);
        let separator = behind.chars().next();
        rest = behind.get(1..).unwrap_or_default();
        if separator == Some(';') {
            continue;
        }
        if !pairs.is_empty() {
            hops.push(hop(&pairs)?);
            pairs.clear();
        }
        match separator {
            None => return Some(hops),
            Some(',') => {}
            Some(_) => return None,
        }
    }
}

type Pair = (String, String);

/// One `name=value` at the beginning, or nothing, and what stands behind it and the space around it.
fn pair(text: &str) -> Option<(Option<Pair>, &str)> {
    let text = text.trim_start_matches([' ', '\t']);
    let end = text.find(|character| !is_token(character));
    let (name, rest) = text.split_at(end.unwrap_or(text.len()));
    if name.is_empty() {
        return Some((None, rest));
    }
    let (value, rest) = value(rest.strip_prefix('=')?)?;
    let rest = rest.trim_start_matches([' ', '\t']);
    Some((Some((name.to_ascii_lowercase(), value)), rest))
}

/// A value and what stands behind it. The form wants quotes around a port, which not all proxies know.
fn value(text: &str) -> Option<(String, &str)> {
    if let Some(quoted) = text.strip_prefix('"') {
        return unquoted(quoted);
    }
    let end = text.find([';', ',', ' ', '\t', '"']).unwrap_or(text.len());
    let (value, rest) = text.split_at(end);
    (!value.is_empty()).then(|| (value.to_owned(), rest))
}

/// What stands before the closing quote, and what behind it.
fn unquoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((index, character)) = characters.next() {
        match character {
            '"' => return Some((value, &text[index + 1..])),
            '\\' => value.push(characters.next()?.1),
            _ => value.push(character),
        }
    }
    None
}

fn is_token(character: char) -> bool {
    character.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(character)
}

/// What one proxy tells. Nothing may be told twice.
fn hop(pairs: &[Pair]) -> Option<Hop> {
    let names = || pairs.iter().map(|(name, _)| name);
    let is_twice = |name| names().filter(|other| *other == name).count() > 1;
    if names().any(is_twice) {
        return None;
    }
    let told = |wanted: &str| {
        let mut pairs = pairs.iter();
        pairs.find_map(|(name, value)| (name == wanted).then_some(value.as_str()))
    };
    Some(Hop {
        from: told("for").and_then(address),
        scheme: told("proto").and_then(Scheme::of),
        host: told("host").and_then(authority::checked),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hop(from: &str, scheme: &str, host: &str) -> Hop {
        Hop {
            from: from.parse().ok(),
            scheme: Scheme::of(scheme),
            host: authority::checked(host),
        }
    }

    #[test]
    fn elements_are_read_as_the_standard_shows_them() {
        for (text, hops) in [
            ("", vec![]),
            ("for=192.0.2.43", vec![hop("192.0.2.43", "", "")]),
            (
                "For=\"[2001:db8:cafe::17]:4711\"",
                vec![hop("2001:db8:cafe::17", "", "")],
            ),
            (
                "for=192.0.2.60;proto=http;by=203.0.113.43",
                vec![hop("192.0.2.60", "http", "")],
            ),
            (
                "for=192.0.2.43, for=198.51.100.17;HOST=example.com:8080 ; proto=HTTPS",
                vec![
                    hop("192.0.2.43", "", ""),
                    hop("198.51.100.17", "https", "example.com:8080"),
                ],
            ),
            (
                "for=\"_gazonk\", for=unknown;host=\"example\\.com\",,",
                vec![hop("", "", ""), hop("", "", "example.com")],
            ),
            ("for=192.0.2.43:47011", vec![hop("192.0.2.43", "", "")]),
            ("for=\"::ffff:10.0.0.1\"", vec![hop("10.0.0.1", "", "")]),
            (
                "for=192.0.2.43;ext=\"a,b;c\\\"d\"",
                vec![hop("192.0.2.43", "", "")],
            ),
        ] {
            assert_eq!(elements(text), Some(hops), "{text:?}");
        }
    }

    #[test]
    fn a_line_that_is_not_of_the_form_tells_nothing() {
        for text in [
            "for",
            "for=",
            "=192.0.2.43",
            "for =192.0.2.43",
            "for=\"192.0.2.43",
            "for=\"192.0.2.43\\",
            "for=\"a\"b",
            "for=a\"b\"",
            "for=192.0.2.43 proto=http",
            "for=192.0.2.43;for=192.0.2.44",
            "for=192.0.2.43;FOR=192.0.2.43",
            "192.0.2.43",
            "for=192.0.2.43, (",
        ] {
            assert_eq!(elements(text), None, "{text:?}");
        }
    }
}
