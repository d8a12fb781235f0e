use async_trait::async_trait;
use berth_registry::BodyStream;
use berth_spec::{Digest, MediaType, RepositoryName, Tag};
use bytes::Bytes;

use crate::{Finding, TransferError};

/// Where repositories come from: a registry, or the folder of another program. It tells what its own server would serve, and
/// nobody has compared the bytes with their digests yet.
#[async_trait]
pub trait Source: Send + Sync {
    /// The repositories that it has.
    ///
    /// # Errors
    /// When it cannot be read at all.
    async fn repositories(&self) -> Result<Repositories, TransferError>;

    /// What a repository has.
    ///
    /// # Errors
    /// As [`Source::repositories`].
    async fn listing(&self, repository: &RepositoryName) -> Result<Listing, TransferError>;

    /// A manifest of a repository, listed or not.
    ///
    /// # Errors
    /// As [`Source::repositories`].
    async fn manifest(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
    ) -> Result<Sought<FoundManifest>, TransferError>;

    /// A blob of a repository.
    ///
    /// # Errors
    /// As [`Source::repositories`].
    async fn blob(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
    ) -> Result<Sought<FoundBlob>, TransferError>;
}

/// The repositories of a source.
#[derive(Clone, Debug, Default)]
pub struct Repositories {
    /// In byte order.
    pub names: Vec<RepositoryName>,
    /// What cannot be one.
    pub findings: Vec<Finding>,
}

/// What a repository of a source has.
#[derive(Clone, Debug, Default)]
pub struct Listing {
    /// Its manifests, in no order, and perhaps more than once. Those that they list need not be among them.
    pub manifests: Vec<Digest>,
    /// Its tags, the one that was set last at the end, as far as that is known.
    pub tags: Vec<(Tag, Digest)>,
    /// What is wrong with it, or not to be had.
    pub findings: Vec<Finding>,
}

/// What was sought in a source.
pub enum Sought<T> {
    /// Here it is.
    Found(T),
    /// It has none.
    Missing,
    /// It cannot be read.
    Unreadable {
        /// What cannot be read: the path of a file, for example.
        place: String,
        /// Why.
        error: String,
    },
}

/// A manifest in a source.
pub struct FoundManifest {
    /// Its bytes.
    pub content: Bytes,
    /// Its media type, if anything but its bytes tells it.
    pub media_type: Option<MediaType>,
    /// Where it is, for whoever looks after it.
    pub place: String,
}

/// A blob in a source.
pub struct FoundBlob {
    /// How many bytes it has.
    pub size: u64,
    /// Its bytes, each piece read when it is asked for.
    pub body: BodyStream,
    /// Where it is, for whoever looks after it.
    pub place: String,
}

impl<T> Sought<T> {
    pub(crate) fn map<U>(self, change: impl FnOnce(T) -> U) -> Sought<U> {
        match self {
            Self::Found(found) => Sought::Found(change(found)),
            Self::Missing => Sought::Missing,
            Self::Unreadable { place, error } => Sought::Unreadable { place, error },
        }
    }
}
