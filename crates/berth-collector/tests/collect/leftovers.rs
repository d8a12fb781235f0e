//! What is of a known digest, and not what its record means.

use std::time::{Duration, SystemTime};

use berth_collector::{Amount, CollectionReport, SweepReport};
use berth_metadata::Blob;
use berth_progress::Nobody;

use crate::world::{World, amount, generations, hours};

const HOUR: Duration = Duration::from_secs(3600);

async fn is_there(world: &World, blob: &Blob) -> bool {
    world.blobs.open(&blob.name()).await.unwrap().is_some()
}

async fn lose(world: &World, blob: &Blob) {
    assert_eq!(world.blobs.delete(&[blob.name()]).await.unwrap(), 1);
}

async fn sweep(world: &World) -> SweepReport {
    world.collector.sweep(false, &Nobody).await.unwrap()
}

#[tokio::test]
async fn bytes_that_were_replaced_are_swept() {
    let world = generations();
    let older = world.push("pushed twice").await;
    let newer = world.push("pushed twice").await;
    assert!(is_there(&world, &older).await);
    let keeping = world.guards.keeping_all().await;
    assert_eq!(sweep(&world).await, SweepReport::default());
    drop(keeping);
    // Two of one content at once.
    let orphan = world.publish("pushed twice").await;
    let report = sweep(&world).await;
    assert_eq!(report.unrecorded, amount([&older, &orphan]));
    assert!(!is_there(&world, &older).await);
    assert!(world.has(&newer).await);
}

/// Who pushes one blob again and again must not keep the leftovers of all others from being removed.
#[tokio::test]
async fn however_many_were_replaced_they_are_no_sign_of_other_metadata() {
    let world = generations();
    let orphan = world.publish("orphan").await;
    let mut pushed = Vec::new();
    for _ in 0..160 {
        pushed.push(world.push("pushed again and again").await);
    }
    let last = pushed.pop().unwrap();
    let report = sweep(&world).await;
    assert_eq!((report.left, report.corrupt), (0, Amount::default()));
    assert_eq!(report.unrecorded, amount(pushed.iter().chain([&orphan])));
    assert!(world.has(&last).await);
}

/// Nor may they hide that the metadata is another's.
#[tokio::test]
async fn however_many_were_replaced_they_do_not_outweigh_strange_files() {
    let world = generations();
    for number in 0..101 {
        world.publish(&number.to_string()).await;
    }
    for _ in 0..160 {
        world.push("pushed again and again").await;
    }
    let report = sweep(&world).await;
    assert_eq!((report.left, report.unrecorded), (260, Amount::default()));
}

#[tokio::test]
async fn bytes_that_were_replaced_go_an_hour_later() {
    let mut world = generations();
    world.collector = world.collector.sweeping_after(HOUR);
    let older = world.push("pushed twice").await;
    let newer = world.push("pushed twice").await;
    world.put("needs it", &[&newer]).await;
    let now = SystemTime::now();
    assert_eq!(world.collect(now).await, CollectionReport::default());
    assert!(is_there(&world, &older).await);
    let later = hours(1) + Duration::from_secs(1);
    let keeping = world.guards.keeping_all().await;
    assert_eq!(world.collect(later).await, CollectionReport::default());
    drop(keeping);
    let expected = CollectionReport {
        replaced: amount([&older]),
        ..CollectionReport::default()
    };
    assert_eq!(world.collect(later).await, expected);
    assert!(!is_there(&world, &older).await);
    assert!(world.has(&newer).await);
    assert_eq!(world.collect(later).await, CollectionReport::default());
    let page = world.collected.replaced_blobs(None, later, 10).await;
    assert_eq!(page.unwrap(), []);
}

/// However long ago they were written: whoever has begun to read them goes on.
#[tokio::test]
async fn bytes_that_were_replaced_just_now_are_not_swept() {
    let mut world = generations();
    let age = Duration::from_secs(2);
    world.collector = world.collector.sweeping_after(age);
    let older = world.push("pushed twice").await;
    tokio::time::sleep(age + Duration::from_millis(10)).await;
    world.push("pushed twice").await;
    assert_eq!(sweep(&world).await, SweepReport::default());
    tokio::time::sleep(age + Duration::from_millis(10)).await;
    assert_eq!(sweep(&world).await.unrecorded, amount([&older]));
}

/// Metadata that were restored mean bytes that were replaced and removed since they were saved.
#[tokio::test]
async fn what_may_be_the_only_copy_left_is_adopted() {
    for strange in [0, 101] {
        let world = generations();
        let lost = world.push("pushed once more after a dump").await;
        let found = [
            world.publish("pushed once more after a dump").await,
            world.publish("pushed once more after a dump").await,
        ];
        for number in 0..strange {
            world.publish(&number.to_string()).await;
        }
        lose(&world, &lost).await;
        let report = sweep(&world).await;
        assert_eq!(report.adopted, amount([&lost]));
        assert_eq!((report.missing, report.corrupt), Default::default());
        let recorded = world.metadata.blob(&world.here, &lost.digest).await;
        let recorded = recorded.unwrap().unwrap();
        assert!(found.contains(&recorded));
        assert!(world.has(&recorded).await);
        let [one, other] = &found;
        let needless = if recorded == *one { other } else { one };
        match strange {
            0 => {
                assert_eq!(report.unrecorded, amount([needless]));
                assert_eq!(sweep(&world).await, SweepReport::default());
            }
            // Nothing at all is removed by metadata that may be the wrong ones.
            _ => {
                assert_eq!(report.unrecorded, Amount::default());
                assert!(is_there(&world, needless).await);
            }
        }
    }
}

#[tokio::test]
async fn bytes_that_were_replaced_stay_if_those_that_replaced_them_are_lost() {
    let world = generations();
    let older = world.push("pushed twice").await;
    let newer = world.push("pushed twice").await;
    world.put("needs it", &[&newer]).await;
    lose(&world, &newer).await;
    let expected = CollectionReport {
        adopted: amount([&older]),
        ..CollectionReport::default()
    };
    assert_eq!(world.collect(hours(2)).await, expected);
    assert!(world.has(&older).await);
    assert_eq!(world.collect(hours(2)).await, CollectionReport::default());
    assert_eq!(sweep(&world).await, SweepReport::default());
    assert!(world.has(&older).await);
}

#[tokio::test]
async fn what_is_not_what_its_digest_says_is_neither_adopted_nor_removed() {
    let world = generations();
    let lost = world.push("what it says").await;
    let corrupt = [
        world.publish_as("something else", &lost.digest).await,
        world.publish_as("what it sayz", &lost.digest).await,
    ];
    lose(&world, &lost).await;
    for even_most in [false, true] {
        let report = world.collector.sweep(even_most, &Nobody).await.unwrap();
        let expected = SweepReport {
            corrupt: amount(&corrupt),
            missing: amount([&lost]),
            ..SweepReport::default()
        };
        assert_eq!(report, expected);
    }
    let found = world.publish("what it says").await;
    let report = sweep(&world).await;
    assert_eq!(report.adopted, amount([&found]));
    assert!(world.has(&found).await);
    // By now it is known that they are needless.
    let rest = sweep(&world).await;
    assert_eq!(rest.corrupt, Amount::default());
    assert_eq!(report.unrecorded.blobs + rest.unrecorded.blobs, 2);
}
