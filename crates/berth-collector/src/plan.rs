use std::time::SystemTime;

use berth_metadata::Grace;
use berth_progress::{Observer, Progress, Unit};
use berth_spec::DigestRange;
use futures_util::TryStreamExt;

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
        let mut pages = self.unused_pages(&DigestRange::default(), unused_since);
        while let Some(page) = pages.try_next().await? {
            amount.add(&page);
            progress.advance(page.len() as u64, observer);
        }
        Ok(amount)
    }

    async fn condemned(&self, condemned_before: SystemTime) -> Result<Amount, CollectError> {
        let mut amount = Amount::default();
        let mut pages = self.condemned_pages(&DigestRange::default(), condemned_before);
        while let Some(page) = pages.try_next().await? {
            amount.add(&page);
        }
        Ok(amount)
    }
}
