//! An operation of the registry and one of garbage collection, about the same blob, in all orders in which
//! each stops once while the other goes on.

use std::sync::Arc;
use std::time::Duration;

use berth_blob::Listed;
use berth_faults::{Fault, Faults};
use berth_metadata::{Grace, MemoryMetadata};
use berth_progress::Nobody;
use berth_registry::{Content, MemoryBlobs, MetadataError, RegistryError};
use futures_util::TryStreamExt;
use tokio::time::sleep;

use crate::contents::{HERE, LAYER, THERE, digest, image};
use crate::left::{settle, until_moment};
use crate::manifest;
use crate::process::{Process, later};
use crate::refused;
use crate::scenario::Outcome;
use crate::seen::{look, recorded};
use crate::tidy::tidy;

/// Where the rivals are.
#[derive(Clone, Copy, Debug)]
enum Where {
    /// In one process: they share their guards.
    Together,
    /// In two, over a store in which each publication has a name of its own: nothing else keeps them from each other.
    Apart,
}

/// What is known of the blob before.
#[derive(Clone, Copy, Debug)]
enum Before {
    /// Nothing needs it, and one repository has it.
    Unused,
    Condemned,
    /// Nothing but its file, which a crash left.
    File,
}

#[derive(Clone, Copy, Debug)]
enum Rival {
    Push,
    Mount,
    Head,
    Get,
    Put,
    /// A push of it to where it does not fit, which is known only at its end.
    Refused,
    Collect,
    Sweep,
}

const BEFORE: [Before; 3] = [Before::Unused, Before::Condemned, Before::File];
const OF_REGISTRY: [Rival; 6] = [
    Rival::Push,
    Rival::Mount,
    Rival::Head,
    Rival::Get,
    Rival::Put,
    Rival::Refused,
];
const OF_COLLECTOR: [Rival; 2] = [Rival::Collect, Rival::Sweep];

/// Every pair of rivals, in both orders, and what they find.
fn meetings() -> Vec<(Before, [Rival; 2])> {
    let mut meetings = Vec::new();
    for before in BEFORE {
        for one in OF_REGISTRY {
            for other in OF_COLLECTOR {
                meetings.extend([(before, [one, other]), (before, [other, one])]);
            }
        }
    }
    meetings
}

async fn prepare(at: Where, before: Before, faults: [&Faults; 2]) -> Process {
    let blobs = match at {
        Where::Together => MemoryBlobs::default(),
        Where::Apart => MemoryBlobs::with_generations(),
    };
    let stores = (Arc::new(MemoryMetadata::default()), Arc::new(blobs));
    let plain = Process::over(stores.clone(), &Faults::none(), &Arc::default());
    plain.push(&HERE, &[LAYER]).await;
    let digests = [digest(LAYER)];
    match before {
        Before::Unused => {}
        Before::Condemned => plain.condemn(&[LAYER]).await,
        Before::File => {
            plain.condemn(&[LAYER]).await;
            let forget = plain.metadata.forget_blobs(&digests, later(1), later(1));
            assert_eq!(forget.await.unwrap().len(), 1);
        }
    }
    let process = Process::apart(stores, faults, &Arc::default());
    match at {
        Where::Together => process,
        Where::Apart => process.with_collector_elsewhere(),
    }
}

impl Rival {
    /// The faults of the registry and of the collector, if these are those of the first and of the
    /// second rival.
    fn faults(rivals: [Self; 2], [first, second]: [&Faults; 2]) -> [&Faults; 2] {
        match rivals[0] {
            Self::Collect | Self::Sweep => [second, first],
            _ => [first, second],
        }
    }

    async fn act(self, process: &Process) -> Outcome {
        let (registry, digest) = (&process.registry, digest(LAYER));
        match self {
            Self::Push => {
                let content = Content::from_bytes(LAYER);
                registry.push_blob(&THERE, &digest, content).await?;
            }
            Self::Refused => refused::push(process).await?,
            Self::Mount => drop(registry.mount_blob(&THERE, None, &digest).await?),
            Self::Head => drop(registry.blob(&HERE, &digest).await?),
            Self::Get => drop(registry.open_blob(&HERE, &digest).await?),
            Self::Put => {
                let image = image(LAYER, &[]);
                manifest::push(process, &HERE, image, &[]).await?;
            }
            Self::Collect => {
                let (at_once, now) = (Grace(Duration::ZERO), later(1));
                process.collector.collect(at_once, now, &Nobody).await?;
            }
            Self::Sweep => drop(process.collector.sweep(true, &Nobody).await?),
        }
        Ok(())
    }
}

/// Which operation the registry refuses depends on who comes first; no other error is one.
fn assert_is_allowed(outcome: Outcome) {
    let Err(error) = outcome else { return };
    let is_allowed = matches!(
        error.downcast_ref(),
        Some(
            RegistryError::Metadata(MetadataError::Forsaken(_))
                | RegistryError::RepositoryUnknown(_)
                | RegistryError::QuotaExceeded(_)
                | RegistryError::BlobUnknown { .. }
                | RegistryError::ReferencesUnknown { .. }
        )
    );
    assert!(is_allowed, "{error}");
}

async fn assert_whole(process: &Process) {
    settle(process).await;
    let seen = look(&process.stored).await;
    tidy(process).await;
    assert_eq!(look(&process.stored).await, seen);
}

/// How many moments an operation has, if it is alone.
async fn moments(at: Where, before: Before, rival: Rival) -> usize {
    let faults = Faults::none();
    let process = prepare(at, before, [&faults, &faults]).await;
    assert_is_allowed(rival.act(&process).await);
    faults.moments()
}

/// Stops for so long at one moment.
fn stop_at(moment: usize, time: Duration) -> Faults {
    Faults::at(moment.div_ceil(2), pause(moment, time))
}

