use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::{ArgMatches, Args};
use tokio::runtime::Runtime;

use super::{Target, print};
use crate::logs;
use crate::terminal::Terminal;
use crate::upkeep::{NO_BACKUP, Outcome, restore};

/// Which backup is restored.
#[derive(Args)]
pub(crate) struct RestoreCommand {
    /// The folder of the backup
    folder: PathBuf,

    #[command(flatten)]
    target: Target,
}

impl RestoreCommand {
    pub(crate) fn run(self, matches: Option<&ArgMatches>) -> anyhow::Result<ExitCode> {
        let config = self.target.load(matches)?;
        anyhow::ensure!(config.database()?.is_none(), NO_BACKUP);
        let _logs = logs::start(&config)?;
        let runtime = Runtime::new().context("cannot start the runtime")?;
        let terminal = Terminal::new();
        let restored = runtime.block_on(restore(&self.folder, &config.data, &terminal))?;
        drop(terminal);
        print(&Outcome::Restored(restored), self.target.json)
    }
}
