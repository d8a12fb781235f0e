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

/// A [`Job`] made of a closure.
pub(super) struct Work<T, F> {
    work: F,
    outcome: Option<Result<T, MetadataError>>,
    waiting: oneshot::Sender<Result<T, MetadataError>>,
}

impl<T, F> Work<T, F>
where
    F: FnMut(&mut SqliteConnection) -> Result<T, MetadataError>,
{
    /// The job, and where its answer will be.
    pub(super) fn new(work: F) -> (Self, oneshot::Receiver<Result<T, MetadataError>>) {
        let (waiting, answer) = oneshot::channel();
        let job = Self {
            work,
            outcome: None,
            waiting,
        };
        (job, answer)
    }
}

impl<T, F> Job for Work<T, F>
where
    T: Send,
    F: FnMut(&mut SqliteConnection) -> Result<T, MetadataError> + Send,
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
        // Whoever waited may have gone away; the work is done all the same.
        let _ = self.waiting.send(answer);
    }
}
