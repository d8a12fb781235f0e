use std::path::{PathBuf, absolute};
use std::process::ExitCode;

use anyhow::Context;
use berth_spec::Globs;
use clap::{ArgMatches, Args};

use super::{Target, carry_out};
use crate::upkeep::{ExportTo, Task};

/// Where an export goes.
#[derive(Args)]
pub(crate) struct ExportCommand {
    /// The folder to write to; what an earlier export has written there is not written again, and nothing is removed
    folder: PathBuf,

    /// Only repositories that match this, such as team/** or library/*; may be given several times
    #[arg(long = "repository", value_name = "GLOB")]
    repositories: Vec<String>,

    #[command(flatten)]
    target: Target,
}

impl ExportCommand {
    pub(crate) fn run(self, matches: Option<&ArgMatches>) -> anyhow::Result<ExitCode> {
        let config = self.target.load(matches)?;
        let repositories = match self.repositories.is_empty() {
            true => Globs::all(),
            false => Globs::try_from(self.repositories)?,
        };
        repositories.check_repositories()?;
        // The server that does it may be in another folder than this command.
        let folder = absolute(&self.folder).context("the folder has no absolute path")?;
        let task = Task::Export(ExportTo {
            folder,
            repositories,
        });
        carry_out(&config, &task, self.target.json)
    }
}
