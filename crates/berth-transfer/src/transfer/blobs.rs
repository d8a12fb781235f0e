use std::collections::HashMap;
use std::sync::{Arc, PoisonError};

use berth_registry::{Content, RegistryError, UploadError};
use berth_spec::{Digest, References};
use tokio::sync::OnceCell;

use super::manifests::{Repository, refusal};
use crate::source::{FoundBlob, Sought};
use crate::{Finding, TransferError};

/// The blobs of a repository, each of which is looked at once, however many manifests need it: whether the registry has it.
pub(super) type Blobs = HashMap<Digest, Arc<OnceCell<bool>>>;

impl Repository<'_> {
    /// Brings the blobs that a manifest needs. Answers the first that is not to be had.
    pub(super) async fn bring_blobs(
        &self,
        references: &References,
    ) -> Result<Option<Digest>, TransferError> {
        let mut missing = None;
        for digest in &references.required_blobs {
            if !self.bring_blob(digest).await? {
                missing = missing.or_else(|| Some(digest.clone()));
            }
        }
        if missing.is_none() {
            for digest in &references.optional_blobs {
                self.bring_blob(digest).await?;
            }
        }
        Ok(missing)
    }

    /// These have to be looked at again.
    pub(super) fn forget_blobs(&self, digests: &[Digest]) {
        let mut blobs = self.blobs.lock().unwrap_or_else(PoisonError::into_inner);
        for digest in digests {
            blobs.remove(digest);
        }
    }

    async fn bring_blob(&self, digest: &Digest) -> Result<bool, TransferError> {
        let cell = {
            let mut blobs = self.blobs.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(blobs.entry(digest.clone()).or_default())
        };
        let brought = cell.get_or_try_init(|| self.bring_blob_now(digest));
        brought.await.copied()
    }

    async fn bring_blob_now(&self, digest: &Digest) -> Result<bool, TransferError> {
        if self.has_blob(digest).await? {
            self.tally.report().kept += 1;
            return Ok(true);
        }
        let found = match self.transfer.source.blob(self.name, digest).await? {
            Sought::Found(found) => found,
            // Whoever needs it tells.
            Sought::Missing => return Ok(false),
            Sought::Unreadable { place, error } => {
                self.tally.found(&Finding::unreadable(place, error));
                return Ok(false);
            }
        };
        match self.mount_or_copy(digest, found).await? {
            None => Ok(true),
            Some(finding) => {
                self.tally.found(&finding);
                Ok(false)
            }
        }
    }

    /// Also a promise that it stays for a while.
    async fn has_blob(&self, digest: &Digest) -> Result<bool, TransferError> {
        match self.transfer.registry.blob(self.name, digest).await {
            Ok(_) => Ok(true),
            Err(RegistryError::BlobUnknown { .. } | RegistryError::RepositoryUnknown(_)) => {
                Ok(false)
            }
            Err(error) => Err(error.into()),
        }
    }

    async fn mount_or_copy(
        &self,
        digest: &Digest,
        found: FoundBlob,
    ) -> Result<Option<Finding>, TransferError> {
        let registry = self.transfer.registry;
        match registry.mount_blob(self.name, None, digest).await {
            Ok(Some(_)) => {
                self.tally.report().mounted += 1;
                return Ok(None);
            }
            Ok(None) => {}
            Err(error) => return refusal(self.name, digest, error).map(Some),
        }
        let FoundBlob { size, body, place } = found;
        let content = Content {
            range: None,
            length: Some(size),
            body,
        };
        match registry.push_blob(self.name, digest, content).await {
            Ok(()) => {
                let mut report = self.tally.report();
                report.blobs += 1;
                report.bytes += size;
                Ok(None)
            }
            Err(RegistryError::Upload(UploadError::DigestMismatch { actual, .. })) => {
                Ok(Some(Finding::Damaged {
                    repository: self.name.clone(),
                    digest: digest.clone(),
                    found: actual,
                    place,
                }))
            }
            // It is the source that ended early, or changed meanwhile.
            Err(RegistryError::Upload(UploadError::Interrupted { source, .. })) => {
                Ok(Some(Finding::unreadable(place, source)))
            }
            Err(RegistryError::Upload(error @ UploadError::LengthMismatch { .. })) => {
                Ok(Some(Finding::unreadable(place, error)))
            }
            Err(error) => refusal(self.name, digest, error).map(Some),
        }
    }
}
