use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{self, Sender};
use std::thread;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use crate::file::{LogFile, OpenError};
use crate::line;
use crate::record::Record;
use crate::writer::{Health, Task, Writer};

/// How many lines may wait to be written, without those of refusals.
const QUEUE: usize = 4096;

/// How many lines of refusals may wait beside them. Anybody can cause those, so they take no place of the others.
const REFUSALS: usize = 1024;

/// How long whoever has one more waits for room.
const PATIENCE: Duration = Duration::from_secs(1);

/// How long the last lines may take at the end.
const END_PATIENCE: Duration = Duration::from_secs(5);

/// How an audit log is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// Whether nothing may be changed while the log cannot be written: [`AuditLog::check`] says so.
    pub is_required: bool,
}

/// Takes records, and has them written. Clones are the same log.
///
/// What survives: a line is in the file, for every other program to see and whatever becomes of the process, as soon
/// as the thread comes to it, which takes a millisecond where nothing is wrong; it is durable at most a second later
/// (and the time that the sync takes). So when the process is killed, the lines of about the last millisecond may be
/// missing, and when the machine fails, those of about the last second: always the last ones, without a gap.
/// [`AuditLog::sync`] waits for the end of that.
///
/// The file may be renamed at any time, as `logrotate` does: the next line goes to a new one of the same name.
#[derive(Clone, Debug)]
pub struct AuditLog(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    tasks: Sender<Task>,
    room: Arc<Semaphore>,
    room_for_refusals: Arc<Semaphore>,
    health: Arc<Health>,
    settings: Settings,
}

/// Sees to it that what waits is written and durable when this is dropped, unless that takes more than five seconds.
/// Later records are lost.
#[derive(Debug)]
#[must_use = "the last lines are written when this is dropped"]
pub struct AuditThread(Sender<Task>);

/// Nothing that changes anything may be done now, since it could not be recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the registry cannot write its audit log, and takes no changes without it; pulls go on, and its owner's log says why"
)]
pub struct Unwritable;

impl AuditLog {
    /// Opens the log, and makes the file (mode 0600) if there is none. If it ends in the middle of a line, that is
    /// ended first.
    ///
    /// # Errors
    /// When the file cannot be opened, or there can be no more threads.
    pub fn open(path: &Path, settings: Settings) -> Result<(Self, AuditThread), OpenError> {
        let file = LogFile::open(path)?;
        let health = Arc::new(Health::default());
        let writer = Writer::new(file, Arc::clone(&health));
        let (tasks, given) = mpsc::channel();
        thread::Builder::new()
            .name("audit-writer".to_owned())
            .spawn(move || writer.run(&given))
            .map_err(|source| OpenError::new(path, source))?;
        let log = Self(Arc::new(Shared {
            tasks: tasks.clone(),
            room: Arc::new(Semaphore::new(QUEUE)),
            room_for_refusals: Arc::new(Semaphore::new(REFUSALS)),
            health,
            settings,
        }));
        Ok((log, AuditThread(tasks)))
    }

    /// Hands a record over. If 4096 others wait already, it waits with them for at most a second; then the
    /// record is lost, and a line in the log will say that one is; also if whoever waits gives up. Refusals wait apart,
    /// up to 1024 of them: whoever is refused over and over keeps nobody else's record out.
    pub async fn record(&self, record: Record) {
        let room = Arc::clone(self.room(&record));
        let mut pending = Pending {
            log: self,
            record,
            room: Arc::clone(&room).try_acquire_owned().ok(),
        };
        if pending.room.is_none() {
            let room = timeout(PATIENCE, room.acquire_owned()).await;
            pending.room = room.ok().and_then(Result::ok);
        }
    }

    /// As [`AuditLog::record`], for whoever cannot wait: if too many others do, the record is lost at once.
    pub fn record_now(&self, record: &Record) {
        let room = Arc::clone(self.room(record)).try_acquire_owned();
        self.hand_over(record, room.ok());
    }

    fn room(&self, record: &Record) -> &Arc<Semaphore> {
        match record.event.is_refusal() {
            true => &self.0.room_for_refusals,
            false => &self.0.room,
        }
    }

    fn hand_over(&self, record: &Record, room: Option<OwnedSemaphorePermit>) {
        let task = match (line::of(record), room) {
            (Ok(line), Some(room)) => Task::Write(line, room),
            _ => return self.lose(record),
        };
        if self.0.tasks.send(task).is_err() {
            self.lose(record);
        }
    }

    fn lose(&self, record: &Record) {
        let health = &self.0.health;
        let lost = match record.event.is_refusal() {
            true => &health.lost_refusals,
            false => &health.lost,
        };
        lost.fetch_add(1, Ordering::SeqCst);
    }

    /// Whether something may be changed now: always, unless the log is required.
    ///
    /// Ask before the change. A change that was under way when the log broke is done, and its record counts as lost.
    ///
    /// # Errors
    /// When the log is required, and cannot be written or does not keep up. That refusals are lost, because there are
    /// so many, is no such reason.
    pub fn check(&self) -> Result<(), Unwritable> {
        match self.0.settings.is_required && !self.is_written() {
            true => Err(Unwritable),
            false => Ok(()),
        }
    }

    fn is_written(&self) -> bool {
        let Health {
            lost, is_broken, ..
        } = &*self.0.health;
        !is_broken.load(Ordering::SeqCst)
            && lost.load(Ordering::SeqCst) == 0
            && self.0.room.available_permits() > 0
    }

    /// Goes on in the file that has the log's name now. That happens by itself, too, with the first line after it was
    /// renamed.
    pub fn reopen(&self) {
        // Without the thread there is nothing to reopen.
        let _ = self.0.tasks.send(Task::Reopen);
    }

    /// Waits until all that was handed over before is durable, and says whether it is. Blocks the thread: call it where
    /// that may be.
    pub fn sync(&self) -> bool {
        let (asked, answer) = mpsc::sync_channel(1);
        self.0.tasks.send(Task::Sync(asked)).is_ok() && answer.recv().unwrap_or(false)
    }
}

/// A record that is handed over when this is dropped, at the latest when whoever waits for room gives up: the client of a
/// request may go away at any time.
struct Pending<'a> {
    log: &'a AuditLog,
    record: Record,
    room: Option<OwnedSemaphorePermit>,
}

impl Drop for Pending<'_> {
    fn drop(&mut self) {
        self.log.hand_over(&self.record, self.room.take());
    }
}

impl Drop for AuditThread {
    fn drop(&mut self) {
        let (waiting, ended) = mpsc::sync_channel(1);
        if self.0.send(Task::End(waiting)).is_ok() {
            // The thread may be stuck for ever: it ends with the process.
            let _ = ended.recv_timeout(END_PATIENCE);
        }
    }
}
