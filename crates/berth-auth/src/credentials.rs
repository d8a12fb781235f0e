use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use secrecy::SecretString;
use secrecy::zeroize::Zeroizing;

/// How long the header may be, in bytes. Tokens of OpenID Connect have some thousand.
const LONGEST: usize = 16 * 1024;

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// What a header `Authorization` says (RFC 9110, section 11.6.2).
#[derive(Debug)]
pub(crate) enum Credentials {
    /// RFC 7617.
    Basic {
        name: String,
        password: SecretString,
    },
    /// RFC 6750.
    Bearer(SecretString),
}

impl Credentials {
    /// Reads a header. `None` when it is of another scheme, or not as its scheme says.
    pub(crate) fn parse(header: &[u8]) -> Option<Self> {
        if header.len() > LONGEST {
            return None;
        }
        let (scheme, value) = std::str::from_utf8(header).ok()?.trim().split_once(' ')?;
        let value = value.trim_start();
        if scheme.eq_ignore_ascii_case("basic") {
            return basic(value);
        }
        (scheme.eq_ignore_ascii_case("bearer") && is_token(value))
            .then(|| Self::Bearer(value.into()))
    }
}

fn basic(value: &str) -> Option<Credentials> {
    let decoded = Zeroizing::new(BASE64.decode(value).ok()?);
    // The password may have a `:`, a name has none.
    let (name, password) = std::str::from_utf8(&decoded).ok()?.split_once(':')?;
    Some(Credentials::Basic {
        name: name.to_owned(),
        password: password.into(),
    })
}

/// Whether the text has the form `b64token` (RFC 6750, section 2.1).
fn is_token(text: &str) -> bool {
    let is_of_token = |byte: u8| {
        byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'+' | b'/')
    };
    let body = text.trim_end_matches('=');
    !body.is_empty() && body.bytes().all(is_of_token)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use secrecy::ExposeSecret;

    use super::*;

    fn shown(header: &[u8]) -> Option<String> {
        Some(match Credentials::parse(header)? {
            Credentials::Basic { name, password } => format!("{name}|{}", password.expose_secret()),
            Credentials::Bearer(token) => token.expose_secret().to_owned(),
        })
    }

    fn basic_header(pair: &[u8]) -> Vec<u8> {
        format!("Basic {}", BASE64.encode(pair)).into_bytes()
    }

    #[test]
    fn basic_is_split_at_the_first_colon() {
        for (pair, expected) in [
            ("alice:secret", "alice|secret"),
            ("alice:a:b", "alice|a:b"),
            (":secret", "|secret"),
            ("alice:", "alice|"),
            ("älice:pässword", "älice|pässword"),
        ] {
            assert_eq!(
                shown(&basic_header(pair.as_bytes())).as_deref(),
                Some(expected)
            );
        }
    }

    #[test]
    fn schemes_have_no_case_and_padding_may_be_missing() {
        assert_eq!(shown(b"bASIC YTpi").as_deref(), Some("a|b"));
        assert_eq!(shown(b"Basic   YTpiYw==").as_deref(), Some("a|bc"));
        assert_eq!(shown(b"Basic YTpiYw").as_deref(), Some("a|bc"));
        assert_eq!(shown(b"BEARER a.b-c_d").as_deref(), Some("a.b-c_d"));
    }

    #[test]
    fn whatever_else_is_refused() {
        for header in [
            &b""[..],
            b"Basic",
            b"Basic ",
            b"Bearer",
            b"Bearer ",
            b"Bearer =",
            b"Bearer a b",
            b"Bearer a\"b",
            b"Bearer a\0",
            b"Bearer \xff",
            b"Digest username=\"alice\"",
            b"Basic !!!!",
            // No colon in it.
            b"Basic YWxpY2U=",
            // 0xff, which is not UTF-8, and a colon.
            b"Basic /zo=",
        ] {
            assert!(Credentials::parse(header).is_none(), "{header:?}");
        }
        let long = format!("Bearer {}", "a".repeat(LONGEST));
        assert!(Credentials::parse(long.as_bytes()).is_none());
    }

    #[test]
    fn debug_hides_secrets() {
        for header in [basic_header(b"alice:secret"), b"Bearer secret".to_vec()] {
            let credentials = Credentials::parse(&header).expect("credentials");
            assert!(!format!("{credentials:?}").contains("secret"));
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
            for scheme in [&b""[..], b"Basic ", b"Bearer "] {
                let _ = Credentials::parse(&[scheme, bytes.as_slice()].concat());
            }
            let _ = Credentials::parse(&basic_header(&bytes));
        }

        #[test]
        fn basic_is_read_as_it_was_written(name in "[^:]{0,20}", password in ".{0,40}") {
            let header = basic_header(format!("{name}:{password}").as_bytes());
            prop_assert_eq!(shown(&header), Some(format!("{name}|{password}")));
        }
    }
}
