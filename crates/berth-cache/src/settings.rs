use std::time::Duration;

/// How a [`CachedBlobs`](crate::CachedBlobs) uses its folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CacheSettings {
    /// How many bytes its files have at most, those that are being filled too. What is larger is never cached.
    pub limit: u64,
    /// How many blobs are filled at once at most; others are read from the store below meanwhile. A fill holds up to
    /// 2 MiB in memory.
    pub fills_at_once: usize,
    /// For how long the store below may send nothing of a blob that is being filled.
    pub patience: Duration,
    /// For how long nothing is filled after the folder could not be written.
    pub pause: Duration,
}

impl CacheSettings {
    /// The settings that suit a bucket, with room for so many bytes.
    pub fn with_limit(limit: u64) -> Self {
        Self {
            limit,
            fills_at_once: 32,
            // Longer than a bucket takes to notice that a connection is dead, and to try once more.
            patience: Duration::from_secs(60),
            pause: Duration::from_secs(30),
        }
    }
}
