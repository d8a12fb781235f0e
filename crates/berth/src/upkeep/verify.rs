use std::num::NonZeroU64;
use std::time::Duration;

use berth_metadata::Turn;
use berth_progress::{Observer, Progress};
use berth_spec::{Digest, SessionId, Shard};
use berth_verify::{Problem, Verification, VerificationReport};
use serde::{Deserialize, Serialize};

use super::{Outcome, Upkeep, Watcher};

/// How the data is to be verified.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(crate) struct Verify {
    /// How many bytes are read in a second at most.
    pub(crate) bytes_per_second: Option<NonZeroU64>,
    /// Whether corrupt bytes stay where they are.
    pub(crate) keep: bool,
}

/// How often the server verifies each thing by itself.
const INTERVAL: Duration = Duration::from_secs(24 * 60 * 60);

/// What verifies the metadata as a whole, and all manifests.
const MANIFESTS: &str = "verify/manifests";

/// What verifies the blobs of a shard.
fn task_of(shard: Shard) -> String {
    format!("verify/{shard}")
}

impl Upkeep {
    /// Compares all that is stored with what it should be.
    pub(super) async fn verify(
        &self,
        verify: &Verify,
        watcher: &dyn Watcher,
    ) -> anyhow::Result<VerificationReport> {
        let verification = self.verification(verify);
        let watcher = Problems(watcher);
        let report = verification.run(&*self.metadata, &*self.blobs, &watcher);
        Ok(report.await?)
    }

    fn verification(&self, verify: &Verify) -> Verification {
        let guards = self.registry.blob_guards().clone();
        Verification {
            bytes_per_second: verify.bytes_per_second,
            quarantine: (!verify.keep).then_some(guards),
            ..Verification::default()
        }
    }

    /// Verifies what is due, and no other replica verifies, at this rate. `None` if nothing is.
    pub(crate) async fn verify_in_turns(
        &self,
        bytes_per_second: NonZeroU64,
        watcher: &dyn Watcher,
    ) -> anyhow::Result<Option<Outcome>> {
        // Not from the first on: a server that is restarted often would never come to the last.
        let anywhere = Digest::sha256(SessionId::random().to_string().as_bytes());
        let first = Shard::of(&anywhere);
        let (before, behind): (Vec<Shard>, Vec<Shard>) = Shard::all().partition(|it| *it < first);
        let mut tasks: Vec<String> = behind.into_iter().chain(before).map(task_of).collect();
        tasks.push(MANIFESTS.to_owned());
        let Some(turn) = self.turn(&tasks, INTERVAL).await? else {
            return Ok(None);
        };
        let verification = self.verification(&Verify {
            bytes_per_second: Some(bytes_per_second),
            keep: false,
        });
        let watcher = Problems(watcher);
        let part = self.verify_part(&verification, &turn, &watcher);
        let report = self.in_turn(&turn, part).await?;
        Ok(Some(Outcome::Verified(report)))
    }

    async fn verify_part(
        &self,
        verification: &Verification,
        turn: &Turn,
        watcher: &Problems<'_>,
    ) -> anyhow::Result<VerificationReport> {
        let metadata = &*self.metadata;
        if turn.task == MANIFESTS {
            return Ok(verification.run_without_blobs(metadata, watcher).await?);
        }
        let mut report = VerificationReport::default();
        let shard = Shard::all().find(|shard| task_of(*shard) == turn.task);
        for range in shard.into_iter().flat_map(Shard::ranges) {
            let run = verification.run_blobs(&range, metadata, &*self.blobs, watcher);
            report.include(&run.await?);
        }
        Ok(report)
    }
}

/// Tells of problems as findings.
pub(super) struct Problems<'a>(pub(super) &'a dyn Watcher);

impl Observer for Problems<'_> {
    fn tell(&self, progress: &Progress) {
        self.0.tell(progress);
    }
}

impl berth_verify::Watcher for Problems<'_> {
    fn found(&self, problem: &Problem) {
        self.0.found(&problem.to_string());
    }
}
