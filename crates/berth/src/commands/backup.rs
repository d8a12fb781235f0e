use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, ensure};
use clap::{ArgMatches, Args};

use super::{Target, carry_out};
use crate::upkeep::{BackUp, NO_BACKUP, Task};

/// Where the backup goes.
#[derive(Args)]
pub(crate) struct BackupCommand {
    /// The folder of the backup; what an earlier backup has copied there is not copied again
    folder: PathBuf,

    #[command(flatten)]
    target: Target,

    /// Compare what is there already with its digests, too
    #[arg(long)]
    rehash: bool,
}

impl BackupCommand {
    pub(crate) fn run(self, matches: Option<&ArgMatches>) -> anyhow::Result<ExitCode> {
        let config = self.target.load(matches)?;
        ensure!(config.database()?.is_none(), NO_BACKUP);
        // The server that does it may be in another folder than this command.
        let folder =
            std::path::absolute(&self.folder).context("the folder has no absolute path")?;
        let task = Task::BackUp(BackUp {
            folder,
            rehash: self.rehash,
        });
        carry_out(&config, &task, self.target.json)
    }
}
