use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use diesel::sqlite::SqliteConnection;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tracing::error;

use super::cache::{Change, ManifestCache};
use super::connection::{open_writer, unusable};
use super::queue::{Job, Work};
use crate::MetadataError;

/// How many jobs may wait; whoever comes later waits to be let in.
const WAITING: usize = 256;

/// How many jobs are committed together at most.
const TOGETHER: usize = 128;

type Jobs = Vec<Box<dyn Job>>;

/// The thread that writes. Jobs that come while a commit is under way are committed together next.
pub(super) struct Writer {
    /// Taken when the writer is dropped, which ends the thread.
    jobs: Option<Sender<Box<dyn Job>>>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    /// Starts it. The cache hears of every change before anybody is answered.
    pub(super) fn start(
        path: &Path,
        connection: SqliteConnection,
        cache: Arc<ManifestCache>,
    ) -> Result<Self, MetadataError> {
        let (jobs, waiting) = channel(WAITING);
        let thread = WriterThread {
            path: path.to_owned(),
            connection: Some(connection),
            cache,
        };
        let thread = thread::Builder::new()
            .name("metadata-writer".to_owned())
            .spawn(move || thread.serve(waiting))
            .map_err(|error| unusable(path, &error))?;
        Ok(Self {
            jobs: Some(jobs),
            thread: Some(thread),
        })
    }

    /// Does `work` in a transaction, and answers when that is durable. `work` may be called again
    /// after the transaction of its first call was rolled back. `changed` tells from the answer what the
    /// cache must hear of.
    pub(super) async fn write<T: Send + 'static>(
        &self,
        work: impl FnMut(&mut SqliteConnection) -> Result<T, MetadataError> + Send + 'static,
        changed: impl FnOnce(&Result<T, MetadataError>) -> Option<Change> + Send + 'static,
    ) -> Result<T, MetadataError> {
        let stopped = || MetadataError::Database("the writer has stopped".to_owned());
        let (job, answer) = Work::new(work, changed);
        let jobs = self.jobs.as_ref().ok_or_else(stopped)?;
        jobs.send(Box::new(job)).await.map_err(|_| stopped())?;
        answer.await.map_err(|_| stopped())?
    }
}

impl Drop for Writer {
    /// Waits for what is queued, so that the file is closed when this returns.
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            error!("the thread that writes metadata panicked");
        }
    }
}

struct WriterThread {
    path: PathBuf,
    /// `None` after a failure, until a new one is opened.
    connection: Option<SqliteConnection>,
    cache: Arc<ManifestCache>,
}

impl WriterThread {
    fn serve(mut self, mut waiting: Receiver<Box<dyn Job>>) {
        let mut jobs = Jobs::with_capacity(TOGETHER);
        while waiting.blocking_recv_many(&mut jobs, TOGETHER) > 0 {
            self.commit(&mut jobs);
        }
    }

    /// Commits jobs together; if that fails, each alone, so that one that fails harms no other.
    fn commit(&mut self, jobs: &mut Jobs) {
        let together = self.transaction(jobs);
        // What cannot begin cannot for one alone either: each would wait anew for whoever holds a lock.
        let is_settled = together
            .as_ref()
            .map_or_else(|failed| !failed.begun, |()| true);
        if is_settled || jobs.len() == 1 {
            self.answer(jobs, together);
            return;
        }
        // Whatever became of the transaction, nothing that was kept before it is believed any more.
        self.cache.apply(vec![Change::Everything]);
        for job in std::mem::take(jobs) {
            let mut alone = vec![job];
            let committed = self.transaction(&mut alone);
            self.answer(&mut alone, committed);
        }
    }

    /// Runs jobs in one transaction. If it fails, for whatever reason, nothing of it has happened
    /// and the next one begins with a new connection.
    fn transaction(&mut self, jobs: &mut Jobs) -> Result<(), Failed> {
        let mut begun = false;
        let committed = self.run(jobs, &mut begun);
        committed.map_err(|error| {
            error!(%error, "a transaction failed and was rolled back");
            Failed { error, begun }
        })
    }

    /// Answers all jobs of a transaction.
    fn answer(&self, jobs: &mut Jobs, committed: Result<(), Failed>) {
        let committed = committed.map_err(|failed| failed.error);
        let changes = jobs.iter_mut().filter_map(|job| job.change(&committed));
        self.cache.apply(changes.collect());
        jobs.drain(..).for_each(|job| job.answer());
    }

    fn run(&mut self, jobs: &mut Jobs, begun: &mut bool) -> Result<(), MetadataError> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => open_writer(&self.path)?,
        };
        let run = || {
            connection.immediate_transaction(|connection| {
                *begun = true;
                jobs.iter_mut().try_for_each(|job| job.run(connection))
            })
        };
        let panicked = |_| Err(MetadataError::Database("the work panicked".to_owned()));
        catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(panicked)?;
        self.connection = Some(connection);
        Ok(())
    }
}

/// Why a transaction was rolled back.
struct Failed {
    error: MetadataError,
    /// Whether it had begun. If not, none of its jobs is why.
    begun: bool,
}
