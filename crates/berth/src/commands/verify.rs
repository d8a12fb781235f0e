use std::num::NonZeroU64;
use std::process::ExitCode;

use clap::{ArgMatches, Args};

use super::{Target, carry_out};
use crate::config::Rate;
use crate::upkeep::{Task, Verify};

/// How the data is verified.
#[derive(Args)]
pub(crate) struct VerifyCommand {
    #[command(flatten)]
    target: Target,

    /// How many bytes are read in a second at most, or off for as many as the disk gives
    #[arg(long, value_name = "BYTES|off", default_value = "off")]
    rate: Rate,

    /// Leave corrupt bytes where they are, instead of moving them to quarantine
    #[arg(long)]
    keep: bool,
}

impl VerifyCommand {
    pub(crate) fn run(self, matches: Option<&ArgMatches>) -> anyhow::Result<ExitCode> {
        let config = self.target.load(matches)?;
        let task = Task::Verify(Verify {
            bytes_per_second: self.rate.0.and_then(NonZeroU64::new),
            keep: self.keep,
        });
        carry_out(&config, &task, self.target.json)
    }
}
