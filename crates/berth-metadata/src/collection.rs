use std::time::SystemTime;

use async_trait::async_trait;
use berth_spec::{BlobName, Digest};

use crate::{Blob, MetadataError, MetadataStore};

/// What garbage collection does to metadata. Every method is one transaction, as those of
/// [`MetadataStore`] are.
///
/// A blob is unused if no manifest is linked to it, and no repository is, or none newer than some time.
/// A blob is condemned while it is unused, and stays readable meanwhile. Linking, mounting and promising
/// it, and storing a manifest that is linked to it, make it live again in their own transaction. Its
/// record is removed only while it is condemned, and its bytes only after its record. `docs/garbage-collection.md`
/// tells why that is safe.
///
/// A blob that is recorded with bytes of another generation has replaced those it had. Their name is written down in the same
/// transaction, so that they can be removed a while later.
///
/// Bytes that no record knows are removed only when they are [forsaken](CollectionStore::forsake), if
/// they have a generation; if not, whoever removes them keeps pushes away meanwhile.
///
/// Times are compared to the millisecond.
#[async_trait]
pub trait CollectionStore: MetadataStore {
    /// Looks at no more than `limit` live blobs after the digest `after`, in byte order, for those
    /// that are unused by links newer than `unused_since`. Changes nothing.
    async fn unused_blobs(
        &self,
        after: Option<&Digest>,
        unused_since: SystemTime,
        limit: u32,
    ) -> Result<UnusedBlobs, MetadataError>;

    /// Condemns those of these blobs that are live and unused, and answers which they were.
    async fn condemn_blobs(
        &self,
        digests: &[Digest],
        unused_since: SystemTime,
    ) -> Result<Vec<Blob>, MetadataError>;

    /// At most `limit` blobs after the digest `after`, in byte order, that were condemned at
    /// `condemned_before` or before. Changes nothing.
    async fn condemned_blobs(
        &self,
        after: Option<&Digest>,
        condemned_before: SystemTime,
        limit: u32,
    ) -> Result<Vec<Blob>, MetadataError>;

    /// Removes the records of those of these blobs that were condemned at `condemned_before` or
    /// before, with their links, and answers which they were, with the generations that they had. The bytes
    /// of these names are to be removed after that. Those that turn out to be used are made live again.
    async fn forget_blobs(
        &self,
        digests: &[Digest],
        condemned_before: SystemTime,
        unused_since: SystemTime,
    ) -> Result<Vec<Blob>, MetadataError>;

    /// At most `limit` names after the name `after`, in order, that blobs were recorded with until
    /// [`MetadataStore::link_blob_within`] or [`CollectionStore::adopt_blob`] recorded others, at `replaced_before` or
    /// before, and that were not [forsaken](CollectionStore::forsake) since. All have a generation. Changes nothing.
    async fn replaced_blobs(
        &self,
        after: Option<&BlobName>,
        replaced_before: SystemTime,
        limit: u32,
    ) -> Result<Vec<BlobName>, MetadataError>;

    /// Of these names, those with a generation that are not those of a recorded blob, and were not replaced after
    /// `replaced_before`: from now on, none of them ever will be, since [`MetadataStore::link_blob_within`] and
    /// [`CollectionStore::adopt_blob`] refuse them. Answers which they are, in
    /// order, also if they were forsaken before. So their bytes can be removed at any later time, whatever
    /// pushes are under way, here or in another process. What is forsaken is no more among
    /// [`CollectionStore::replaced_blobs`].
    async fn forsake(
        &self,
        names: &[BlobName],
        replaced_before: SystemTime,
    ) -> Result<Vec<BlobName>, MetadataError>;

    /// Records other bytes of a blob, which were found to be what the digest says, instead of those that it is recorded with,
    /// which are lost. `false`, and nothing happens, if `lost` is not what is recorded, or `found` is of another
    /// digest or forsaken. Whether the blob is live or condemned stays as it is.
    async fn adopt_blob(&self, lost: &BlobName, found: &BlobName) -> Result<bool, MetadataError>;
}

/// A page of [`CollectionStore::unused_blobs`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UnusedBlobs {
    /// Those that are unused.
    pub blobs: Vec<Blob>,
    /// The last blob that was looked at; `None` if there are no more.
    pub last: Option<Digest>,
}
