use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// From so many bytes on, a body that is held in memory as a whole counts.
pub(crate) const LARGE: usize = 256 * 1024;

/// How many of them there may be at once. Each has at most a few MiB.
const AT_ONCE: usize = 16;

/// Bounds what manifests and lists take in memory, however many and slow the clients are. Few images
/// have a manifest that counts as large.
#[derive(Clone, Debug)]
pub(crate) struct LargeBodies(Arc<Semaphore>);

/// The right to hold one large body in memory, until this is dropped. `None` would mean that the
/// server is gone.
pub(crate) type Room = Option<OwnedSemaphorePermit>;

impl LargeBodies {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Semaphore::new(AT_ONCE)))
    }

    /// Waits for room for one more.
    pub(crate) async fn room(&self) -> Room {
        Arc::clone(&self.0).acquire_owned().await.ok()
    }

    /// Room for one more, if there is any now.
    pub(crate) fn room_now(&self) -> Room {
        Arc::clone(&self.0).try_acquire_owned().ok()
    }
}
