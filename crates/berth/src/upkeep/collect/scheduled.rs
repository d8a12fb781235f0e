//! What a server collects by itself, in turns with the other replicas.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use berth_metadata::Turn;
use berth_retention::Mode;
use berth_spec::Shard;

use super::{Collected, Done};
use crate::upkeep::{Outcome, Upkeep, Watcher};

const RETENTION: &str = "retention";
const SWEEP: &str = "sweep";
const EXPIRY: &str = "expiry";
const ORPHANS: &str = "orphans";

/// How often the names of all files are read, to find those that no record knows.
const SWEEP_INTERVAL: Duration = Duration::from_secs(24 * 60 * 60);

/// How often bytes that no upload session owns are looked for.
const ORPHAN_INTERVAL: Duration = Duration::from_secs(24 * 60 * 60);

/// What collects the blobs of a shard.
fn task_of(shard: Shard) -> String {
    format!("collect/{shard}")
}

impl Upkeep {
    /// Does what of a collection is due, and no other replica does. Several share it so: each takes one part, and then the
    /// next that is left. `None` if nothing was.
    pub(crate) async fn collect_in_turns(
        &self,
        every: Duration,
        watcher: &dyn Watcher,
    ) -> anyhow::Result<Option<Outcome>> {
        let mut done = None;
        let came = self.collect_parts(&mut done, every, watcher).await;
        if let Some(done) = &done {
            self.record_collection(done).await;
        }
        came?;
        Ok(done.map(|done| Outcome::Collected(Collected::Done(done))))
    }

    /// What could be done is in `done`, whatever the answer.
    async fn collect_parts(
        &self,
        done: &mut Option<Done>,
        every: Duration,
        watcher: &dyn Watcher,
    ) -> anyhow::Result<()> {
        // Retention first: what it lets go of is then unused.
        let mut tasks = vec![RETENTION.to_owned()];
        tasks.extend(Shard::all().map(task_of));
        // What one part could not do holds up nothing else.
        let mut collected = Ok(());
        while let Some(turn) = self.turn(&tasks, every).await? {
            // Each once: where all together take longer than that, the first is due again before the last is done.
            tasks.retain(|task| *task != turn.task);
            let part = self.collect_part(&turn, done.get_or_insert_default(), watcher);
            let part = self.in_turn(&turn, part).await;
            collected = collected.and(part);
        }
        if let Some(turn) = self.turn(&[SWEEP.to_owned()], SWEEP_INTERVAL).await? {
            let sweep = self.collector.sweep(false, watcher);
            let report = self.in_turn(&turn, sweep).await?;
            done.get_or_insert_default().sweep = Some(report);
        }
        collected
    }

    async fn collect_part(
        &self,
        turn: &Turn,
        done: &mut Done,
        watcher: &dyn Watcher,
    ) -> anyhow::Result<()> {
        if turn.task == RETENTION {
            let retention = Arc::clone(&self.retention);
            done.retention = Some(self.retain(&retention, Mode::Apply, watcher).await?);
            return Ok(());
        }
        let grace = self.registry.settings().collection_grace;
        let shard = Shard::all().find(|shard| task_of(*shard) == turn.task);
        for range in shard.into_iter().flat_map(Shard::ranges) {
            let now = SystemTime::now();
            let collecting = self.collector.collect_range(&range, grace, now, watcher);
            done.blobs.include(&collecting.await?);
        }
        Ok(())
    }

    /// Removes upload sessions whose time has run out, if no other replica has done so lately. Answers how many.
    pub(crate) async fn expire_in_turns(&self, every: Duration) -> anyhow::Result<u64> {
        let Some(turn) = self.turn(&[EXPIRY.to_owned()], every).await? else {
            return Ok(0);
        };
        let expiring = self.registry.expire_uploads(SystemTime::now());
        Ok(self.in_turn(&turn, expiring).await?)
    }

    /// Removes bytes that no upload session owns, if no other replica has done so lately. Answers of how many.
    pub(crate) async fn remove_orphans_in_turns(&self) -> anyhow::Result<u64> {
        let Some(turn) = self.turn(&[ORPHANS.to_owned()], ORPHAN_INTERVAL).await? else {
            return Ok(0);
        };
        let removing = self.registry.remove_orphaned_uploads();
        Ok(self.in_turn(&turn, removing).await?)
    }
}
