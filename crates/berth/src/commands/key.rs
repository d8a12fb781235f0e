use std::process::ExitCode;

use clap::{ArgMatches, Args, Subcommand};

use super::{Target, carry_out};
use crate::upkeep::{AccountTask, Task};

/// What is done to the keys that sign the registry's own tokens.
#[derive(Args)]
pub(crate) struct KeyCommand {
    #[command(subcommand)]
    action: KeyAction,
}

#[derive(Subcommand)]
enum KeyAction {
    /// List all signing keys, the newest first
    List(Target),
    /// Make a new key, which signs when every server knows it, in two minutes at most; a server does so by itself, too, every
    /// now and then
    Rotate(RotateKey),
}

#[derive(Args)]
struct RotateKey {
    /// Forget the older keys at once, as after a theft: what they signed is void as soon as servers notice, in a few minutes
    #[arg(long)]
    forget_older: bool,

    #[command(flatten)]
    target: Target,
}

impl KeyCommand {
    pub(crate) fn run(self, matches: Option<&ArgMatches>) -> anyhow::Result<ExitCode> {
        let (target, task) = match self.action {
            KeyAction::List(target) => (target, AccountTask::ListKeys),
            KeyAction::Rotate(RotateKey {
                forget_older,
                target,
            }) => (target, AccountTask::RotateKey { forget_older }),
        };
        carry_out(&target.load(matches)?, &Task::Account(task), target.json)
    }
}
