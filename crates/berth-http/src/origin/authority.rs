use std::net::Ipv6Addr;

use http::uri::Authority;

/// The longest name of a host that there is.
const LONGEST: usize = 253;

/// A host, and a port or none, if that is what the text is: no user, no characters beyond those of names and
/// addresses. So it can stand in a URL and in a header.
pub(super) fn checked(text: &str) -> Option<String> {
    let authority = Authority::try_from(text).ok()?;
    let host = authority.host();
    let again = match authority.port_u16() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    };
    (again == text && (is_name(host) || is_address(host))).then_some(again)
}

fn is_name(host: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    (1..=LONGEST).contains(&host.len()) && host.bytes().all(is_plain)
}

fn is_address(host: &str) -> bool {
    let inner = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'));
    inner.is_some_and(|address| address.parse::<Ipv6Addr>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_addresses_are_taken() {
        for text in [
            "registry.example.com",
            "registry.example.com:5000",
            "my_registry",
            "10.0.0.1",
            "10.0.0.1:443",
            "[2001:db8::1]",
            "[::1]:5000",
        ] {
            assert_eq!(checked(text).as_deref(), Some(text));
        }
    }

    #[test]
    fn what_could_be_anything_else_is_not() {
        let long = "a".repeat(254);
        for text in [
            "",
            ":5000",
            "host:",
            "host:port",
            "host:99999",
            "host:080",
            "user@host",
            "user:password@host",
            "host/path",
            "host?query",
            "host#fragment",
            "two hosts",
            "host,other",
            "host\r\nSet-Cookie: a=b",
            "host\nother",
            "host\t",
            " host",
            "h\u{f6}st",
            "<script>",
            "\"host\"",
            "host;other",
            "host%0d%0a",
            "$(host)",
            "[::1",
            "[host]",
            "::1",
            "http://host",
            &long,
        ] {
            assert_eq!(checked(text), None, "{text:?}");
        }
    }
}
