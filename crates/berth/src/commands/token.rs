use std::io::{Write, stderr, stdout};
use std::process::ExitCode;

use anyhow::Context;
use berth_auth::{Action, Grant, Patterns, RobotSecret, hash_password};
use clap::{ArgMatches, Args, Subcommand};
use secrecy::ExposeSecret;

use super::{Target, carry_out, perform};
use crate::accounts::{Hash, Timestamp, token_name};
use crate::config::Time;
use crate::upkeep::{AccountTask, NewToken, Outcome, Task};

/// What is done to the tokens of robots.
#[derive(Args)]
pub(crate) struct TokenCommand {
    #[command(subcommand)]
    action: TokenAction,
}

#[derive(Subcommand)]
enum TokenAction {
    /// Add a token for a program, and print it: it is shown this once, and takes the place of a password
    Add(AddToken),
    /// List all tokens, also those that are revoked
    List(Target),
    /// Revoke a token for good, by its name or its id
    #[command(visible_alias = "remove")]
    Revoke(RevokeToken),
}

#[derive(Args)]
struct AddToken {
    /// What logs call it: token:NAME; rules have no say, as it may do what is given here and nothing else
    #[arg(value_parser = token_name)]
    name: String,

    /// A glob of repositories for which it is good, such as team/*, or ** for all; may be given several times
    #[arg(long = "repository", value_name = "GLOB", required = true)]
    repositories: Vec<String>,

    /// What may be done there: pull, push, delete or admin, with commas between them
    #[arg(
        long = "action",
        value_name = "ACTION",
        required = true,
        value_delimiter = ','
    )]
    actions: Vec<Action>,

    /// How long it is good, such as 90d; until it is revoked, if not given
    #[arg(long, value_name = "TIME")]
    expires: Option<Time>,

    #[command(flatten)]
    target: Target,
}

#[derive(Args)]
struct RevokeToken {
    /// Its name or its id
    #[arg(value_name = "NAME|ID")]
    token: String,

    #[command(flatten)]
    target: Target,
}

impl TokenCommand {
    pub(crate) fn run(self, matches: Option<&ArgMatches>) -> anyhow::Result<ExitCode> {
        let (target, task) = match self.action {
            TokenAction::Add(add) => return add.run(matches),
            TokenAction::List(target) => (target, AccountTask::ListTokens),
            TokenAction::Revoke(RevokeToken { token, target }) => {
                (target, AccountTask::RevokeToken { token })
            }
        };
        carry_out(&target.load(matches)?, &Task::Account(task), target.json)
    }
}

impl AddToken {
    /// Standard output gets the token and nothing else, so that it can go straight to where it is needed.
    fn run(self, matches: Option<&ArgMatches>) -> anyhow::Result<ExitCode> {
        let config = self.target.load(matches)?;
        let as_json = self.target.json;
        let secret = RobotSecret::generate()?;
        let task = self.task(&secret)?;
        let outcome = perform(&config, &Task::Account(task))?;
        let shown = match as_json {
            true => with_secret(&outcome, &secret)?,
            false => {
                // That it is added is worth less than the token.
                let _ = writeln!(stderr(), "{outcome}");
                secret.text().expose_secret().to_owned()
            }
        };
        writeln!(stdout(), "{shown}").with_context(|| {
            let id = secret.id();
            format!(
                "the token was added, but cannot be shown; berth token revoke {id} takes it back"
            )
        })?;
        Ok(ExitCode::SUCCESS)
    }

    fn task(self, secret: &RobotSecret) -> anyhow::Result<AccountTask> {
        let grant = Grant {
            repositories: Patterns::new(self.repositories)?,
            actions: self.actions.into_iter().collect(),
        };
        Ok(AccountTask::AddToken(NewToken {
            id: secret.id().to_owned(),
            name: self.name,
            secret_hash: Hash(hash_password(secret.secret())?),
            grants: vec![grant],
            expires_at: self.expires.map(|time| Timestamp::after(time.0)),
        }))
    }
}

/// What came of it as JSON, and the token as `token`.
fn with_secret(outcome: &Outcome, secret: &RobotSecret) -> anyhow::Result<String> {
    let mut shown: serde_json::Value = serde_json::from_str(&outcome.to_json()?)?;
    shown["token_added"]["token"] = secret.text().expose_secret().into();
    Ok(shown.to_string())
}
