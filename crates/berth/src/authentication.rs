//! Who is let in, as the configuration says.

use std::sync::Arc;

use anyhow::Context;
use berth_auth::{
    BearerTokens, Challenge, Gate, GateSettings, Htpasswd, OidcIssuer, Rules, TokenServer,
    TokenService,
};

use crate::accounts::StoredAccounts;
use crate::config::{ChallengeKind, Config, UseAccounts};

/// The gate, and what it needs while it is in use.
pub(crate) struct Authentication {
    pub(crate) gate: Arc<Gate>,
    /// The password file, which somebody has to watch.
    pub(crate) htpasswd: Option<Arc<Htpasswd>>,
}

/// Whether anybody is asked who they are. Where this is false, everybody may do everything.
///
/// `had_accounts`: whether there are or were any users or robot tokens.
pub(crate) fn is_on(config: &Config, had_accounts: bool) -> bool {
    let by_accounts = match config.accounts {
        UseAccounts::Auto => had_accounts,
        UseAccounts::True => true,
        UseAccounts::False => false,
    };
    // Rules that nobody can be known by are still rules: they may be about everybody.
    by_accounts
        || config.htpasswd.0.is_some()
        || config.client_ca.0.is_some()
        || !config.rule.is_default()
        || !config.oidc.is_empty()
        || config.token_server.0.is_some()
}

impl Authentication {
    /// As configured. Reads files, so it blocks.
    pub(crate) fn new(
        config: &Config,
        accounts: &StoredAccounts,
        had_accounts: bool,
    ) -> anyhow::Result<Self> {
        if !is_on(config, had_accounts) {
            return Ok(Self {
                gate: Arc::new(Gate::open()),
                htpasswd: None,
            });
        }
        let htpasswd = match &config.htpasswd.0 {
            Some(path) => Some(Arc::new(Htpasswd::load(path)?)),
            None => None,
        };
        let bearer = bearer_tokens(config, accounts)?;
        let challenge = match config.challenge {
            ChallengeKind::Bearer => bearer.challenge(),
            ChallengeKind::Basic => Challenge::Basic,
        };
        let gate = Gate::new(GateSettings {
            htpasswd: htpasswd.clone(),
            accounts: match config.accounts {
                UseAccounts::False => None,
                UseAccounts::Auto | UseAccounts::True => Some(Arc::new(accounts.clone())),
            },
            bearer,
            rules: rules(config),
            challenge,
        })?;
        Ok(Self {
            gate: Arc::new(gate),
            htpasswd,
        })
    }
}

/// Takes changes of the password file into use, if there is one. Ends only if there is none.
pub(crate) async fn watch(htpasswd: Option<Arc<Htpasswd>>) {
    if let Some(htpasswd) = htpasswd {
        htpasswd.watch().await;
    }
}

/// An external token server takes the place of the registry's own.
fn bearer_tokens(config: &Config, accounts: &StoredAccounts) -> anyhow::Result<BearerTokens> {
    let server = match &config.token_server.0 {
        Some(settings) => {
            let server = TokenServer::new(settings.clone());
            Some(server.context("token_server cannot be used")?)
        }
        None => None,
    };
    let own = config.issues_tokens().then(|| {
        let keys = Arc::new(accounts.clone());
        Arc::new(TokenService::new(config.tokens(), keys))
    });
    let issuers = config.oidc.iter().cloned().map(OidcIssuer::new);
    let issuers: Result<Vec<OidcIssuer>, _> = issuers.collect();
    let issuers = issuers.context("an oidc issuer cannot be used")?;
    let tokens = BearerTokens::new(own, server, issuers);
    tokens.context("these issuers of tokens cannot be used together")
}

fn rules(config: &Config) -> Rules {
    match &config.rule.0 {
        None => Rules::default_for_authenticated(),
        Some(rules) => Rules::new(rules.clone(), config.groups.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(text: &str) -> Config {
        Config::of_text(text).unwrap()
    }

    #[test]
    fn whoever_can_be_known_makes_it_on() {
        for (text, alone, with_accounts) in [
            ("", false, true),
            ("accounts = \"auto\"", false, true),
            ("accounts = true", true, true),
            ("accounts = false", false, false),
            ("htpasswd = \"/passwords\"", true, true),
            ("htpasswd = \"/passwords\"\naccounts = false", true, true),
            ("htpasswd = \"none\"", false, true),
            ("client_ca = \"/authorities\"", true, true),
            (
                "[[rule]]\nwho = [\"anonymous\"]\nactions = [\"pull\"]",
                true,
                true,
            ),
            ("rule = []", true, true),
            ("rule = \"default\"", false, true),
            ("[groups]\nstaff = [\"alice\"]", false, true),
            (
                "[[oidc]]\nlabel = \"ci\"\nissuer = \"https://ci\"\naudience = \"berth\"",
                true,
                true,
            ),
            ("[token_server]", false, true),
            (
                "[token_server]\nrealm = \"https://a/token\"\nservice = \"s\"\nissuer = \"i\"\njwks = \"/keys\"",
                true,
                true,
            ),
        ] {
            let config = config(text);
            assert_eq!(is_on(&config, false), alone, "{text}");
            assert_eq!(is_on(&config, true), with_accounts, "{text}");
        }
    }
}
