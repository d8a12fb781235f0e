use std::time::Duration;

use berth_metadata::Grace;
use berth_progress::Nobody;
use berth_registry::{Content, RegistryError};

use crate::contents::{CONFIG, HERE, LAYER, OTHER, THERE, UNUSED, digest, image, tags};
use crate::every_fault::try_every_fault;
use crate::left::leave_at_every_step;
use crate::process::{Process, later};
use crate::scenario::{Outcome, Scenario};
use crate::seen::Seen;

/// Condemns and deletes at once whatever no manifest needs.
async fn collect(process: &Process) -> Outcome {
    let at_once = Grace(Duration::ZERO);
    process
        .collector
        .collect(at_once, later(1), &Nobody)
        .await?;
    Ok(())
}

/// A collection of two blobs that no manifest needs.
struct Collect;

impl Scenario for Collect {
    async fn prepare(&self, process: &Process) {
        process.push(&HERE, &[CONFIG, LAYER, OTHER]).await;
        process.push(&THERE, &[OTHER, UNUSED]).await;
        let image = image(CONFIG, &[LAYER]);
        process.push_image(&HERE, image, &tags(["latest"])).await;
    }

    async fn operate(&self, process: &Process) -> Outcome {
        collect(process).await
    }
}

/// A sweep of what a crash left: one file that nothing knows, and one that is recorded by now.
struct Sweep;

impl Scenario for Sweep {
    async fn prepare(&self, process: &Process) {
        process.push(&HERE, &[LAYER]).await;
        process.push(&THERE, &[OTHER, UNUSED]).await;
        process.condemn(&[OTHER, UNUSED]).await;
        let digests = [digest(OTHER), digest(UNUSED)];
        let metadata = &process.stored.metadata;
        let forgotten = metadata.forget_blobs(&digests, later(1), later(1)).await;
        assert_eq!(forgotten.unwrap().len(), 2);
    }

    async fn operate(&self, process: &Process) -> Outcome {
        process.collector.sweep(true, &Nobody).await?;
        Ok(())
    }

    async fn assert_done(&self, process: &Process) {
        for (content, is_recorded) in [(LAYER, true), (OTHER, false), (UNUSED, false)] {
            let file = process.stored.blobs.open(&digest(content).into()).await;
            let file = file.unwrap();
            assert_eq!(file.is_some(), is_recorded, "{content}");
        }
    }
}

/// A push of an image, while a collection is about to delete its blob.
struct CollectWhilePushed;

impl Scenario for CollectWhilePushed {
    async fn prepare(&self, process: &Process) {
        process.push(&HERE, &[LAYER]).await;
        let (metadata, digest) = (&process.stored.metadata, digest(LAYER));
        assert!(metadata.unlink_blob(&HERE, &digest).await.unwrap());
        process.condemn(&[LAYER]).await;
    }

    async fn operate(&self, process: &Process) -> Outcome {
        let (pushed, collected) = tokio::join!(push(process), collect(process));
        pushed?;
        collected?;
        let image = || crate::manifest::push(process, &THERE, image(LAYER, &[]), &[]);
        match image().await {
            // Without a grace period, a blob may be gone before its manifest comes.
            Err(RegistryError::ReferencesUnknown { .. }) => {
                push(process).await?;
                image().await?;
            }
            pushed => drop(pushed?),
        }
        Ok(())
    }

    /// The blob comes before its manifest, and may go again as long as no manifest is there.
    fn allows(&self, seen: &Seen, before: &Seen, after: &Seen) -> bool {
        let has_manifest =
            |seen: &Seen| seen.get(&*THERE).is_some_and(|it| !it.manifests.is_empty());
        seen == after || seen[&*HERE] == before[&*HERE] && !has_manifest(seen)
    }
}

async fn push(process: &Process) -> Outcome {
    let content = Content::from_bytes(LAYER);
    let (registry, digest) = (&process.registry, digest(LAYER));
    registry.push_blob(&THERE, &digest, content).await?;
    Ok(())
}

#[test]
fn a_collection_survives_every_fault() {
    try_every_fault(&Collect);
}

#[test]
fn a_collection_can_be_left_at_every_step() {
    leave_at_every_step(&Collect);
}

#[test]
fn a_sweep_survives_every_fault() {
    try_every_fault(&Sweep);
}

#[test]
fn a_sweep_can_be_left_at_every_step() {
    leave_at_every_step(&Sweep);
}

#[test]
fn a_collection_while_its_blob_is_pushed_survives_every_fault() {
    try_every_fault(&CollectWhilePushed);
}

#[test]
fn a_collection_while_its_blob_is_pushed_can_be_left_at_every_step() {
    leave_at_every_step(&CollectWhilePushed);
}
