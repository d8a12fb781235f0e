//! Values of options about the network, and who may be on it.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::str::FromStr;

use berth_http::{ForwardedHeader, PublicUrl};
use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::text::text_in_files;

/// How an option says that there is none of what it names.
const NONE: &str = "none";

/// The path of a file that there need not be: `none`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OptionalFile(pub(crate) Option<PathBuf>);

impl FromStr for OptionalFile {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "" => Err("a path cannot be empty; /etc/berth/tls.crt or none would do".to_owned()),
            NONE => Ok(Self(None)),
            path => Ok(Self(Some(path.into()))),
        }
    }
}

impl fmt::Display for OptionalFile {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some(path) => path.display().fmt(formatter),
            None => formatter.write_str(NONE),
        }
    }
}

/// What clients call the server: a URL, or `none` if they know best.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OptionalUrl(pub(crate) Option<PublicUrl>);

impl FromStr for OptionalUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            NONE => Ok(Self(None)),
            text => match text.parse() {
                Ok(url) => Ok(Self(Some(url))),
                Err(error) => Err(format!("{error}, and so would none")),
            },
        }
    }
}

impl fmt::Display for OptionalUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some(url) => url.fmt(formatter),
            None => formatter.write_str(NONE),
        }
    }
}

/// In which headers trusted proxies tell who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ProxyHeader(pub(crate) ForwardedHeader);

impl FromStr for ProxyHeader {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "x-forwarded" => Ok(Self(ForwardedHeader::XForwarded)),
            "forwarded" => Ok(Self(ForwardedHeader::Forwarded)),
            _ => Err(format!(
                "{text:?} is no kind of headers; x-forwarded or forwarded would do"
            )),
        }
    }
}

impl fmt::Display for ProxyHeader {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self.0 {
            ForwardedHeader::XForwarded => "x-forwarded",
            ForwardedHeader::Forwarded => "forwarded",
        })
    }
}

/// Networks and single addresses: `10.0.0.0/8,192.168.1.7`, or `none`; in a file also a list.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(try_from = "NetworksText", into = "Vec<String>")]
pub(crate) struct Networks(pub(crate) Vec<IpNet>);

#[derive(Deserialize)]
#[serde(
    untagged,
    expecting = "expected a list of networks, such as [\"10.0.0.0/8\", \"192.168.1.7\"]"
)]
enum NetworksText {
    List(Vec<String>),
    Text(String),
}

impl FromStr for Networks {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            NONE => Ok(Self(Vec::new())),
            text => Self::of(text.split(',')),
        }
    }
}

impl Networks {
    fn of<'a>(texts: impl Iterator<Item = &'a str>) -> Result<Self, String> {
        Ok(Self(texts.map(network).collect::<Result<_, _>>()?))
    }
}

fn network(text: &str) -> Result<IpNet, String> {
    let text = text.trim();
    let address = || text.parse::<IpAddr>().map(IpNet::from);
    let network = text.parse::<IpNet>().or_else(|_| address());
    network.map_err(|_| {
        format!("{text:?} is not a network or an address; 10.0.0.0/8 or 192.168.1.7 would do")
    })
}

impl TryFrom<NetworksText> for Networks {
    type Error = String;

    fn try_from(text: NetworksText) -> Result<Self, Self::Error> {
        match text {
            NetworksText::List(texts) => Self::of(texts.iter().map(String::as_str)),
            NetworksText::Text(text) => text.parse(),
        }
    }
}

impl From<Networks> for Vec<String> {
    fn from(Networks(networks): Networks) -> Self {
        networks.iter().map(ToString::to_string).collect()
    }
}

text_in_files! {
    OptionalFile: "a path in quotes, such as \"/etc/berth/tls.crt\", or \"none\"",
    OptionalUrl: "a URL in quotes, such as \"https://registry.example.com\", or \"none\"",
    ProxyHeader: "\"x-forwarded\" or \"forwarded\"",
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn good_values_are_read_and_written_back() {
        for text in ["none", "/etc/berth/tls.crt"] {
            assert_eq!(text.parse::<OptionalFile>().unwrap().to_string(), text);
        }
        for text in ["none", "https://registry.example.com"] {
            assert_eq!(text.parse::<OptionalUrl>().unwrap().to_string(), text);
        }
        for text in ["x-forwarded", "forwarded"] {
            assert_eq!(text.parse::<ProxyHeader>().unwrap().to_string(), text);
        }
        let networks: Networks = "10.0.0.0/8, ::1".parse().unwrap();
        assert_eq!(Vec::from(networks), ["10.0.0.0/8", "::1/128"]);
        assert_eq!("none".parse(), Ok(Networks(Vec::new())));
    }

    #[test]
    fn networks_are_text_or_a_list_in_a_file() {
        #[derive(Debug, Deserialize)]
        struct File {
            networks: Networks,
        }
        for text in ["\"10.0.0.0/8,::1\"", "[\"10.0.0.0/8\", \"::1\"]"] {
            let file: File = toml::from_str(&format!("networks = {text}")).unwrap();
            assert_eq!(file.networks, "10.0.0.0/8,::1".parse().unwrap());
        }
        for text in ["1", "[1]", "[\"proxy\"]", "\"10.0.0.0/33\"", "\"\""] {
            let error = toml::from_str::<File>(&format!("networks = {text}")).unwrap_err();
            assert!(error.to_string().contains("10.0.0.0/8"), "{text}: {error}");
        }
    }

    #[test]
    fn bad_values_say_what_would_do() {
        for message in [
            "".parse::<OptionalFile>().unwrap_err(),
            "registry.example.com".parse::<OptionalUrl>().unwrap_err(),
            "proxy".parse::<Networks>().unwrap_err(),
            "both".parse::<ProxyHeader>().unwrap_err(),
            "10.0.0.0/8,".parse::<Networks>().unwrap_err(),
        ] {
            assert!(message.contains("would do"), "{message}");
        }
    }
}
