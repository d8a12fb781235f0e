use berth_registry::{Condition, ManifestContent, RegistryError};
use berth_spec::{Digest, Reference, Tag};

use super::manifests::{Done, Outcome, Repository, refusal};
use crate::{Finding, TransferError};

impl Repository<'_> {
    /// Points a tag at a manifest that the registry has.
    pub(super) async fn bring_tag(
        &self,
        tag: &Tag,
        digest: &Digest,
        done: &Done,
    ) -> Result<(), TransferError> {
        match done.get(digest) {
            Some(Outcome::There) => {}
            Some(Outcome::PassedOver) => {
                let place = format!("{}:{tag}", self.name);
                self.tally
                    .found(&Finding::passed_over(place, format!("{digest} is, too")));
                return Ok(());
            }
            Some(Outcome::LeftOut) | None => {
                self.tally.found(&Finding::TagLeftOut {
                    repository: self.name.clone(),
                    tag: tag.clone(),
                    manifest: digest.clone(),
                });
                return Ok(());
            }
        }
        match self.set_tag(tag, digest).await {
            Ok(true) => self.tally.report().tags += 1,
            Ok(false) => self.tally.report().kept += 1,
            Err(error) => self.tally.found(&refusal(self.name, tag, error)?),
        }
        Ok(())
    }

    /// Whether the tag led to something else before, or did not exist.
    async fn set_tag(&self, tag: &Tag, digest: &Digest) -> Result<bool, RegistryError> {
        let registry = self.transfer.registry;
        let by_tag = Reference::from(tag.clone());
        match registry.manifest(self.name, &by_tag).await {
            Ok(found) if found.digest == *digest => return Ok(false),
            Ok(_) | Err(RegistryError::ManifestUnknown { .. }) => {}
            Err(error) => return Err(error),
        }
        let by_digest = Reference::from(digest.clone());
        let manifest = registry.manifest(self.name, &by_digest).await?;
        let pushed = ManifestContent {
            content_type: Some(manifest.media_type.as_str()),
            content: manifest.content,
        };
        let tags = std::slice::from_ref(tag);
        let (condition, authority) = (Condition::default(), self.transfer.authority);
        let pushing =
            registry.push_manifest(self.name, &by_digest, tags, pushed, &condition, authority);
        pushing.await?;
        Ok(true)
    }
}
