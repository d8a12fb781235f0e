mod accounts;
mod careful;
mod comparison;
mod report;

use std::sync::Arc;

use berth_metadata::{AccountStore, RetentionStore};
use berth_registry::{Authority, Registry};
use berth_spec::RepositoryName;

use crate::source::Source;
use crate::{RegistrySource, Transfer, TransferError, Watcher};
use accounts::copy_accounts;
use careful::Careful;
use comparison::Comparison;
pub use report::{AccountCounts, MigrationReport};

/// What a migration does with what the destination has and the source does not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Extra {
    /// Tells of it, and leaves it. A tag that leads to it is not moved either.
    #[default]
    Keep,
    /// Deletes it: for the last run before the destination is served, when nobody can have pushed anything there.
    Delete,
}

/// Makes one registry what another one is: repositories, blobs, manifests, tags, users, tokens and signing keys.
///
/// Times are not copied but for those of accounts: tags keep the order in which they were set, and their ages begin anew. Upload
/// sessions are not copied either, nor blobs that no manifest needs: whoever is pushing them pushes them again.
pub struct Migration<'a> {
    /// Where all comes from.
    pub source: &'a RegistrySource,
    /// The accounts of the source.
    pub source_accounts: &'a dyn AccountStore,
    /// Where all goes to, with settings that forbid nothing: no quotas and no immutable tags, and with tag deletion.
    pub destination: &'a Registry,
    /// The same metadata as that of the destination.
    pub destination_contents: Arc<dyn RetentionStore>,
    /// The accounts of the destination.
    pub destination_accounts: &'a dyn AccountStore,
    /// What becomes of what the source does not have.
    pub extra: Extra,
}

impl Migration<'_> {
    /// Does it, and compares both at the end. What is there already is passed over, so that a migration that was interrupted is just begun
    /// again. The source may serve meanwhile: what changes there during a run comes with the next one, and when the source does not
    /// change any more, one more run makes both equal.
    ///
    /// # Errors
    /// [`TransferError::ForeignDestination`] if the destination has a repository that the source does not have, before
    /// anything is changed; and when one of the stores fails.
    pub async fn run(&self, watcher: &dyn Watcher) -> Result<MigrationReport, TransferError> {
        let names = self.source.repositories().await?.names;
        self.check_destination(&names).await?;
        let comparison = Comparison {
            source: self.source,
            destination: self.destination,
            contents: &*self.destination_contents,
            extra: self.extra,
            watcher,
        };
        let accounts = copy_accounts(
            self.source_accounts,
            self.destination_accounts,
            self.extra,
            watcher,
        )
        .await?;
        let source = Careful {
            source: self.source,
            destination: &*self.destination_contents,
            extra: self.extra,
        };
        let transfer = Transfer {
            source: &source,
            registry: self.destination,
            authority: Authority::Admin,
        };
        let transferred = transfer.run(watcher).await?;
        let compared = comparison.run(&names).await?;
        Ok(MigrationReport {
            transferred,
            accounts,
            deleted: compared.deleted,
            differences: compared.differences + accounts.differences,
        })
    }

    /// Refuses a destination that cannot have come from this source: repositories never go away.
    async fn check_destination(&self, names: &[RepositoryName]) -> Result<(), TransferError> {
        let mut last: Option<String> = None;
        loop {
            let page = self.destination.repositories(last.as_deref(), None).await?;
            for name in &page.repositories {
                if names.binary_search(name).is_err() {
                    return Err(TransferError::ForeignDestination(name.clone()));
                }
            }
            last = page.repositories.last().map(ToString::to_string);
            if !page.more {
                return Ok(());
            }
        }
    }
}
