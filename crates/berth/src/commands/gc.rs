use std::process::ExitCode;

use clap::{ArgMatches, Args};

use super::{Target, carry_out};
use crate::config::{Config, Delay};
use crate::place::Place;
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
        self.refuse_guesses(&config)?;
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

    /// A server that has a folder says itself what its options are. Replicas do not, and what they have promised to keep for longer
    /// must not go sooner.
    fn refuse_guesses(&self, config: &Config) -> anyhow::Result<()> {
        let is_known = self.target.is_configured() || self.grace.is_some();
        let place = Place::of(config)?;
        anyhow::ensure!(
            is_known || matches!(place, Place::Folder(_)),
            "how long the replicas on {place} keep what is unused is not known here: name the configuration file that they have \
             with --config, or their collection_grace with --grace"
        );
        Ok(())
    }
}
