use std::process::ExitCode;

use clap::{ArgMatches, Args};

use super::{Target, carry_out};
use crate::config::Delay;
use crate::upkeep::{Collect, Task};

/// What garbage is collected, and how.
#[derive(Args)]
pub(crate) struct Gc {
    #[command(flatten)]
    target: Target,

    /// Only tell what would go, and how many bytes
    #[arg(long)]
    dry_run: bool,

    /// Another grace period than the one that is configured; with 0s, a push that is under way may have to begin again
    #[arg(long, value_name = "TIME")]
    grace: Option<Delay>,
}

impl Gc {
    pub(crate) fn run(self, matches: Option<&ArgMatches>) -> anyhow::Result<ExitCode> {
        let config = self.target.load(matches)?;
        let task = Task::Collect(Collect {
            dry_run: self.dry_run,
            grace: self.grace.map(|grace| grace.0),
            sweep: true,
            rules: self
                .target
                .is_configured()
                .then_some(config.retention.clone()),
        });
        carry_out(&config, &task, self.target.json)
    }
}
