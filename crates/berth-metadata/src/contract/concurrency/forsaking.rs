use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::sync::Barrier;
use tokio::task::JoinSet;

use super::{of, repositories};
use crate::contract::{Collected, blob, published};
use crate::{Blob, MetadataError};

/// How many blobs are linked and forsaken at the same time.
const AT_ONCE: usize = 16;

/// How often that is done at most, until both have been first once.
const ROUNDS: usize = 200;

/// What became of a blob that one wanted to link, and another one to forsake.
#[derive(Clone, Copy, PartialEq, Eq)]
enum First {
    Link,
    Forsaking,
}

/// Of each publication, one records it while another, who has found no record of it, gives it up.
///
/// # Panics
/// When both have succeeded, or none, or what is recorded is not what the answers say.
pub async fn what_is_forsaken_is_recorded_nowhere(openings: &[Arc<dyn Collected>]) {
    let (mut links, mut forsaken) = (0, 0);
    for round in 0..ROUNDS {
        let barrier = Arc::new(Barrier::new(2 * AT_ONCE));
        let mut pairs = JoinSet::new();
        for number in 0..AT_ONCE {
            let stores = [of(openings, number), of(openings, number + 1)];
            let layer = published(&blob(&format!("in round {round}: {}", number / 4)));
            pairs.spawn(race(stores, layer, number, Arc::clone(&barrier)));
        }
        for first in pairs.join_all().await {
            match first {
                First::Link => links += 1,
                First::Forsaking => forsaken += 1,
            }
        }
        if links > 0 && forsaken > 0 {
            return;
        }
    }
    panic!("{links} were linked, {forsaken} were forsaken: the test proves nothing");
}

async fn race(
    [pusher, remover]: [Arc<dyn Collected>; 2],
    layer: Blob,
    number: usize,
    barrier: Arc<Barrier>,
) -> First {
    let here = repositories()[number % 4].clone();
    let name = layer.name();
    let forsaking = {
        let (remover, barrier, name) = (Arc::clone(&remover), Arc::clone(&barrier), name.clone());
        tokio::spawn(async move {
            barrier.wait().await;
            let later = SystemTime::now() + Duration::from_secs(3600);
            let forsaken = remover.forsake(std::slice::from_ref(&name), later);
            forsaken.await.unwrap()
        })
    };
    barrier.wait().await;
    let linked = pusher.link_blob(&here, &layer, None).await;
    let forsaken = forsaking.await.unwrap();
    let is_forsaken = forsaken == [name.clone()];
    assert!(is_forsaken || forsaken.is_empty());
    match linked {
        // Another one of the same content may be recorded instead by now, and this one be forsaken after that.
        Ok(()) if !is_forsaken => First::Link,
        Ok(()) => {
            let recorded = remover.blob(&here, &layer.digest).await.unwrap();
            assert_ne!(recorded.unwrap().name(), name, "a forsaken one is recorded");
            First::Link
        }
        Err(MetadataError::Forsaken(refused)) => {
            assert!(is_forsaken && refused == name);
            First::Forsaking
        }
        Err(error) => panic!("{error}"),
    }
}
