use std::time::Duration;

use async_trait::async_trait;

use crate::MetadataError;

/// Whose turn it is to do what any process may do and one at a time should. It saves work and nothing else: a process that was
/// paused may go on with what another one has begun meanwhile, so tasks must bear being done twice.
///
/// Time is that of the store, whoever asks. Turns need not be durable.
#[async_trait]
pub trait TurnStore: Send + Sync + 'static {
    /// Takes one of these tasks that is due: nobody has begun it yet, or it was begun `every` ago, or whoever had it did not end it
    /// before its time ran out. Of several, the one that was begun the longest ago; of those that nobody has begun yet, the
    /// first. It must be ended, or kept again and again, within `lease`. `None` if none is due.
    async fn take_turn(
        &self,
        tasks: &[String],
        every: Duration,
        lease: Duration,
    ) -> Result<Option<Turn>, MetadataError>;

    /// Keeps it for another `lease`. `false` if its time has run out and somebody else has it.
    async fn keep_turn(&self, turn: &Turn, lease: Duration) -> Result<bool, MetadataError>;

    /// Ends it, whatever came of it. Does nothing if somebody else has it.
    async fn end_turn(&self, turn: &Turn) -> Result<(), MetadataError>;
}

/// A task that was taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Turn {
    /// Which.
    pub task: String,
    /// Tells this turn from all others. Only the store that gave it knows what it means.
    pub token: String,
}
