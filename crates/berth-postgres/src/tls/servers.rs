use std::env;
use std::fmt;
use std::net::IpAddr;

use berth_metadata::MetadataError;
use percent_encoding::percent_decode_str;

use crate::url_parts::{UrlParts, refused};

/// Where PostgreSQL listens, unless a URL says otherwise.
const PORT: &str = "5432";

/// A server of a URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Server {
    /// A name or an address: what its certificate is for.
    pub(super) host: String,
    pub(super) port: u16,
}

impl Server {
    /// Whether nothing that is sent to it leaves this machine.
    pub(super) fn is_here(&self) -> bool {
        let address: Option<IpAddr> = self.host.parse().ok();
        is_socket(&self.host)
            || self.host == "localhost"
            || address.is_some_and(|address| address.is_loopback())
    }
}

impl fmt::Display for Server {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} (port {})", self.host, self.port)
    }
}

fn is_socket(host: &str) -> bool {
    host.starts_with(['/', '@'])
}

/// The servers of a URL, or else of the environment, as libpq reads them; none, if that has a socket of its own.
///
/// # Errors
/// If there are sockets and hosts, or ports that are none.
pub(super) fn servers(url: &UrlParts<'_>) -> Result<Vec<Server>, MetadataError> {
    let in_place = url.hosts.split(',').map(split_port);
    let (hosts, ports): (Vec<&str>, Vec<&str>) = in_place.unzip();
    let (hosts, ports) = (hosts.join(","), ports.join(","));
    let given = |name, in_place: String| {
        let given = url.parameter(name).unwrap_or(&in_place);
        percent_decode_str(given).decode_utf8_lossy().into_owned()
    };
    let (mut hosts, ports) = (given("host", hosts), given("port", ports));
    if hosts.is_empty() {
        hosts = env::var("PGHOST").unwrap_or_default();
    }
    if hosts.is_empty() {
        return Ok(Vec::new());
    }
    let ports: Vec<&str> = ports.split(',').collect();
    let servers = hosts.split(',').enumerate().map(|(index, host)| {
        // One for all of them, or each its own.
        let port = ports.get(index).or(ports.first()).copied();
        let port = port.filter(|port| !port.is_empty()).unwrap_or(PORT);
        let port = port
            .parse()
            .map_err(|_| refused("has a port that is none"))?;
        Ok(Server {
            host: host.to_owned(),
            port,
        })
    });
    let servers: Vec<Server> = servers.collect::<Result<_, MetadataError>>()?;
    let socket = servers.iter().find(|server| is_socket(&server.host));
    match socket {
        Some(Server { host, .. }) if !servers.iter().all(|server| is_socket(&server.host)) => {
            Err(refused(&format!(
                "has hosts, and {host} is a socket: only one of both"
            )))
        }
        _ => Ok(servers),
    }
}

/// A host and its port, which may be empty. An IPv6 address is in brackets.
fn split_port(place: &str) -> (&str, &str) {
    match place
        .strip_prefix('[')
        .and_then(|rest| rest.split_once(']'))
    {
        Some((host, port)) => (host, port.trim_start_matches(':')),
        None => place.split_once(':').unwrap_or((place, "")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(url: &str) -> Vec<(String, u16)> {
        let servers = servers(&UrlParts::parse(url).unwrap()).unwrap();
        let servers = servers.into_iter();
        servers.map(|server| (server.host, server.port)).collect()
    }

    #[test]
    fn servers_are_those_that_libpq_reads() {
        for (url, expected) in [
            ("postgresql:///a", &[][..]),
            ("postgresql://db/a", &[("db", 5432)]),
            ("postgresql://db:1/a", &[("db", 1)]),
            (
                "postgresql://u:p@db,[::1]:2,c:3/a",
                &[("db", 5432), ("::1", 2), ("c", 3)],
            ),
            ("postgresql://d%62/a?port=4", &[("db", 4)]),
            ("postgresql:///a?host=b,c&port=4", &[("b", 4), ("c", 4)]),
            (
                "postgresql://x:9/a?host=b,c&port=4,5",
                &[("b", 4), ("c", 5)],
            ),
        ] {
            let expected = expected
                .iter()
                .map(|(host, port)| ((*host).to_owned(), *port));
            assert_eq!(of(url), expected.collect::<Vec<_>>(), "{url}");
        }
    }
}
