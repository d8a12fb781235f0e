use std::collections::{BTreeMap, BTreeSet};

use berth_metadata::RetentionStore;
use berth_progress::{Progress, Unit};
use berth_registry::{Authority, Condition, Registry, RegistryError};
use berth_spec::{Digest, Reference, RepositoryName, Tag};

use super::Extra;
use crate::source::{Listing, Source};
use crate::{Finding, RegistrySource, TransferError, Watcher};

/// The comparison of a destination with its source, which deletes what is too much if it should.
pub(super) struct Comparison<'a> {
    pub(super) source: &'a RegistrySource,
    pub(super) destination: &'a Registry,
    pub(super) contents: &'a dyn RetentionStore,
    pub(super) extra: Extra,
    pub(super) watcher: &'a dyn Watcher,
}

/// What a comparison found.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Compared {
    pub(super) deleted: u64,
    pub(super) differences: u64,
}

/// What is in a repository at one end.
#[derive(Default)]
struct Held {
    tags: BTreeMap<Tag, Digest>,
    manifests: BTreeSet<Digest>,
}

impl From<Listing> for Held {
    fn from(listing: Listing) -> Self {
        Self {
            tags: listing.tags.into_iter().collect(),
            manifests: listing.manifests.into_iter().collect(),
        }
    }
}

impl Comparison<'_> {
    pub(super) async fn run(&self, names: &[RepositoryName]) -> Result<Compared, TransferError> {
        let total = Some(names.len() as u64);
        let mut progress = Progress::begin("comparing repositories", Unit::Items, total);
        let mut compared = Compared::default();
        for name in names {
            let source = Held::from(self.source.listing(name).await?);
            let mut destination = self.held(name).await?;
            if self.extra == Extra::Delete {
                compared.deleted += self.delete_extra(name, &source, &destination).await?;
                destination = self.held(name).await?;
            }
            for what in differences(name, &source, &destination) {
                compared.differences += 1;
                self.watcher.found(&Finding::Differs { what });
            }
            progress.advance(1, self.watcher);
        }
        Ok(compared)
    }

    async fn held(&self, name: &RepositoryName) -> Result<Held, TransferError> {
        let contents = self.contents.repository_contents(name).await?;
        let contents = contents.unwrap_or_default();
        let tags = contents.tags.into_iter();
        let manifests = contents.manifests.into_iter();
        Ok(Held {
            tags: tags.map(|entry| (entry.tag, entry.digest)).collect(),
            manifests: manifests.map(|entry| entry.digest).collect(),
        })
    }

    async fn delete_extra(
        &self,
        name: &RepositoryName,
        source: &Held,
        destination: &Held,
    ) -> Result<u64, TransferError> {
        let tags = destination.tags.keys();
        let tags = tags.filter(|tag| !source.tags.contains_key(*tag));
        let tags = tags.cloned().map(Reference::from);
        let manifests = destination.manifests.difference(&source.manifests);
        let manifests = manifests.cloned().map(Reference::from);
        let mut deleted = 0;
        for reference in tags.chain(manifests) {
            let (always, authority) = (Condition::default(), Authority::Admin);
            let deleting = self
                .destination
                .delete_manifest(name, &reference, &always, authority);
            match deleting.await {
                Ok(()) => deleted += 1,
                // It went with another one.
                Err(
                    RegistryError::ManifestUnknown { .. } | RegistryError::RepositoryUnknown(_),
                ) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(deleted)
    }
}

/// What is not the same, a line each.
fn differences(name: &RepositoryName, source: &Held, destination: &Held) -> Vec<String> {
    let mut found = Vec::new();
    let remedy = "run again with --delete, if nobody pushes to the destination yet";
    for (tag, digest) in &source.tags {
        match destination.tags.get(tag) {
            Some(there) if there == digest => {}
            Some(there) => found.push(format!(
                "{name}:{tag} leads to {there} at the destination, and at the source to {digest}; run again, with --delete if \
                 nobody pushes to the destination yet"
            )),
            None => found.push(format!("{name}:{tag} is not at the destination")),
        }
    }
    for digest in source.manifests.difference(&destination.manifests) {
        found.push(format!("{name}@{digest} is not at the destination"));
    }
    for tag in destination.tags.keys() {
        if !source.tags.contains_key(tag) {
            found.push(format!(
                "{name}:{tag} is at the destination alone; {remedy}"
            ));
        }
    }
    for digest in destination.manifests.difference(&source.manifests) {
        found.push(format!(
            "{name}@{digest} is at the destination alone; {remedy}"
        ));
    }
    found
}
