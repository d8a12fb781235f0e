use std::sync::Arc;
use std::time::{Duration, SystemTime};

use berth_blob::{BlobGuards, BlobStore};
use berth_collector::Collector;
use berth_faults::{Faults, FaultyBlobs, FaultyMetadata};
use berth_metadata::InspectionStore;
use berth_metadata::contract::Collected;
use berth_registry::{Content, Grace, Holders, QuotaRule, Registry, Settings};
use berth_spec::{RepositoryName, Tag};
use bytes::Bytes;

use crate::contents::{HERE, LAYER, NARROW, THERE, digest};
use crate::session::Remembered;

/// A registry and its garbage collection.
pub(crate) struct Process {
    pub(crate) registry: Registry,
    pub(crate) collector: Collector,
    elsewhere: Collector,
    /// What the registry works on, and what goes wrong there.
    pub(crate) metadata: Arc<dyn Collected>,
    pub(crate) faults: Faults,
    /// What is there, without faults: for looking at it.
    pub(crate) stored: Stored,
    pub(crate) remembered: Remembered,
}

/// The stores as they are.
pub(crate) struct Stored {
    pub(crate) registry: Registry,
    pub(crate) metadata: Arc<dyn Collected>,
    pub(crate) inspected: Arc<dyn InspectionStore>,
    pub(crate) blobs: Arc<dyn BlobStore>,
}

fn ample(namespace: &RepositoryName) -> QuotaRule {
    let holders = Holders::Namespace(namespace.clone());
    QuotaRule::new(holders, Some(1 << 40), Some(1 << 20)).unwrap()
}

/// Room for one layer.
fn narrow() -> QuotaRule {
    let holders = Holders::Namespace(NARROW.clone());
    QuotaRule::new(holders, Some(LAYER.len() as u64), None).unwrap()
}

impl Process {
    pub(crate) fn over<M: Collected + InspectionStore, B: BlobStore>(
        stores: (Arc<M>, Arc<B>),
        faults: &Faults,
        remembered: &Remembered,
    ) -> Self {
        Self::apart(stores, [faults, faults], remembered)
    }

    /// Of the registry and of the collector, each has its own faults.
    pub(crate) fn apart<M: Collected + InspectionStore, B: BlobStore>(
        (metadata, blobs): (Arc<M>, Arc<B>),
        [of_registry, of_collector]: [&Faults; 2],
        remembered: &Remembered,
    ) -> Self {
        let settings = Settings {
            tag_deletion: true,
            // So that each link is old enough to be renewed when it is promised.
            collection_grace: Grace(Duration::ZERO),
            // Ample: what looks at them fails too.
            quotas: vec![ample(&HERE), ample(&THERE), narrow()],
            ..Settings::default()
        };
        let stored = Stored {
            registry: Registry::new(metadata.clone(), blobs.clone(), settings.clone()),
            metadata: metadata.clone(),
            inspected: metadata.clone(),
            blobs: blobs.clone(),
        };
        let faulty = |faults: &Faults| {
            let metadata = FaultyMetadata::new(metadata.clone(), faults.clone());
            let blobs = FaultyBlobs::new(blobs.clone(), faults.clone());
            (Arc::new(metadata), Arc::new(blobs))
        };
        let (metadata, blobs) = faulty(of_registry);
        let registry = Registry::new(metadata.clone(), blobs, settings);
        let (collected, collected_blobs) = faulty(of_collector);
        let guards = registry.blob_guards().clone();
        let collector = |guards| {
            let (metadata, blobs) = (collected.clone(), collected_blobs.clone());
            Collector::new(metadata, blobs, guards).sweeping_after(Duration::ZERO)
        };
        Self {
            collector: collector(guards),
            elsewhere: collector(BlobGuards::default()),
            registry,
            metadata,
            faults: of_registry.clone(),
            stored,
            remembered: Arc::clone(remembered),
        }
    }

    /// The collector is another process: it knows nothing of what the registry guards.
    pub(crate) fn with_collector_elsewhere(mut self) -> Self {
        self.collector = self.elsewhere.clone();
        self
    }

    pub(crate) async fn push(&self, repository: &RepositoryName, contents: &[&'static str]) {
        for content in contents {
            let bytes = Content::from_bytes(*content);
            let digest = digest(content);
            let pushed = self.registry.push_blob(repository, &digest, bytes);
            pushed.await.unwrap();
        }
    }

    pub(crate) async fn push_image(&self, repository: &RepositoryName, image: Bytes, tags: &[Tag]) {
        let pushed = crate::manifest::push(self, repository, image, tags).await;
        pushed.unwrap();
    }

    /// Condemns blobs, whatever is linked to them.
    pub(crate) async fn condemn(&self, contents: &[&str]) {
        let digests: Vec<_> = contents.iter().map(|content| digest(content)).collect();
        let condemned = self.stored.metadata.condemn_blobs(&digests, later(1)).await;
        assert_eq!(condemned.unwrap().len(), contents.len());
    }
}

/// So many days from now.
pub(crate) fn later(days: u32) -> SystemTime {
    SystemTime::now() + Duration::from_secs(24 * 60 * 60) * days
}
