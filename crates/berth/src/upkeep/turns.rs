use std::time::Duration;

use berth_metadata::Turn;
use tokio::time::sleep;
use tracing::warn;

use super::Upkeep;

/// How long a replica that is killed keeps others from what it was doing.
const LEASE: Duration = Duration::from_secs(60);

impl Upkeep {
    /// Takes one of these tasks, if any is due and no other replica has it.
    pub(super) async fn turn(
        &self,
        tasks: &[String],
        every: Duration,
    ) -> anyhow::Result<Option<Turn>> {
        Ok(self.metadata.take_turn(tasks, every, LEASE).await?)
    }

    /// Does the work of a turn, and keeps and ends it. One that failed is not ended: when its time has run out it is due again.
    pub(super) async fn in_turn<T, E>(
        &self,
        turn: &Turn,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        let done = tokio::select! {
            done = work => done?,
            never = self.keep(turn) => match never {},
        };
        if let Err(error) = self.metadata.end_turn(turn).await {
            warn!(%error, task = turn.task, "cannot end a turn; its time will run out");
        }
        Ok(done)
    }

    /// If another replica has it meanwhile, what is done here is done twice, which harms nothing.
    async fn keep(&self, turn: &Turn) -> Never {
        loop {
            sleep(LEASE / 3).await;
            if let Err(error) = self.metadata.keep_turn(turn, LEASE).await {
                warn!(%error, task = turn.task, "cannot keep a turn");
            }
        }
    }
}

/// There is none.
enum Never {}
