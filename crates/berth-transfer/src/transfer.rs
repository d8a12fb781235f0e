mod blobs;
mod manifests;
mod tags;

use berth_registry::{Authority, Registry};

use crate::source::Source;
use crate::tally::Tally;
use crate::{TransferError, TransferReport, Watcher};
use manifests::Repository;

/// Brings all that a source has into a registry.
pub struct Transfer<'a> {
    /// Where it comes from.
    pub source: &'a dyn Source,
    /// Where it goes to.
    pub registry: &'a Registry,
    /// Whether tags are set that are immutable there, and lead to something else.
    pub authority: Authority,
}

impl Transfer<'_> {
    /// Does it: for each repository, blobs before the manifests that need them, manifests before the indexes that list them,
    /// and tags at last. All bytes are compared with their digests. What is there already is passed over, so that a transfer
    /// that was interrupted is just begun again; and nothing is removed.
    ///
    /// Whatever is wrong with single things is told to the watcher, and all the rest is transferred. Pushing and pulling may go on at
    /// both ends.
    ///
    /// # Errors
    /// When the source cannot be read, or the registry fails.
    pub async fn run(&self, watcher: &dyn Watcher) -> Result<TransferReport, TransferError> {
        let tally = Tally::begin("transferring manifests", watcher);
        let repositories = self.source.repositories().await?;
        for finding in &repositories.findings {
            tally.found(finding);
        }
        for name in &repositories.names {
            let listing = self.source.listing(name).await?;
            Repository::new(self, name, &tally).bring(listing).await?;
            tally.report().repositories += 1;
        }
        let report = *tally.report();
        Ok(report)
    }
}
