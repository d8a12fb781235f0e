use std::process::ExitCode;

use berth_auth::hash_password;
use clap::{ArgMatches, Args, Subcommand};

use super::{Target, carry_out};
use crate::accounts::{Hash, Question, Timestamp, group_name, read_password, user_name};
use crate::config::{Config, Time};
use crate::upkeep::{AccountTask, NewUser, Task};

/// What is done to users with a password.
#[derive(Args)]
pub(crate) struct UserCommand {
    #[command(subcommand)]
    action: UserAction,
}

#[derive(Subcommand)]
enum UserAction {
    /// Add a user; asks for the password
    Add(AddUser),
    /// List all users
    List(Target),
    /// Remove a user, who cannot come in from then on
    #[command(visible_alias = "revoke")]
    Remove(RemoveUser),
    /// Give a user another password; asks for it
    Password(SetPassword),
}

#[derive(Args)]
struct AddUser {
    /// What the user types to log in, without `:`
    #[arg(value_parser = user_name)]
    name: String,

    /// A group of which the user is a member, for rules; may be given several times
    #[arg(long = "group", value_name = "GROUP", value_parser = group_name)]
    groups: Vec<String>,

    /// How long the account is good, such as 90d; for good, if not given
    #[arg(long, value_name = "TIME")]
    expires: Option<Time>,

    #[command(flatten)]
    password: PasswordSource,

    #[command(flatten)]
    target: Target,
}

#[derive(Args)]
struct RemoveUser {
    /// Whom to remove
    name: String,

    #[command(flatten)]
    target: Target,
}

#[derive(Args)]
struct SetPassword {
    /// Whose password
    name: String,

    #[command(flatten)]
    password: PasswordSource,

    #[command(flatten)]
    target: Target,
}

#[derive(Args)]
struct PasswordSource {
    /// Read the password from the first line of standard input, instead of asking for it
    #[arg(long)]
    password_stdin: bool,
}

impl PasswordSource {
    /// The hash of the password: nobody else gets to see the password itself.
    fn hash(&self, name: &str) -> anyhow::Result<Hash> {
        let question = match self.password_stdin {
            true => Question::StandardInput,
            false => Question::Terminal(name),
        };
        let password = read_password(&question)?;
        Ok(Hash(hash_password(&password)?))
    }
}

impl UserCommand {
    pub(crate) fn run(self, matches: Option<&ArgMatches>) -> anyhow::Result<ExitCode> {
        let load = |target: &Target| -> anyhow::Result<(Config, bool)> {
            Ok((target.load(matches)?, target.json))
        };
        // The options first: whoever mistypes one is not asked for a password.
        let ((config, as_json), task) = match self.action {
            UserAction::Add(add) => (load(&add.target)?, add.task()?),
            UserAction::List(target) => (load(&target)?, AccountTask::ListUsers),
            UserAction::Remove(RemoveUser { name, target }) => {
                (load(&target)?, AccountTask::RemoveUser { name })
            }
            UserAction::Password(SetPassword {
                name,
                password,
                target,
            }) => {
                let loaded = load(&target)?;
                let password_hash = password.hash(&name)?;
                let task = AccountTask::SetPassword {
                    name,
                    password_hash,
                };
                (loaded, task)
            }
        };
        carry_out(&config, &Task::Account(task), as_json)
    }
}

impl AddUser {
    fn task(self) -> anyhow::Result<AccountTask> {
        let password_hash = self.password.hash(&self.name)?;
        Ok(AccountTask::AddUser(NewUser {
            name: self.name,
            password_hash,
            groups: self.groups.into_iter().collect(),
            expires_at: self.expires.map(|time| Timestamp::after(time.0)),
        }))
    }
}
