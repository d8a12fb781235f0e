//! Who asks, and under which name this server was asked: from the connection, or from what proxies tell that
//! are trusted.

mod authority;
mod forwarded;
mod public_url;

use std::net::{IpAddr, SocketAddr};

use http::Uri;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, header};
use ipnet::IpNet;

use crate::connection::Connection;
pub use public_url::{PublicUrl, PublicUrlError};

/// How to tell what requests come from. By default nobody is trusted, and only the connection counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origins {
    /// What clients call this server, whatever they and proxies say.
    pub public_url: Option<PublicUrl>,
    /// The proxies that are believed when they say who asks. Such a proxy has to set or remove all headers of
    /// [`Origins::forwarded`], since clients can send them too.
    pub trusted_proxies: Vec<IpNet>,
    /// Where these proxies say it. The other headers are ignored.
    pub forwarded: ForwardedHeader,
}

/// The headers in which trusted proxies tell who asks. Never both: a proxy passes on those that it does not
/// know as the client wrote them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ForwardedHeader {
    /// `X-Forwarded-For`, `X-Forwarded-Proto` and `X-Forwarded-Host`, which nearly all proxies write.
    #[default]
    XForwarded,
    /// `Forwarded` (RFC 7239).
    Forwarded,
}

/// `http` or `https`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scheme {
    Http,
    Https,
}

impl Scheme {
    fn of(text: &str) -> Option<Self> {
        [Self::Http, Self::Https]
            .into_iter()
            .find(|scheme| scheme.as_str().eq_ignore_ascii_case(text))
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }
}

/// Where one request came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Origin {
    called: Called,
    client: IpAddr,
    is_told: bool,
}

/// What the client called this server.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Called {
    /// This URL.
    Url(String),
    /// What its request names, or the address that it connected to if that is not good. Few requests need to know, so
    /// nobody has looked yet.
    Asked {
        scheme: Scheme,
        authority: Option<HeaderValue>,
        local: SocketAddr,
    },
}

impl Origin {
    /// The scheme and the authority that the client used, such as `https://registry.example.com`. It is a
    /// URL in any case, but only as true as what the client and the proxies say.
    pub(crate) fn base_url(&self) -> String {
        match &self.called {
            Called::Url(url) => url.clone(),
            Called::Asked {
                scheme,
                authority,
                local,
            } => {
                let text = authority.as_ref().and_then(|text| text.to_str().ok());
                let host = text.and_then(authority::checked);
                base_url(*scheme, &host.unwrap_or_else(|| local.to_string()))
            }
        }
    }

    /// The authority that the client used, such as `registry.example.com:5000`.
    fn authority(&self) -> String {
        let base_url = self.base_url();
        let authority = base_url.split_once("://");
        authority.map_or_else(String::new, |(_, authority)| authority.to_owned())
    }

    /// Whether a header `Origin` (RFC 6454) names this server. Its scheme does not count: only a proxy may know that.
    pub(crate) fn is_named_by(&self, header: &HeaderValue) -> bool {
        let value = header.to_str().unwrap_or_default();
        let named = value.split_once("://");
        named.is_some_and(|(_, named)| named.eq_ignore_ascii_case(&self.authority()))
    }

    /// Whether the client used an address, or `localhost`, which no name server can give to somebody else.
    pub(crate) fn is_on_an_address(&self) -> bool {
        let authority = self.authority();
        let host = match authority.rsplit_once(':') {
            Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
            _ => authority.as_str(),
        };
        let host = host.trim_start_matches('[').trim_end_matches(']');
        host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok()
    }

    /// The address of the client.
    pub(crate) fn client(&self) -> IpAddr {
        self.client
    }

    /// The URL for a `Location`. It is absolute if the whole of that was told by someone who knows it;
    /// otherwise a path, which is right whatever there is between the client and this server.
    pub(crate) fn location(&self, path: &str) -> String {
        match self.is_told && path.starts_with('/') {
            true => self.base_url() + path,
            false => path.to_owned(),
        }
    }
}

impl Origins {
    /// Where a request comes from. What cannot be read counts as if it were not there.
    pub(crate) fn origin(&self, connection: &Connection, parts: &Parts) -> Origin {
        let peer = connection.peer.ip().to_canonical();
        let told = match self.is_trusted(peer) {
            true => self.told(peer, &parts.headers),
            false => Told::nothing(peer),
        };
        if let Some(PublicUrl(base_url)) = &self.public_url {
            return Origin {
                called: Called::Url(base_url.clone()),
                client: told.client,
                is_told: true,
            };
        }
        let is_told = told.scheme.is_some() && told.host.is_some();
        let scheme = told.scheme.unwrap_or(match connection.is_tls {
            true => Scheme::Https,
            false => Scheme::Http,
        });
        let called = match told.host {
            Some(host) => Called::Url(base_url(scheme, &host)),
            None => Called::Asked {
                scheme,
                authority: asked_for(&parts.uri, &parts.headers),
                local: connection.local,
            },
        };
        Origin {
            called,
            client: told.client,
            is_told,
        }
    }

    /// Whether this is the address of a proxy that is believed.
    pub(crate) fn is_trusted(&self, address: IpAddr) -> bool {
        let networks = self.trusted_proxies.iter();
        networks
            .into_iter()
            .any(|network| network.contains(&address))
    }

    /// What the proxies tell, from the nearest on as long as the next one is trusted too.
    fn told(&self, peer: IpAddr, headers: &HeaderMap) -> Told {
        let mut told = Told::nothing(peer);
        for hop in forwarded::hops(self.forwarded, headers).into_iter().rev() {
            told.scheme = hop.scheme.or(told.scheme);
            told.host = hop.host.or(told.host);
            let Some(from) = hop.from else {
                break;
            };
            told.client = from;
            if !self.is_trusted(from) {
                break;
            }
        }
        told
    }
}

/// What proxies tell of a request.
struct Told {
    client: IpAddr,
    scheme: Option<Scheme>,
    host: Option<String>,
}

impl Told {
    fn nothing(peer: IpAddr) -> Self {
        Self {
            client: peer,
            scheme: None,
            host: None,
        }
    }
}

fn base_url(scheme: Scheme, host: &str) -> String {
    format!("{}://{host}", scheme.as_str())
}

/// The authority that the request itself names, whatever that is.
fn asked_for(uri: &Uri, headers: &HeaderMap) -> Option<HeaderValue> {
    if let Some(named) = uri.authority() {
        return HeaderValue::from_str(named.as_str()).ok();
    }
    let mut hosts = headers.get_all(header::HOST).iter();
    match (hosts.next(), hosts.next()) {
        (Some(host), None) => Some(host.clone()),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
