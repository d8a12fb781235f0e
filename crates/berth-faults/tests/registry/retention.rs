use crate::contents::{CONFIG, HERE, LAYER, OTHER, image, tags};
use crate::every_fault::try_every_fault;
use crate::left::leave_at_every_step;
use crate::process::Process;
use crate::scenario::{Outcome, Scenario};
use crate::seen::Seen;

/// What retention does: it deletes tags, and then manifests that have none.
struct Retention;

impl Scenario for Retention {
    async fn prepare(&self, process: &Process) {
        process.push(&HERE, &[CONFIG, LAYER, OTHER]).await;
        for (layer, names) in [(LAYER, ["kept", "old"]), (OTHER, ["older", "oldest"])] {
            let image = image(CONFIG, &[layer]);
            process.push_image(&HERE, image, &tags(names)).await;
        }
    }

    async fn operate(&self, process: &Process) -> Outcome {
        let metadata = &process.metadata;
        let contents = metadata.repository_contents(&HERE).await?;
        let contents = contents.ok_or("the repository is gone")?;
        let [kept] = tags(["kept"]);
        for entry in contents.tags.iter().filter(|entry| entry.tag != kept) {
            metadata.delete_tag_as_seen(&HERE, entry).await?;
        }
        for manifest in contents.manifests {
            let (digest, used_at) = (&manifest.digest, manifest.used_at);
            let deleted = metadata.delete_manifest_if_unused(&HERE, digest, used_at);
            deleted.await?;
        }
        Ok(())
    }

    /// Each deletion is a transaction of its own.
    fn allows(&self, seen: &Seen, before: &Seen, after: &Seen) -> bool {
        let [seen, before, after] = [seen, before, after].map(|seen| &seen[&*HERE]);
        let has_lost_what_it_may =
            |tag: &_| before.tags.contains_key(tag) || after.tags.contains_key(tag);
        seen.blobs == after.blobs
            && seen.manifests.is_superset(&after.manifests)
            && seen.manifests.is_subset(&before.manifests)
            && after
                .tags
                .iter()
                .all(|(tag, _)| seen.tags.contains_key(tag))
            && seen.tags.keys().all(has_lost_what_it_may)
    }
}

#[test]
fn retention_survives_every_fault() {
    try_every_fault(&Retention);
}

#[test]
fn retention_can_be_left_at_every_step() {
    leave_at_every_step(&Retention);
}
