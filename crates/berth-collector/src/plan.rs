use std::time::SystemTime;

use berth_metadata::Grace;
use berth_progress::{Observer, Progress, Unit};
use berth_spec::Digest;

use crate::collect::PAGE;
use crate::{Amount, CollectError, CollectionPlan, Collector};

impl Collector {
    /// What [`Collector::collect`] would do, if nothing else happened. Changes nothing.
    ///
    /// # Errors
    /// When the metadata cannot be read.
    pub async fn plan(
        &self,
        grace: Grace,
        now: SystemTime,
        observer: &dyn Observer,
    ) -> Result<CollectionPlan, CollectError> {
        let to_condemn = self.unused(grace.unused_since(now), observer).await?;
        let to_delete = self.condemned(grace.condemned_before(now)).await?;
        let condemned = self.condemned(now).await?;
        Ok(CollectionPlan {
            to_condemn,
            to_delete,
            waiting: condemned.without(to_delete),
        })
    }

    async fn unused(
        &self,
        unused_since: SystemTime,
        observer: &dyn Observer,
    ) -> Result<Amount, CollectError> {
        let mut progress = Progress::begin("looking for unused blobs", Unit::Items, None);
        let mut amount = Amount::default();
        let mut last: Option<Digest> = None;
        loop {
            let page = self
                .metadata
                .unused_blobs(last.as_ref(), unused_since, PAGE)
                .await?;
            amount.add(&page.blobs);
            progress.advance(page.blobs.len() as u64, observer);
            last = page.last;
            if last.is_none() {
                return Ok(amount);
            }
        }
    }

    async fn condemned(&self, condemned_before: SystemTime) -> Result<Amount, CollectError> {
        let mut amount = Amount::default();
        let mut last: Option<Digest> = None;
        loop {
            let page = self
                .metadata
                .condemned_blobs(last.as_ref(), condemned_before, PAGE)
                .await?;
            let Some(blob) = page.last() else {
                return Ok(amount);
            };
            last = Some(blob.digest.clone());
            amount.add(&page);
        }
    }
}
