use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use berth_registry::Authority;
use berth_spec::{Digest, RepositoryName};
use berth_transfer::{
    DistributionFolder, FoundBlob, FoundManifest, Listing, Nobody, Repositories, Sought, Source,
    Transfer, TransferError,
};

use crate::world::{bring_distribution, empty_registry, tags, unpack};

/// A source that fails after so many blobs and manifests.
struct Failing {
    source: DistributionFolder,
    left: Arc<AtomicU64>,
}

impl Failing {
    fn step(&self) -> Result<(), TransferError> {
        let taken = self
            .left
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
                left.checked_sub(1)
            });
        taken.map(drop).map_err(|_| TransferError::Interrupted)
    }
}

#[async_trait]
impl Source for Failing {
    async fn repositories(&self) -> Result<Repositories, TransferError> {
        self.source.repositories().await
    }

    async fn listing(&self, repository: &RepositoryName) -> Result<Listing, TransferError> {
        self.source.listing(repository).await
    }

    async fn manifest(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
    ) -> Result<Sought<FoundManifest>, TransferError> {
        self.step()?;
        self.source.manifest(repository, digest).await
    }

    async fn blob(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
    ) -> Result<Sought<FoundBlob>, TransferError> {
        self.step()?;
        self.source.blob(repository, digest).await
    }
}

#[tokio::test]
async fn an_interrupted_import_is_whole_wherever_it_ended_and_goes_on() {
    let folder = unpack("distribution-3");
    let complete = empty_registry();
    let (whole, _) = bring_distribution(&folder, &complete).await;
    let expected = tags(&complete).await;
    let mut interrupted = 0;
    for steps in (0..200).step_by(9) {
        let registry = empty_registry();
        let source = Failing {
            source: DistributionFolder::open(folder.path()).await.unwrap(),
            left: Arc::new(AtomicU64::new(steps)),
        };
        let transfer = Transfer {
            source: &source,
            registry: &registry,
            authority: Authority::Ordinary,
        };
        if transfer.run(&Nobody).await.is_ok() {
            break;
        }
        interrupted += 1;
        // All that has a tag is whole.
        for (tag, digest) in tags(&registry).await {
            assert_eq!(expected.get(&tag), Some(&digest));
        }
        let (rest, _) = bring_distribution(&folder, &registry).await;
        assert_eq!(tags(&registry).await, expected);
        let copied = rest.blobs <= whole.blobs && rest.manifests <= whole.manifests;
        assert!(copied && rest.is_complete(), "{rest:?}");
    }
    assert!(interrupted > 3);
}
