use std::time::Duration;

use berth_metadata::Grace;

use crate::{ImmutableTags, QuotaRule, Redirects};

/// What the owner of a registry may choose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Whether a `DELETE` of a tag removes the tag (end-9).
    pub tag_deletion: bool,
    /// The largest manifest that is taken, in bytes.
    pub manifest_size_limit: usize,
    /// How long an upload session lives after its last use.
    pub upload_lifetime: Duration,
    /// How long a blob that nothing refers to is safe from garbage collection after the registry last
    /// said that it is there.
    pub collection_grace: Grace,
    /// Which tags nobody moves or deletes, but an [`Authority::Admin`](crate::Authority::Admin).
    pub immutable_tags: Vec<ImmutableTags>,
    /// How much repositories and namespaces may hold.
    pub quotas: Vec<QuotaRule>,
    /// Which blobs are pulled straight from where they are stored, if that can be.
    pub redirects: Option<Redirects>,
}

impl Settings {
    /// Clients expect to be able to push manifests of this size, says the specification.
    pub const DEFAULT_MANIFEST_SIZE_LIMIT: usize = 4 * 1024 * 1024;
    /// A day.
    pub const DEFAULT_UPLOAD_LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);
    /// A day: the largest image on the slowest line is pushed in less.
    pub const DEFAULT_COLLECTION_GRACE: Grace = Grace(Duration::from_secs(24 * 60 * 60));
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            tag_deletion: false,
            manifest_size_limit: Self::DEFAULT_MANIFEST_SIZE_LIMIT,
            upload_lifetime: Self::DEFAULT_UPLOAD_LIFETIME,
            collection_grace: Self::DEFAULT_COLLECTION_GRACE,
            immutable_tags: Vec::new(),
            quotas: Vec::new(),
            redirects: None,
        }
    }
}
