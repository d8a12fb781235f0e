use berth_spec::RepositoryName;

use super::{Repository, Stored};
use crate::{Blob, Bounds, MetadataError, Scope, Usage};

impl Stored {
    /// How much a scope holds, counted anew.
    pub(super) fn usage(&self, scope: &Scope) -> Usage {
        let counted = self
            .repositories
            .iter()
            .filter(|(name, _)| scope.contains(name));
        counted.fold(Usage::default(), |sum, (_, repository)| Usage {
            bytes: sum.bytes + self.bytes_of(repository),
            tags: sum.tags + repository.tags.len() as u64,
        })
    }

    fn bytes_of(&self, repository: &Repository) -> u64 {
        let blobs = repository.blobs.keys();
        let blobs = blobs.filter_map(|digest| self.blobs.get(digest));
        let manifests = repository.manifests.values();
        let manifests = manifests.map(|stored| stored.manifest.content.len() as u64);
        blobs.map(|blob| blob.size).chain(manifests).sum()
    }

    /// Refuses to link a blob that does not fit.
    pub(super) fn add_blob(
        &self,
        repository: &RepositoryName,
        blob: &Blob,
        bounds: &Bounds,
    ) -> Result<(), MetadataError> {
        let linked = self.repositories.get(repository);
        if linked.is_some_and(|repository| repository.blobs.contains_key(&blob.digest)) {
            return Ok(());
        }
        let added = Usage {
            bytes: blob.size,
            tags: 0,
        };
        bounds.add(added, |quota| Ok(self.usage(&quota.scope)))
    }
}
