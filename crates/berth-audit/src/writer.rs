use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use tokio::sync::OwnedSemaphorePermit;
use tracing::{error, warn};

use crate::file::LogFile;
use crate::line;

/// How long lines may be written and not yet durable.
const SYNC_INTERVAL: Duration = Duration::from_secs(1);

/// How often, when there is nothing to write, it is seen to that there can be.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// How often the registry's log is told that the audit log still cannot be written.
const REMINDER_INTERVAL: Duration = Duration::from_secs(60);

/// What the thread is given to do.
pub(crate) enum Task {
    /// Write this; it has room in the queue until then.
    Write(Vec<u8>, OwnedSemaphorePermit),
    /// Go on in the file that has the log's name now.
    Reopen,
    /// Make all that was written durable, and say whether it is.
    Sync(mpsc::SyncSender<bool>),
    /// Make all that was written durable, say so, and end.
    End(mpsc::SyncSender<()>),
}

/// What the thread tells everybody.
#[derive(Debug, Default)]
pub(crate) struct Health {
    /// How many lines are missing in the file, and not yet told there.
    pub(crate) lost: AtomicU64,
    /// How many more are, which were of refusals and found no room.
    pub(crate) lost_refusals: AtomicU64,
    /// Nothing can be written.
    pub(crate) is_broken: AtomicBool,
}

/// The one that writes.
pub(crate) struct Writer {
    file: LogFile,
    health: Arc<Health>,
    /// How many lines were written since the last sync.
    unsynced: u64,
    synced_at: Option<Instant>,
    reminded_at: Option<Instant>,
}

impl Writer {
    pub(crate) fn new(file: LogFile, health: Arc<Health>) -> Self {
        Self {
            file,
            health,
            unsynced: 0,
            synced_at: None,
            reminded_at: None,
        }
    }

    /// Works until it is told to end, or there is nobody left to give it work.
    pub(crate) fn run(mut self, tasks: &Receiver<Task>) {
        loop {
            match tasks.recv_timeout(self.patience()) {
                Ok(Task::Write(line, _room)) => self.write(&line),
                Ok(Task::Reopen) => self.attempt(|writer| writer.file.reopen()),
                Ok(Task::Sync(asked)) => {
                    self.attempt(Self::sync);
                    // Whoever asked may have gone.
                    let _ = asked.send(!self.is_broken());
                }
                Ok(Task::End(waiting)) => {
                    self.attempt(Self::sync);
                    let _ = waiting.send(());
                    return;
                }
                Err(RecvTimeoutError::Disconnected) => return self.attempt(Self::sync),
                Err(RecvTimeoutError::Timeout) => self.attempt(Self::prepare),
            }
            if self.until_sync().is_some_and(|left| left.is_zero()) {
                self.attempt(Self::sync);
            }
        }
    }

    /// How long to wait for the next task: until a sync is due, or it is time to look after the file.
    fn patience(&self) -> Duration {
        self.until_sync().unwrap_or(LOOK_INTERVAL)
    }

    /// How long until the next sync is due; `None` if there is nothing to sync.
    fn until_sync(&self) -> Option<Duration> {
        let since = self.synced_at.map_or(SYNC_INTERVAL, |at| at.elapsed());
        (self.unsynced > 0).then(|| SYNC_INTERVAL.saturating_sub(since))
    }

    fn write(&mut self, line: &[u8]) {
        let written = self.prepare().and_then(|()| self.file.append(line));
        match written {
            Ok(()) => self.unsynced += 1,
            Err(error) => {
                self.health.lost.fetch_add(1, Ordering::SeqCst);
                self.broke(&error);
            }
        }
    }

    /// Sees to it that the next line can follow: in the right file, and after the line that tells how many are lost.
    /// If nothing could be written, it can again only when that much can be made durable, too.
    fn prepare(&mut self) -> io::Result<()> {
        self.file.follow()?;
        self.tell_loss()?;
        if !self.is_broken() {
            return Ok(());
        }
        self.sync_file()?;
        self.health.is_broken.store(false, Ordering::SeqCst);
        self.reminded_at = None;
        warn!(path = %self.file.path().display(), "the audit log is written again");
        Ok(())
    }

    fn tell_loss(&mut self) -> io::Result<()> {
        let Health {
            lost: others,
            lost_refusals: refusals,
            ..
        } = &*self.health;
        let lost_others = others.load(Ordering::SeqCst);
        let lost_refusals = refusals.load(Ordering::SeqCst);
        let lost = lost_others + lost_refusals;
        if lost == 0 {
            return Ok(());
        }
        self.file.append(&line::of_loss(lost)?)?;
        // If this line is lost in its turn, it stands for so many.
        self.unsynced += lost;
        // More may have been lost meanwhile: they are told in the next such line.
        others.fetch_sub(lost_others, Ordering::SeqCst);
        refusals.fetch_sub(lost_refusals, Ordering::SeqCst);
        warn!(lost, "the audit log lacks lines, and says so");
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        self.prepare()?;
        self.sync_file()
    }

    fn sync_file(&mut self) -> io::Result<()> {
        let synced = self.file.sync();
        let unsynced = std::mem::take(&mut self.unsynced);
        if synced.is_err() {
            // The kernel may have dropped them, and would not say so again.
            self.health.lost.fetch_add(unsynced, Ordering::SeqCst);
        }
        self.synced_at = Some(Instant::now());
        synced
    }

    fn attempt(&mut self, step: impl FnOnce(&mut Self) -> io::Result<()>) {
        if let Err(error) = step(self) {
            self.broke(&error);
        }
    }

    fn is_broken(&self) -> bool {
        self.health.is_broken.load(Ordering::SeqCst)
    }

    /// Notes that nothing can be written, and says so at once and every minute.
    fn broke(&mut self, error: &io::Error) {
        self.health.is_broken.store(true, Ordering::SeqCst);
        let is_told = |at: Instant| at.elapsed() < REMINDER_INTERVAL;
        if self.reminded_at.is_some_and(is_told) {
            return;
        }
        self.reminded_at = Some(Instant::now());
        let path = self.file.path().display();
        let lost = self.health.lost.load(Ordering::SeqCst);
        error!(%error, %path, lost, "the audit log cannot be written: what happens meanwhile will be missing in it");
    }
}
