use std::collections::{HashMap, HashSet};

use async_trait::async_trait;
use berth_metadata::RetentionStore;
use berth_spec::{Digest, RepositoryName};

use super::Extra;
use crate::source::{FoundBlob, FoundManifest, Listing, Repositories, Sought, Source};
use crate::{RegistrySource, TransferError};

/// A registry without the tags that must not be moved at the destination: those that lead there to what the source does not have. Somebody
/// may have pushed it to the destination.
pub(super) struct Careful<'a> {
    pub(super) source: &'a RegistrySource,
    pub(super) destination: &'a dyn RetentionStore,
    pub(super) extra: Extra,
}

#[async_trait]
impl Source for Careful<'_> {
    async fn repositories(&self) -> Result<Repositories, TransferError> {
        self.source.repositories().await
    }

    async fn listing(&self, repository: &RepositoryName) -> Result<Listing, TransferError> {
        let mut listing = self.source.listing(repository).await?;
        if self.extra == Extra::Delete {
            return Ok(listing);
        }
        let there = self.destination.repository_contents(repository).await?;
        let there = there.unwrap_or_default().tags.into_iter();
        let there: HashMap<_, _> = there.map(|entry| (entry.tag, entry.digest)).collect();
        let known: HashSet<&Digest> = listing.manifests.iter().collect();
        listing.tags.retain(|(tag, _)| {
            let leads_to = there.get(tag);
            leads_to.is_none_or(|digest| known.contains(digest))
        });
        Ok(listing)
    }

    async fn manifest(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
    ) -> Result<Sought<FoundManifest>, TransferError> {
        self.source.manifest(repository, digest).await
    }

    async fn blob(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
    ) -> Result<Sought<FoundBlob>, TransferError> {
        self.source.blob(repository, digest).await
    }
}
