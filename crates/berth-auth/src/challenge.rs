use std::fmt::Write;

use crate::Access;

/// How clients are told to authenticate (RFC 9110, section 11.6.1). Basic credentials are accepted either way.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Challenge {
    /// With name and password in each request (RFC 7617).
    #[default]
    Basic,
    /// With a token for what they want to do, which they get from a token server first (RFC 6750, and the token
    /// authentication of Docker registries).
    Bearer {
        /// The URL of the token server. `None` for `/token` of the registry itself.
        realm: Option<String>,
        /// What the token server calls this registry.
        service: String,
    },
}

impl Challenge {
    /// The value of `WWW-Authenticate`.
    pub(crate) fn header(&self, base_url: &str, wanted: &[Access], error: Option<&str>) -> String {
        let (realm, service) = match self {
            Self::Basic => return r#"Basic realm="berth", charset="UTF-8""#.to_owned(),
            Self::Bearer { realm, service } => (realm, service),
        };
        let realm = match realm {
            Some(realm) => quoted(realm),
            None => quoted(&format!("{base_url}/token")),
        };
        let mut header = format!("Bearer realm={realm},service={}", quoted(service));
        let scopes: Vec<String> = wanted.iter().map(Access::to_string).collect();
        if !scopes.is_empty() {
            // Writing to a string cannot fail.
            let _ = write!(header, ",scope={}", quoted(&scopes.join(" ")));
        }
        if let Some(error) = error {
            let _ = write!(header, ",error={}", quoted(error));
        }
        header
    }
}

/// As a quoted string (RFC 9110, section 5.6.4). What cannot stand in a header is left out.
fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for character in text.chars().filter(|character| !character.is_control()) {
        if matches!(character, '"' | '\\') {
            quoted.push('\\');
        }
        quoted.push(character);
    }
    quoted.push('"');
    quoted
}
