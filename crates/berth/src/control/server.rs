use std::fs::{Permissions, remove_file, set_permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use berth_progress::{Observer, Progress};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{mpsc, watch};
use tokio::time::{interval, sleep};
use tracing::{info, warn};

use super::Message;
use super::socket::{NAME, with_path};
use crate::upkeep::{Task, Upkeep, Watcher};

/// The longest task, in bytes.
const TASK_LIMIT: u64 = 1024 * 1024;

/// How long to wait when there are no handles for another connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How often at most progress is told.
const PROGRESS_PAUSE: Duration = Duration::from_millis(100);

/// How many findings may wait to be told.
const FINDINGS: usize = 1000;

/// Where a server takes tasks from other processes of its owner.
pub(crate) struct ControlSocket {
    listener: UnixListener,
    path: PathBuf,
}

impl ControlSocket {
    /// Takes the place of the socket that an earlier server left in the folder: whoever calls this has
    /// claimed the folder.
    pub(crate) fn bind(folder: &Path) -> anyhow::Result<Self> {
        let path = folder.join(NAME);
        let bind = || {
            match remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            let listener = with_path(folder, UnixListener::bind)?;
            set_permissions(&path, Permissions::from_mode(0o600))?;
            Ok(listener)
        };
        let listener =
            bind().with_context(|| format!("cannot listen for tasks on {}", path.display()))?;
        Ok(Self { listener, path })
    }

    /// Does the tasks that come, until this is dropped.
    pub(crate) async fn serve(self, upkeep: Upkeep) {
        loop {
            match self.listener.accept().await {
                Ok((client, _)) => drop(tokio::spawn(answer(client, upkeep.clone()))),
                Err(error) => {
                    warn!(%error, "cannot take a task");
                    sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }
}

impl Drop for ControlSocket {
    fn drop(&mut self) {
        // The next server removes it otherwise.
        let _ = remove_file(&self.path);
    }
}

async fn answer(client: UnixStream, upkeep: Upkeep) {
    let (mut reads, mut writes) = client.into_split();
    let last = match read_task(&mut reads).await {
        Ok(task) => {
            tokio::select! {
                last = run(&task, &upkeep, &mut writes) => last,
                () = gone(&mut reads) => {
                    info!("whoever gave a task went away: it is given up");
                    return;
                }
            }
        }
        Err(error) => Message::Failed(format!("the task cannot be read: {error}")),
    };
    send(&mut writes, &last).await;
}

async fn read_task(reads: &mut OwnedReadHalf) -> io::Result<Task> {
    let mut line = String::new();
    BufReader::new(reads.take(TASK_LIMIT))
        .read_line(&mut line)
        .await?;
    Ok(serde_json::from_str(&line)?)
}

/// Waits until the client closes its end.
async fn gone(reads: &mut OwnedReadHalf) {
    let mut ignored = [0; 64];
    while let Ok(1..) = reads.read(&mut ignored).await {}
}

/// Does a task, and tells the client about it meanwhile. Answers the last message.
async fn run(task: &Task, upkeep: &Upkeep, writes: &mut OwnedWriteHalf) -> Message {
    let (progress, mut latest) = watch::channel(None);
    let (findings, mut found) = mpsc::channel(FINDINGS);
    let remote = Remote { progress, findings };
    let mut running = std::pin::pin!(upkeep.run(task, &remote));
    let mut ticks = interval(PROGRESS_PAUSE);
    let done = loop {
        tokio::select! {
            done = &mut running => break done,
            Some(finding) = found.recv() => send(writes, &Message::Finding(finding)).await,
            _ = ticks.tick() => {
                let progress = latest.borrow_and_update().clone();
                if let Some(progress) = progress {
                    send(writes, &Message::Progress(progress)).await;
                }
            }
        }
    };
    while let Ok(finding) = found.try_recv() {
        send(writes, &Message::Finding(finding)).await;
    }
    match done {
        Ok(outcome) => Message::Done(outcome),
        Err(error) => {
            warn!(error = format!("{error:#}"), "a task failed");
            Message::Failed(format!("{error:#}"))
        }
    }
}

/// A client that went away needs no message.
async fn send(writes: &mut OwnedWriteHalf, message: &Message) {
    if let Ok(mut line) = serde_json::to_string(message) {
        line.push('\n');
        let _ = writes.write_all(line.as_bytes()).await;
    }
}

/// A client, as a task sees it.
struct Remote {
    progress: watch::Sender<Option<Progress>>,
    findings: mpsc::Sender<String>,
}

impl Observer for Remote {
    fn tell(&self, progress: &Progress) {
        self.progress.send_replace(Some(progress.clone()));
    }
}

impl Watcher for Remote {
    fn found(&self, finding: &str) {
        // One that comes too fast is in the log, and counted in the outcome.
        let _ = self.findings.try_send(finding.to_owned());
    }
}
