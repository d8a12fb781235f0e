use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

/// From so many bytes on, a body that is held in memory as a whole counts.
pub(crate) const LARGE: usize = 256 * 1024;

/// How much room there is for all of them, in KiB. Few images have a manifest that counts.
const ROOM: usize = 64 * 1024;

/// How long a request may wait for room.
const PATIENCE: Duration = Duration::from_secs(10);

/// Bounds what manifests and lists take in memory, however many and slow the clients are.
#[derive(Clone, Debug)]
pub(crate) struct LargeBodies(Arc<Semaphore>);

/// The right to hold a body in memory, until this is dropped. A small body needs none.
pub(crate) type Room = Option<OwnedSemaphorePermit>;

/// There is no room for one more large body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NoRoom;

impl LargeBodies {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Semaphore::new(ROOM)))
    }

    /// Waits a while for room for so many bytes.
    pub(crate) async fn room(&self, bytes: usize) -> Result<Room, NoRoom> {
        if bytes < LARGE {
            return Ok(None);
        }
        let room = Arc::clone(&self.0).acquire_many_owned(share(bytes));
        match timeout(PATIENCE, room).await {
            Ok(Ok(room)) => Ok(Some(room)),
            _ => Err(NoRoom),
        }
    }

    /// Room for so many bytes, if there is any now.
    pub(crate) fn room_now(&self, bytes: usize) -> Result<Room, NoRoom> {
        if bytes < LARGE {
            return Ok(None);
        }
        let room = Arc::clone(&self.0).try_acquire_many_owned(share(bytes));
        room.map(Some).map_err(|_| NoRoom)
    }
}

/// A body that has its room as long as any part of it is in memory.
pub(crate) fn hold(room: Room, body: Bytes) -> Bytes {
    match room {
        Some(room) => Bytes::from_owner(Held { body, _room: room }),
        None => body,
    }
}

struct Held {
    body: Bytes,
    _room: OwnedSemaphorePermit,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.body
    }
}

/// What a body takes of the room. One that is larger than all of it takes all of it.
fn share(bytes: usize) -> u32 {
    let share = bytes.div_ceil(1024).min(ROOM);
    u32::try_from(share).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: usize = ROOM * 1024;

    #[tokio::test(start_paused = true)]
    async fn large_bodies_wait_for_room_and_small_ones_do_not() {
        let bodies = LargeBodies::new();
        let half = bodies.room(ALL / 2).await.unwrap();
        assert!(half.is_some());
        assert_eq!(bodies.room_now(ALL).unwrap_err(), NoRoom);
        assert_eq!(bodies.room(ALL * 2).await.unwrap_err(), NoRoom);
        assert!(bodies.room_now(LARGE - 1).unwrap().is_none());
        drop(half);
        assert!(bodies.room(ALL * 2).await.unwrap().is_some());
    }

    #[tokio::test]
    async fn a_body_has_its_room_until_the_last_of_it_is_gone() {
        let bodies = LargeBodies::new();
        let room = bodies.room(LARGE).await.unwrap();
        let mut body = hold(room, Bytes::from(vec![0; LARGE]));
        let rest = body.split_off(LARGE - 1);
        drop(body);
        assert_eq!(bodies.room_now(ALL).unwrap_err(), NoRoom);
        drop(rest);
        assert!(bodies.room_now(ALL).is_ok());
    }
}
