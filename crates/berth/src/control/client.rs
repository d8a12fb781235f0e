use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;

use anyhow::{Context, bail};

use super::Message;
use super::socket::{NAME, with_path};
use crate::upkeep::{Outcome, Task, Watcher};

/// Has the process that serves a data folder do a task, and waits until it is done.
pub(crate) fn ask(folder: &Path, task: &Task, watcher: &dyn Watcher) -> anyhow::Result<Outcome> {
    let shown = folder.display();
    let mut server = with_path(folder, NAME, UnixStream::connect).with_context(|| {
        format!("another process has the data folder {shown}, but does not take tasks")
    })?;
    let mut line = serde_json::to_string(task)?;
    line.push('\n');
    server
        .write_all(line.as_bytes())
        .context("cannot tell the server what to do")?;
    for line in BufReader::new(server).lines() {
        let line = line.context("the server broke off")?;
        let message = serde_json::from_str(&line)
            .context("the server is of another version, and tells what this one does not know")?;
        match message {
            Message::Progress(progress) => watcher.tell(&progress),
            Message::Finding(finding) => watcher.found(&finding),
            Message::Done(outcome) => return Ok(outcome),
            Message::Failed(error) => bail!("{error}"),
        }
    }
    bail!("the server stopped before the task was done; what it has done so far stays done")
}
