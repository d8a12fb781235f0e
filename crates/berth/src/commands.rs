//! The commands that look after a data folder, beside a server or without one.

mod backup;
mod export;
mod gc;
mod import;
mod key;
mod migrate;
mod restore;
mod target;
mod token;
mod user;
mod verify;

use std::io::{self, ErrorKind, Write};
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;
use tokio::runtime::Runtime;

use crate::audit;
use crate::config::Config;
use crate::control;
use crate::data_folder::DataFolder;
use crate::logs;
use crate::place::{Claim, Place};
use crate::terminal::Terminal;
use crate::upkeep::{Outcome, Task, Upkeep};
pub(crate) use backup::BackupCommand;
pub(crate) use export::ExportCommand;
pub(crate) use gc::Gc;
pub(crate) use import::ImportCommand;
pub(crate) use key::KeyCommand;
pub(crate) use migrate::MigrateCommand;
pub(crate) use restore::RestoreCommand;
pub(crate) use target::Target;
pub(crate) use token::TokenCommand;
pub(crate) use user::UserCommand;
pub(crate) use verify::VerifyCommand;

/// Does a task, and prints what came of it.
fn carry_out(config: &Config, task: &Task, as_json: bool) -> anyhow::Result<ExitCode> {
    print(&perform(config, task)?, as_json)
}

/// Does a task: in the process that serves the data folder, if there is one, or else here.
fn perform(config: &Config, task: &Task) -> anyhow::Result<Outcome> {
    let place = Place::of(config)?;
    let is_first = !place.has_registry(config)?;
    anyhow::ensure!(
        !is_first || task.may_come_first(),
        "there is no registry in {place}; {}",
        place.option()
    );
    let outcome = match &place {
        Place::Folder(path) => perform_in_folder(config, task, path)?,
        Place::Shared(_) => perform_here(config, task, &place.claim()?)?,
    };
    Ok(match is_first {
        true => outcome.of_new_registry(&place),
        false => outcome,
    })
}

fn perform_in_folder(config: &Config, task: &Task, path: &Path) -> anyhow::Result<Outcome> {
    let Some(folder) = DataFolder::try_claim(path)? else {
        return control::ask(path, task, &Terminal::new());
    };
    if task.brings_news() {
        folder.refuse_backup()?;
    }
    perform_here(config, task, &Claim::Folder(folder))
}

/// Does a task in this process. What still writes has ended when this answers.
fn perform_here(config: &Config, task: &Task, claim: &Claim) -> anyhow::Result<Outcome> {
    let _logs = logs::start(config)?;
    let terminal = Terminal::new();
    // Closed when all is done.
    let (audit, _thread) = audit::open(config)?;
    let runtime = Runtime::new().context("cannot start the runtime")?;
    runtime.block_on(async {
        let upkeep = Upkeep::new(claim.open(config).await?, config, audit)?;
        let upkeep = match claim {
            Claim::Folder(_) => upkeep,
            Claim::Shared(_) => upkeep.beside_replicas().await?,
        };
        upkeep.run(task, &terminal).await
    })
}

/// Prints what came of a task, and answers whether all is well.
fn print(outcome: &Outcome, as_json: bool) -> anyhow::Result<ExitCode> {
    let text = match as_json {
        true => outcome.to_json()?,
        false => outcome.to_string(),
    };
    match writeln!(io::stdout(), "{text}") {
        // Whoever reads has read enough.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => {}
        printed => printed.context("cannot print to standard output")?,
    }
    Ok(match outcome.is_clean() {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}
