use berth_registry::{Authority, Condition, ManifestContent, PushedManifest, RegistryError};
use berth_spec::{Digest, RepositoryName, Tag};
use bytes::Bytes;

use crate::contents::{CONFIG, HERE, LAYER, OTHER, image, tags};
use crate::every_fault::try_every_fault;
use crate::left::leave_at_every_step;
use crate::process::Process;
use crate::scenario::{Outcome, Scenario};

/// Pushes a manifest by its digest, with tags.
pub(crate) async fn push(
    process: &Process,
    repository: &RepositoryName,
    content: Bytes,
    tags: &[Tag],
) -> Result<PushedManifest, RegistryError> {
    let reference = Digest::sha256(&content).into();
    let content = ManifestContent {
        content_type: None,
        content,
    };
    let (always, authority) = (Condition::default(), Authority::Ordinary);
    process
        .registry
        .push_manifest(repository, &reference, tags, content, &always, authority)
        .await
}

/// A push of a manifest with tags, one of which another manifest has.
struct Put;

impl Scenario for Put {
    async fn prepare(&self, process: &Process) {
        process.push(&HERE, &[CONFIG, LAYER, OTHER]).await;
        let (old, names) = (image(CONFIG, &[OTHER]), tags(["old", "latest"]));
        process.push_image(&HERE, old, &names).await;
        // A manifest takes condemned blobs back.
        process.condemn(&[LAYER]).await;
    }

    async fn operate(&self, process: &Process) -> Outcome {
        let (new, names) = (image(CONFIG, &[LAYER]), tags(["latest", "new"]));
        push(process, &HERE, new, &names).await?;
        Ok(())
    }
}

/// A deletion of a manifest that two tags point to, or of one of these tags.
enum Delete {
    Manifest,
    Tag,
}

impl Scenario for Delete {
    async fn prepare(&self, process: &Process) {
        process.push(&HERE, &[CONFIG, LAYER, OTHER]).await;
        let (kept, deleted) = (image(CONFIG, &[OTHER]), image(CONFIG, &[LAYER]));
        process.push_image(&HERE, kept, &tags(["kept"])).await;
        let names = tags(["first", "second"]);
        process.push_image(&HERE, deleted, &names).await;
    }

    async fn operate(&self, process: &Process) -> Outcome {
        let [first] = tags(["first"]);
        let reference = match self {
            Self::Manifest => Digest::sha256(&image(CONFIG, &[LAYER])).into(),
            Self::Tag => first.into(),
        };
        let (registry, always) = (&process.registry, Condition::default());
        let deleted = registry.delete_manifest(&HERE, &reference, &always, Authority::Ordinary);
        match deleted.await {
            Ok(()) | Err(RegistryError::ManifestUnknown { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

#[test]
fn a_push_of_a_manifest_survives_every_fault() {
    try_every_fault(&Put);
}

#[test]
fn a_push_of_a_manifest_can_be_left_at_every_step() {
    leave_at_every_step(&Put);
}

#[test]
fn a_deletion_of_a_manifest_survives_every_fault() {
    try_every_fault(&Delete::Manifest);
}

#[test]
fn a_deletion_of_a_tag_survives_every_fault() {
    try_every_fault(&Delete::Tag);
}

#[test]
fn a_deletion_of_a_manifest_can_be_left_at_every_step() {
    leave_at_every_step(&Delete::Manifest);
}