fn pause(moment: usize, time: Duration) -> Fault {
    match moment % 2 {
        1 => Fault::Sleep(time),
        _ => Fault::Linger(time),
    }
}

#[tokio::test(start_paused = true)]
async fn rivals_leave_what_is_there_whole() {
    let_meet(Where::Together).await;
}

#[tokio::test(start_paused = true)]
async fn rivals_in_two_processes_leave_what_is_there_whole() {
    let_meet(Where::Apart).await;
}

async fn let_meet(at: Where) {
    let [begin, short, long] = [1, 10, 100].map(Duration::from_millis);
    for (before, rivals) in meetings() {
        let [first, second] = rivals;
        let count = [
            moments(at, before, first).await,
            moments(at, before, second).await,
        ];
        for (one, other) in pairs(count) {
            println!("{before:?}: {first:?} stops at {one}, {second:?} at {other}");
            let faults = [stop_at(one, short), stop_at(other, long)];
            let process = prepare(at, before, Rival::faults(rivals, faults.each_ref())).await;
            let second = async {
                sleep(begin).await;
                second.act(&process).await
            };
            let (first, second) = tokio::join!(first.act(&process), second);
            assert_is_allowed(first);
            assert_is_allowed(second);
            faults.iter().for_each(Faults::cease);
            assert_whole(&process).await;
        }
    }
}

fn pairs([one, other]: [usize; 2]) -> impl Iterator<Item = (usize, usize)> {
    (1..=one).flat_map(move |one| (1..=other).map(move |other| (one, other)))
}

/// Whether there is a file of the blob.
async fn has_file(process: &Process) -> bool {
    let listed: Vec<Vec<Listed>> = process.stored.blobs.list().try_collect().await.unwrap();
    let digest = digest(LAYER);
    let mut listed = listed.iter().flatten();
    listed.any(|listed| listed.name.digest == digest)
}

/// Both through one registry, which is what makes them share their guards.
#[tokio::test(start_paused = true)]
async fn a_refused_push_takes_nothing_from_others_and_leaves_nothing() {
    let [begin, short, long] = [1, 10, 100].map(Duration::from_millis);
    let none = Faults::none();
    for other in OF_REGISTRY {
        for (before, rivals) in BEFORE.into_iter().flat_map(|before| {
            [[Rival::Refused, other], [other, Rival::Refused]].map(|rivals| (before, rivals))
        }) {
            let [first, second] = rivals;
            let at = Where::Together;
            let count = moments(at, before, first).await + moments(at, before, second).await;
            for (one, another) in pairs([count, count]).filter(|(one, another)| one <= another) {
                println!("{before:?}: {first:?} and {second:?} stop at {one} and {another}");
                let faults = Faults::planned(move |step, _| {
                    let stops = [(one, short), (another, long)];
                    let stop = stops.iter().find(|(moment, _)| moment.div_ceil(2) == step);
                    stop.map(|(moment, time)| pause(*moment, *time))
                });
                let process = prepare(at, before, [&faults, &none]).await;
                let later = async {
                    sleep(begin).await;
                    second.act(&process).await
                };
                let (done, done_later) = tokio::join!(first.act(&process), later);
                settle(&process).await;
                let is_known = recorded(&process.stored).await.contains(&digest(LAYER));
                assert_eq!(has_file(&process).await, is_known);
                assert_is_allowed(done);
                assert_is_allowed(done_later);
                faults.cease();
                assert_whole(&process).await;
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_rival_that_leaves_does_no_harm_later() {
    leave(Where::Together).await;
}

#[tokio::test(start_paused = true)]
async fn a_rival_in_another_process_that_leaves_does_no_harm_later() {
    leave(Where::Apart).await;
}

async fn leave(at: Where) {
    let late = Duration::from_millis(20);
    for (before, rivals) in meetings() {
        let [first, second] = rivals;
        for moment in 1..=moments(at, before, first).await {
            println!("{before:?}: {first:?} is left at {moment}, then {second:?}");
            let faults = [
                Faults::planned(move |_, _| Some(Fault::Late(late))),
                Faults::none(),
            ];
            let process = prepare(at, before, Rival::faults(rivals, faults.each_ref())).await;
            let acting = first.act(&process);
            let others = async || sleep(Duration::from_millis(1)).await;
            if let Some(outcome) = until_moment(moment, &faults[0], acting, others).await {
                assert_is_allowed(outcome);
            }
            assert_is_allowed(second.act(&process).await);
            faults[0].cease();
            assert_whole(&process).await;
        }
    }
}

/// Who looks for the bytes finds that others are meant by now.
#[tokio::test(start_paused = true)]
async fn what_is_pushed_again_and_swept_meanwhile_is_served() {
    let [begin, long] = [1, 100].map(Duration::from_millis);
    let (at, before) = (Where::Apart, Before::Unused);
    for rival in [Rival::Get, Rival::Head, Rival::Mount] {
        for moment in 1..=moments(at, before, rival).await {
            println!("{rival:?} stops at {moment}");
            let faults = [stop_at(moment, long), Faults::none()];
            let process = prepare(at, before, faults.each_ref()).await;
            let replacing = async {
                sleep(begin).await;
                let (registry, digest) = (&process.stored.registry, digest(LAYER));
                let content = Content::from_bytes(LAYER);
                registry.push_blob(&HERE, &digest, content).await?;
                process.collector.sweep(true, &Nobody).await?;
                Outcome::Ok(())
            };
            let (served, replaced) = tokio::join!(rival.act(&process), replacing);
            served.unwrap();
            replaced.unwrap();
            faults[0].cease();
            assert_whole(&process).await;
        }
    }
}
