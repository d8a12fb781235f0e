use std::fs::{self, DirBuilder, Permissions, remove_dir, remove_file, rename, set_permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use berth_progress::{Observer, Progress};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{interval, sleep, timeout};
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

/// How long a client may take nothing of what it is told, before it counts as gone.
const SEND_TIMEOUT: Duration = Duration::from_secs(30);

/// The folder in which the socket is until it is its owner's alone.
const PRIVATE: &str = "control.new";

/// Where a server takes tasks from other processes of its owner.
pub(crate) struct ControlSocket {
    listener: UnixListener,
    path: PathBuf,
}

impl ControlSocket {
    /// Takes the place of the socket that an earlier server left in the folder: whoever calls this has
    /// claimed the folder.
    pub(crate) fn bind(folder: &Path) -> anyhow::Result<Self> {
        let (path, private) = (folder.join(NAME), folder.join(PRIVATE));
        let bind = || -> io::Result<UnixListener> {
            remove_leftover(&private)?;
            // Nobody else can come to the socket there, whatever its mode is at first.
            DirBuilder::new().mode(0o700).create(&private)?;
            let listener = with_path(&private, NAME, UnixListener::bind)?;
            set_permissions(private.join(NAME), Permissions::from_mode(0o600))?;
            rename(private.join(NAME), &path)?;
            remove_dir(&private)?;
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

/// Of a start that ended in between.
fn remove_leftover(path: &Path) -> io::Result<()> {
    let removed = match fs::symlink_metadata(path) {
        Ok(found) if found.is_dir() => fs::remove_dir_all(path),
        Ok(_) => remove_file(path),
        Err(error) => Err(error),
    };
    match removed {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

async fn answer(client: UnixStream, upkeep: Upkeep) {
    let (mut reads, mut writes) = client.into_split();
    let told = match read_task(&mut reads).await {
        Ok(task) => {
            let may_be_given_up = task.may_be_given_up();
            tokio::select! {
                told = run(task, upkeep, &mut writes) => told,
                () = gone(&mut reads), if may_be_given_up => Err(io::ErrorKind::ConnectionReset.into()),
            }
        }
        Err(error) => {
            let failed = Message::Failed(format!("the task cannot be read: {error}"));
            send(&mut writes, &failed).await
        }
    };
    if let Err(error) = told {
        info!(%error, "whoever gave a task went away: it is given up");
    }
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

/// Does a task, and tells the client about it. The task goes on while the client is slow to listen, so
/// that what it holds is not held any longer; it ends with the client, unless it changes accounts.
///
/// # Errors
/// If the client is gone.
async fn run(task: Task, upkeep: Upkeep, writes: &mut OwnedWriteHalf) -> io::Result<()> {
    let (progress, mut latest) = watch::channel(None);
    let (findings, mut found) = mpsc::unbounded_channel();
    let remote = Remote { progress, findings };
    // Ends the task when it is dropped.
    let mut running = JoinSet::new();
    running.spawn(async move { upkeep.run(&task, &remote).await });
    let mut ticks = interval(PROGRESS_PAUSE);
    let done = loop {
        tokio::select! {
            Some(done) = running.join_next() => break done,
            Some(finding) = found.recv() => send(writes, &Message::Finding(finding)).await?,
            _ = ticks.tick() => {
                if latest.has_changed().unwrap_or(false) {
                    let progress = latest.borrow_and_update().clone();
                    if let Some(progress) = progress {
                        send(writes, &Message::Progress(progress)).await?;
                    }
                }
            }
        }
    };
    while let Ok(finding) = found.try_recv() {
        send(writes, &Message::Finding(finding)).await?;
    }
    let last = match done.map_err(anyhow::Error::from).flatten() {
        Ok(outcome) => Message::Done(outcome),
        Err(error) => {
            warn!(error = format!("{error:#}"), "a task failed");
            Message::Failed(format!("{error:#}"))
        }
    };
    send(writes, &last).await
}

async fn send(writes: &mut OwnedWriteHalf, message: &Message) -> io::Result<()> {
    let mut line = serde_json::to_string(message)?;
    line.push('\n');
    timeout(SEND_TIMEOUT, writes.write_all(line.as_bytes())).await?
}

/// A client, as a task sees it.
struct Remote {
    progress: watch::Sender<Option<Progress>>,
    findings: mpsc::UnboundedSender<String>,
}

impl Observer for Remote {
    fn tell(&self, progress: &Progress) {
        self.progress.send_replace(Some(progress.clone()));
    }
}

impl Watcher for Remote {
    fn found(&self, finding: &str) {
        // The task ends soon if nobody is there.
        let _ = self.findings.send(finding.to_owned());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixListener as Listener;

    #[tokio::test]
    async fn the_socket_is_its_owners_and_leftovers_do_not_matter() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        let mode = |name| fs::metadata(path.join(name)).unwrap().permissions().mode();
        drop(Listener::bind(path.join(PRIVATE)).unwrap());
        drop(ControlSocket::bind(path).unwrap());
        fs::create_dir(path.join(PRIVATE)).unwrap();
        drop(Listener::bind(path.join(PRIVATE).join(NAME)).unwrap());
        let _socket = ControlSocket::bind(path).unwrap();
        assert_eq!(mode(NAME) & 0o777, 0o600);
        assert!(!path.join(PRIVATE).exists());
    }
}
