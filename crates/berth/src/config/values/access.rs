//! Values of options about who is let in.

use std::fmt;
use std::str::FromStr;

use berth_auth::{Rule, TokenServerSettings};
use serde::de::value::SeqAccessDeserializer;
use serde::de::{Error, SeqAccess, Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use toml::Table;

use super::text::text_in_files;

/// How clients are told to authenticate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ChallengeKind {
    /// With a token, which they get for their password.
    Bearer,
    /// With the password itself.
    Basic,
}

impl FromStr for ChallengeKind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "bearer" => Ok(Self::Bearer),
            "basic" => Ok(Self::Basic),
            _ => Err(format!(
                "{text:?} is no challenge; bearer or basic would do"
            )),
        }
    }
}

impl fmt::Display for ChallengeKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Bearer => "bearer",
            Self::Basic => "basic",
        })
    }
}

/// What the registry calls itself in tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ServiceName(pub(crate) String);

impl FromStr for ServiceName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_plain =
            |character: char| character.is_ascii_graphic() && !"\"\\".contains(character);
        match !text.is_empty() && text.chars().all(is_plain) {
            true => Ok(Self(text.to_owned())),
            false => Err(format!(
                "{text:?} is not a name without spaces and quotes; berth or registry.example.com would do"
            )),
        }
    }
}

impl fmt::Display for ServiceName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// Whether users and robot tokens of the registry itself count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum UseAccounts {
    /// If there are or ever were any, or anybody is asked who they are for another reason.
    Auto,
    /// Yes: without any, nobody can log in.
    True,
    /// No.
    False,
}

impl FromStr for UseAccounts {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "auto" => Ok(Self::Auto),
            "true" => Ok(Self::True),
            "false" => Ok(Self::False),
            _ => Err(format!(
                "{text:?} is none of auto, true and false, which would do"
            )),
        }
    }
}

impl fmt::Display for UseAccounts {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Auto => "auto",
            Self::True => "true",
            Self::False => "false",
        })
    }
}

impl<'de> Deserialize<'de> for UseAccounts {
    fn deserialize<D: Deserializer<'de>>(value: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged, expecting = "expected true, false or \"auto\"")]
        enum Value {
            Switch(bool),
            Text(String),
        }
        match Value::deserialize(value)? {
            Value::Switch(switch) => switch.to_string().parse().map_err(D::Error::custom),
            Value::Text(text) => text.parse().map_err(D::Error::custom),
        }
    }
}

impl Serialize for UseAccounts {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A table for an external token server; an empty one stands for none.
#[derive(Clone, Debug, Default)]
pub(crate) struct OptionalTokenServer(pub(crate) Option<TokenServerSettings>);

impl<'de> Deserialize<'de> for OptionalTokenServer {
    fn deserialize<D: Deserializer<'de>>(value: D) -> Result<Self, D::Error> {
        let table = Table::deserialize(value)?;
        if table.is_empty() {
            return Ok(Self(None));
        }
        table
            .try_into()
            .map(|server| Self(Some(server)))
            .map_err(D::Error::custom)
    }
}

impl Serialize for OptionalTokenServer {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.0 {
            Some(server) => server.serialize(serializer),
            None => Table::new().serialize(serializer),
        }
    }
}

/// The access rules, or what holds without any: `"default"`. A list without rules is a list: it allows nobody anything.
#[derive(Clone, Debug, Default)]
pub(crate) struct AccessRules(pub(crate) Option<Vec<Rule>>);

impl AccessRules {
    const DEFAULT: &str = "default";

    /// Whether nothing is said.
    pub(crate) fn is_default(&self) -> bool {
        self.0.is_none()
    }

    /// The rules that are written.
    pub(crate) fn written(&self) -> &[Rule] {
        self.0.as_deref().unwrap_or_default()
    }
}

struct AccessRulesVisitor;

impl<'de> Visitor<'de> for AccessRulesVisitor {
    type Value = AccessRules;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("tables [[rule]], or \"default\"")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<AccessRules, E> {
        match text {
            AccessRules::DEFAULT => Ok(AccessRules(None)),
            _ => Err(E::invalid_value(Unexpected::Str(text), &self)),
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, rules: A) -> Result<AccessRules, A::Error> {
        let rules = Vec::deserialize(SeqAccessDeserializer::new(rules))?;
        Ok(AccessRules(Some(rules)))
    }
}

impl<'de> Deserialize<'de> for AccessRules {
    fn deserialize<D: Deserializer<'de>>(value: D) -> Result<Self, D::Error> {
        value.deserialize_any(AccessRulesVisitor)
    }
}

impl Serialize for AccessRules {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.0 {
            Some(rules) => rules.serialize(serializer),
            None => serializer.serialize_str(Self::DEFAULT),
        }
    }
}

text_in_files! {
    ChallengeKind: "\"bearer\" or \"basic\"",
    ServiceName: "a name in quotes, such as \"berth\"",
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn good_values_are_read_and_written_back() {
        for text in ["bearer", "basic"] {
            assert_eq!(text.parse::<ChallengeKind>().unwrap().to_string(), text);
        }
        for text in ["auto", "true", "false"] {
            assert_eq!(text.parse::<UseAccounts>().unwrap().to_string(), text);
        }
        for text in ["berth", "registry.example.com:5000"] {
            assert_eq!(text.parse::<ServiceName>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn bad_values_say_what_would_do() {
        for message in [
            "digest".parse::<ChallengeKind>().unwrap_err(),
            "maybe".parse::<UseAccounts>().unwrap_err(),
            "".parse::<ServiceName>().unwrap_err(),
            "my \"registry\"".parse::<ServiceName>().unwrap_err(),
        ] {
            assert!(message.ends_with("would do"), "{message}");
        }
    }

    #[test]
    fn a_list_without_rules_is_not_the_default() {
        #[derive(Deserialize, Serialize)]
        struct File {
            rule: AccessRules,
        }
        let read = |text: &str| toml::from_str::<File>(text);
        let rule = "[[rule]]\nwho = ['alice']\nactions = ['pull']";
        for (text, count) in [
            ("rule = 'default'", None),
            ("rule = []", Some(0)),
            (rule, Some(1)),
        ] {
            let file = read(text).unwrap();
            let again = read(&toml::to_string(&file).unwrap()).unwrap();
            for file in [file, again] {
                assert_eq!(file.rule.0.map(|rules| rules.len()), count, "{text}");
            }
        }
        for wrong in ["rule = 'none'", "rule = 1", "rule = [1]"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_empty_table_is_no_token_server_and_one_with_a_gap_is_refused() {
        let read = |text: &str| toml::from_str::<OptionalTokenServer>(text);
        assert!(read("").unwrap().0.is_none());
        let whole = "realm = 'https://a/token'\nservice = 's'\nissuer = 'i'\njwks = '/keys'\n";
        let server = read(whole).unwrap();
        assert_eq!(server.0.as_ref().unwrap().issuer, "i");
        let again = toml::to_string(&server).unwrap();
        assert_eq!(read(&again).unwrap().0.unwrap().realm, "https://a/token");
        let error = read("realm = 'https://a/token'").unwrap_err();
        assert!(error.to_string().contains("service"), "{error}");
    }
}
