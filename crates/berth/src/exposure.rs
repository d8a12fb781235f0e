//! Where the server may listen.

use anyhow::bail;
use berth_auth::{Action, Rule, Subject};

use crate::config::Config;

/// Refuses to let everyone who reaches this machine push, pull and delete, unless that is wanted. TLS is no reason
/// to let them: it says who the server is, and nothing of who asks.
pub(crate) fn check(config: &Config, is_authentication_on: bool) -> anyhow::Result<()> {
    let address = config.listen.0;
    let is_local = address.ip().to_canonical().is_loopback();
    if is_local || config.insecure_listen {
        return Ok(());
    }
    if is_authentication_on {
        return check_anonymous(config);
    }
    bail!(
        "others could reach {address}, and nobody would be asked who they are; set up authentication (htpasswd = \"FILE\", \
         or accounts = true and berth user add), listen on 127.0.0.1 behind a proxy that asks, with public_url for what \
         clients call it, or allow this with --insecure-listen"
    )
}

/// Refuses to let everyone change something because of a rule, unless that is wanted.
fn check_anonymous(config: &Config) -> anyhow::Result<()> {
    let changes = [Action::Push, Action::Delete, Action::Admin];
    let is_wide = |rule: &&Rule| {
        let changes = changes.iter().any(|action| rule.actions.contains(*action));
        changes && rule.who.contains(&Subject::Everybody)
    };
    match config.rule.written().iter().find(is_wide) {
        Some(rule) => bail!(
            "others could reach {}, and a rule allows anonymous {}: everybody; give anonymous no more than pull, name \
             authenticated instead, or allow this with --insecure-listen",
            config.listen.0,
            rule.actions
        ),
        None => Ok(()),
    }
}

/// What is to be told of a server that does not speak TLS and asks for passwords.
pub(crate) fn warnings(config: &Config) -> Vec<&'static str> {
    let is_proxy_known = config.origins().public_url.is_some();
    let is_proxy_trusted = !config.origins().trusted_proxies.is_empty();
    let mut warnings = Vec::new();
    if config.issues_tokens() && !is_proxy_known && !is_proxy_trusted {
        warnings.push(
            "clients are told to send passwords to /token over http, also behind a proxy that ends TLS; give public_url or \
             trusted_proxies, or tls_certificate and tls_key",
        );
    }
    if !is_proxy_trusted {
        warnings.push(
            "clients behind a proxy count as one by its address when logins fail or requests are limited; name it in \
             trusted_proxies if there is one",
        );
    }
    warnings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(text: &str) -> Config {
        let mut table = toml::Table::try_from(Config::default()).unwrap();
        table.extend(toml::from_str::<toml::Table>(text).unwrap());
        table.try_into().unwrap()
    }

    #[test]
    fn only_loopback_is_free_for_all() {
        for address in [
            "127.0.0.1:0",
            "127.1.2.3:0",
            "[::1]:0",
            "[::ffff:127.0.0.1]:0",
        ] {
            let config = config(&format!("listen = {address:?}"));
            assert!(check(&config, false).is_ok(), "{address}");
        }
        for address in ["0.0.0.0:0", "[::]:0", "10.0.0.1:0", "[fe80::1]:0"] {
            let listen = format!("listen = {address:?}\n");
            let error = check(&config(&listen), false).unwrap_err().to_string();
            assert!(check(&config(&listen), true).is_ok(), "{address}");
            for told in [
                address,
                "htpasswd",
                "accounts",
                "public_url",
                "--insecure-listen",
            ] {
                assert!(error.contains(told), "{error}");
            }
            let allowed = listen.clone() + "insecure_listen = true";
            assert!(check(&config(&allowed), false).is_ok(), "{address}");
            let tls = listen + "tls_certificate = \"a\"\ntls_key = \"b\"";
            assert!(check(&config(&tls), false).is_err(), "{address}");
        }
    }

    #[test]
    fn a_rule_that_lets_everybody_change_something_needs_permission() {
        let rule = |who: &str, action: &str| {
            format!("[[rule]]\nwho = [\"alice\", {who:?}]\nactions = [\"pull\", {action:?}]")
        };
        let away = "listen = \"10.0.0.1:0\"\n";
        for action in ["push", "delete", "admin"] {
            let wide = rule("anonymous", action);
            let error = check(&config(&(away.to_owned() + &wide)), true).unwrap_err();
            assert!(error.to_string().contains("anonymous"), "{error}");
            let wanted = format!("{away}insecure_listen = true\n{wide}");
            let named = away.to_owned() + &rule("authenticated", action);
            for allowed in [wanted, wide, named] {
                assert!(check(&config(&allowed), true).is_ok(), "{allowed}");
            }
        }
        let pull = away.to_owned() + &rule("anonymous", "pull");
        assert!(check(&config(&pull), true).is_ok());
    }

    #[test]
    fn passwords_over_http_are_told_unless_somebody_says_that_they_are_not() {
        for (text, count) in [
            ("", 2),
            ("challenge = \"basic\"", 1),
            ("public_url = \"https://a\"", 1),
            ("trusted_proxies = [\"10.0.0.0/8\"]", 0),
        ] {
            assert_eq!(warnings(&config(text)).len(), count, "{text}");
        }
    }

    #[test]
    fn half_of_tls_is_no_tls() {
        for half in ["tls_certificate", "tls_key", "client_ca"] {
            let config = config(&format!("{half} = \"a\""));
            let error = config.tls().unwrap_err().to_string();
            assert!(error.contains(half), "{error}");
        }
    }
}
