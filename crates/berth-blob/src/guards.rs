use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use berth_spec::Digest;
use tokio::sync::Notify;

/// Keeps the removal of a blob apart from its publication.
///
/// Who publishes a blob makes it known in a second step, and who removes one has made it unknown in
/// a step before. Between the two steps of the one, the other must not begin, or a blob would be
/// known whose bytes are gone. So a publisher holds [`BlobGuards::publishing`] from before the bytes
/// are published until the blob is known, and a remover holds [`BlobGuards::removing`] from before it
/// becomes unknown until the bytes are gone.
///
/// All that work on one store in one process share the guards: clones are one.
#[derive(Clone, Debug, Default)]
pub struct BlobGuards(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    held: Mutex<Held>,
    released: Notify,
}

#[derive(Debug, Default)]
struct Held {
    blobs: HashMap<Digest, Hold>,
    /// How many keep every blob.
    keepers: usize,
}

#[derive(Debug, PartialEq, Eq)]
enum Hold {
    /// By so many at once.
    Publishing(usize),
    Removing,
}

impl BlobGuards {
    /// Waits until nobody removes this blob, and keeps it so until the answer is dropped. Any number may
    /// publish the same blob at once.
    pub async fn publishing(&self, digest: &Digest) -> Publishing {
        self.until(|held| {
            let hold = held.blobs.entry(digest.clone());
            match hold.or_insert(Hold::Publishing(0)) {
                Hold::Removing => None,
                Hold::Publishing(holders) => {
                    *holders += 1;
                    Some(Publishing {
                        guards: self.clone(),
                        digest: digest.clone(),
                    })
                }
            }
        })
        .await
    }

    /// The right to remove this blob, until the answer is dropped. `None` if somebody publishes,
    /// removes or keeps it: who removes can come back later, and must not hold up a push.
    pub fn removing(&self, digest: &Digest) -> Option<Removing> {
        let mut held = self.lock();
        if held.keepers > 0 || held.blobs.contains_key(digest) {
            return None;
        }
        held.blobs.insert(digest.clone(), Hold::Removing);
        Some(Removing {
            guards: self.clone(),
            digest: digest.clone(),
        })
    }

    /// Waits until nobody removes any blob, and keeps all of them until the answer is dropped.
    pub async fn keeping_all(&self) -> KeepingAll {
        self.lock().keepers += 1;
        let keeping = KeepingAll(self.clone());
        self.until(|held| {
            let mut holds = held.blobs.values();
            (!holds.any(|hold| *hold == Hold::Removing)).then_some(())
        })
        .await;
        keeping
    }

    /// Tries until it succeeds, whenever something was released.
    async fn until<T>(&self, mut attempt: impl FnMut(&mut Held) -> Option<T>) -> T {
        loop {
            let mut released = std::pin::pin!(self.0.released.notified());
            // From here on no release is missed.
            released.as_mut().enable();
            if let Some(done) = attempt(&mut self.lock()) {
                return done;
            }
            released.await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Held> {
        self.0.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn release(&self, release: impl FnOnce(&mut Held)) {
        release(&mut self.lock());
        self.0.released.notify_waiters();
    }
}

/// A blob that is being published and made known: see [`BlobGuards::publishing`].
#[derive(Debug)]
#[must_use = "dropping it lets the blob be removed"]
pub struct Publishing {
    guards: BlobGuards,
    digest: Digest,
}

impl Drop for Publishing {
    fn drop(&mut self) {
        self.guards.release(|held| {
            let last = match held.blobs.get_mut(&self.digest) {
                Some(Hold::Publishing(holders)) => {
                    *holders -= 1;
                    *holders == 0
                }
                _ => false,
            };
            if last {
                held.blobs.remove(&self.digest);
            }
        });
    }
}

/// A blob that is being made unknown and removed: see [`BlobGuards::removing`].
#[derive(Debug)]
#[must_use = "dropping it lets the blob be published"]
pub struct Removing {
    guards: BlobGuards,
    digest: Digest,
}

impl Removing {
    /// The blob.
    pub fn digest(&self) -> &Digest {
        &self.digest
    }
}

impl Drop for Removing {
    fn drop(&mut self) {
        self.guards.release(|held| {
            held.blobs.remove(&self.digest);
        });
    }
}

/// No blob is removed: see [`BlobGuards::keeping_all`].
#[derive(Debug)]
#[must_use = "dropping it lets blobs be removed"]
pub struct KeepingAll(BlobGuards);

impl Drop for KeepingAll {
    fn drop(&mut self) {
        self.0.release(|held| held.keepers -= 1);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use futures_util::FutureExt;

    fn digests() -> [Digest; 2] {
        [Digest::sha256(b"one"), Digest::sha256(b"other")]
    }

    #[tokio::test]
    async fn who_publishes_waits_for_who_removes_the_same_blob() {
        let guards = BlobGuards::default();
        let [one, other] = digests();
        let removing = guards.removing(&one).unwrap();
        assert!(guards.publishing(&other).now_or_never().is_some());
        let mut waiting = std::pin::pin!(guards.publishing(&one));
        assert!(waiting.as_mut().now_or_never().is_none());
        drop(removing);
        let _publishing = waiting.await;
        assert!(guards.removing(&one).is_none());
    }

    #[tokio::test]
    async fn who_removes_does_not_wait() {
        let guards = BlobGuards::default();
        let [one, other] = digests();
        let first = guards.publishing(&one).await;
        let second = guards.publishing(&one).await;
        let _elsewhere = guards.removing(&other).unwrap();
        drop(first);
        assert!(guards.removing(&one).is_none());
        drop(second);
        let removing = guards.removing(&one).unwrap();
        assert!(guards.removing(&one).is_none());
        drop(removing);
        assert!(guards.0.held.lock().unwrap().blobs.len() == 1);
    }

    #[tokio::test]
    async fn who_keeps_all_waits_for_who_removes_and_lets_nobody_begin() {
        let guards = BlobGuards::default();
        let [one, other] = digests();
        let removing = guards.removing(&one).unwrap();
        let mut waiting = std::pin::pin!(guards.keeping_all());
        assert!(waiting.as_mut().now_or_never().is_none());
        assert!(guards.removing(&other).is_none());
        drop(removing);
        let keeping = waiting.await;
        assert!(guards.removing(&one).is_none());
        assert!(guards.publishing(&one).now_or_never().is_some());
        drop(keeping);
        assert!(guards.removing(&one).is_some());
    }

    #[tokio::test]
    async fn who_stops_waiting_holds_nothing() {
        let guards = BlobGuards::default();
        let [one, _] = digests();
        let removing = guards.removing(&one).unwrap();
        assert!(guards.publishing(&one).now_or_never().is_none());
        assert!(guards.keeping_all().now_or_never().is_none());
        drop(removing);
        assert!(guards.removing(&one).is_some());
    }
}
