use diesel::prelude::*;
use diesel::sqlite::SqliteConnection;
use tokio::sync::oneshot;

use crate::MetadataError;

/// Something to be written, with somebody waiting for the answer.
pub(super) trait Job: Send {
    /// Does the work in a savepoint of the transaction that is open, and keeps what came of it. It
    /// may be done again if that transaction is rolled back.
    ///
    /// # Errors
    /// If the database failed, so that nothing of the transaction can be relied on. That the work
    /// itself was refused is no such error: only its savepoint is rolled back.
    fn run(&mut self, connection: &mut SqliteConnection) -> Result<(), MetadataError>;

    /// Answers, now that the transaction is committed, or not.
    fn answer(self: Box<Self>, committed: Result<(), MetadataError>);
}

/// Where the answer to a [`Work`] arrives.
pub(super) type Answer<T> = oneshot::Receiver<Result<T, MetadataError>>;

/// A [`Job`] made of a closure that does the work, and one that is told what came of it before
/// anybody else is.
pub(super) struct Work<T, F, D> {
    work: F,
    done: D,
    outcome: Option<Result<T, MetadataError>>,
    waiting: oneshot::Sender<Result<T, MetadataError>>,
}

impl<T, F, D> Work<T, F, D>
where
    F: FnMut(&mut SqliteConnection) -> Result<T, MetadataError>,
    D: FnOnce(&Result<T, MetadataError>),
{
    /// The job, and where its answer will be.
    pub(super) fn new(work: F, done: D) -> (Self, Answer<T>) {
        let (waiting, answer) = oneshot::channel();
        let job = Self {
            work,
            done,
            outcome: None,
            waiting,
        };
        (job, answer)
    }
}

impl<T, F, D> Job for Work<T, F, D>
where
    T: Send,
    F: FnMut(&mut SqliteConnection) -> Result<T, MetadataError> + Send,
    D: FnOnce(&Result<T, MetadataError>) + Send,
{
    fn run(&mut self, connection: &mut SqliteConnection) -> Result<(), MetadataError> {
        match connection.transaction(&mut self.work) {
            Err(error @ (MetadataError::Database(_) | MetadataError::StorageFull)) => Err(error),
            outcome => {
                self.outcome = Some(outcome);
                Ok(())
            }
        }
    }

    fn answer(self: Box<Self>, committed: Result<(), MetadataError>) {
        let never_ran = || Err(MetadataError::Database("the work was not done".to_owned()));
        let answer = match committed {
            Ok(()) => self.outcome.unwrap_or_else(never_ran),
            Err(error) => Err(error),
        };
        (self.done)(&answer);
        // Whoever waited may have gone away; the work is done all the same.
        let _ = self.waiting.send(answer);
    }
}
