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
    #[arg(long, env = "BERTH_COLLECTION_GRACE", value_name = "TIME")]
    grace: Option<Delay>,

    /// Remove files that no record knows even if they are most of all; make sure first that this is the right metadata
    #[arg(long)]
    even_most: bool,
}

impl Gc {
    pub(crate) fn run(self, matches: Option<&ArgMatches>) -> anyhow::Result<ExitCode> {
        let config = self.target.load(matches)?;
        let is_configured = self.target.is_configured();
        let configured = is_configured.then(|| config.settings().collection_grace.0);
        let task = Task::Collect(Collect {
            dry_run: self.dry_run,
            grace: self.grace.map(|grace| grace.0).or(configured),
            sweep: true,
            even_most: self.even_most,
            rules: is_configured.then_some(config.retention.clone()),
        });
        carry_out(&config, &task, self.target.json)
    }
}
