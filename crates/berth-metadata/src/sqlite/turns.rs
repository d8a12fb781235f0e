use std::time::Duration;

use async_trait::async_trait;

use crate::{MetadataError, SqliteMetadata, Turn, TurnStore};

/// In memory: one process has the file, and begins anew when it starts.
#[async_trait]
impl TurnStore for SqliteMetadata {
    async fn take_turn(
        &self,
        tasks: &[String],
        every: Duration,
        lease: Duration,
    ) -> Result<Option<Turn>, MetadataError> {
        Ok(self.turns.take(tasks, every, lease))
    }

    async fn keep_turn(&self, turn: &Turn, lease: Duration) -> Result<bool, MetadataError> {
        Ok(self.turns.keep(turn, lease))
    }

    async fn end_turn(&self, turn: &Turn) -> Result<(), MetadataError> {
        self.turns.end(turn);
        Ok(())
    }
}
