//! What is collected and what is not, over the stores in memory and over SQLite and a folder.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod leftovers;
mod world;

use std::time::{Duration, SystemTime};

use berth_collector::{Amount, CollectionPlan, CollectionReport, Collector, SweepReport};
use berth_metadata::{Blob, Grace, MetadataError, PutManifest};
use berth_progress::Nobody;
use berth_spec::BlobName;

use crate::world::{GRACE, amount, generations, hours, worlds};

#[tokio::test]
async fn what_nothing_needs_is_condemned_and_then_deleted() {
    for world in worlds() {
        let layer = world.push("nobody needs this").await;
        let kept = world.push("somebody needs this").await;
        let (_, manifest) = world.put("the manifest", &[&kept]).await;
        assert_eq!(world.collect(hours(1)).await, CollectionReport::default());
        let long_ago = GRACE.unused_since(hours(2));
        let digests = [layer.digest.clone()];
        let condemned = world.collected.condemn_blobs(&digests, long_ago).await;
        assert_eq!(condemned.unwrap(), std::slice::from_ref(&layer));
        let now = SystemTime::now();
        assert_eq!(world.collect(now).await, CollectionReport::default());
        assert!(world.has(&layer).await);
        assert_eq!(world.collect(hours(2)).await.deleted, amount([&layer]));
        assert!(!world.has(&layer).await);
        assert!(world.has(&kept).await);

        let delete = world.metadata.delete_manifest(&world.here, &manifest);
        assert!(delete.await.unwrap());
        let report = world.collect(hours(2)).await;
        assert_eq!(report.condemned, amount([&kept]));
        assert_eq!(report.deleted, amount([&kept]));
        assert!(!world.has(&kept).await);
    }
}

#[tokio::test]
async fn without_a_grace_period_one_run_does_all() {
    for world in worlds() {
        let layers = [world.push("one").await, world.push("another").await];
        // More than one batch.
        for number in 0..100 {
            world.push(&number.to_string()).await;
        }
        let now = SystemTime::now() + Duration::from_millis(2);
        let at_once = Grace(Duration::ZERO);
        let report = world
            .collector
            .collect(at_once, now, &Nobody)
            .await
            .unwrap();
        assert_eq!(report.deleted.blobs, 102);
        assert_eq!(report.deleted, report.condemned);
        for layer in &layers {
            assert!(!world.has(layer).await);
        }
    }
}

#[tokio::test]
async fn what_a_plan_tells_is_what_happens() {
    for world in worlds() {
        let [first, second] = [world.push("first").await, world.push("second").await];
        let digests = [first.digest.clone()];
        let condemn = world.collected.condemn_blobs(&digests, hours(1));
        condemn.await.unwrap();
        let plan = |now| world.collector.plan(GRACE, now, &Nobody);
        let waiting = CollectionPlan {
            waiting: amount([&first]),
            ..CollectionPlan::default()
        };
        let now = SystemTime::now() + Duration::from_millis(2);
        assert_eq!(plan(now).await.unwrap(), waiting);
        let both = CollectionPlan {
            to_condemn: amount([&second]),
            to_delete: amount([&first]),
            waiting: Amount::default(),
        };
        assert_eq!(plan(hours(2)).await.unwrap(), both);
        assert!(world.has(&first).await && world.has(&second).await);
    }
}

#[tokio::test]
async fn what_is_being_pushed_or_kept_is_left_for_the_next_run() {
    for world in worlds() {
        let layer = world.push("pushed again right now").await;
        let publishing = world.guards.publishing(&layer.digest).await;
        let report = world.collect(hours(2)).await;
        assert_eq!((report.postponed, report.deleted), (1, Amount::default()));
        drop(publishing);
        let keeping = world.guards.keeping_all().await;
        assert_eq!(world.collect(hours(2)).await.postponed, 1);
        assert!(world.has(&layer).await);
        drop(keeping);
        assert_eq!(world.collect(hours(2)).await.deleted, amount([&layer]));
    }
}

#[tokio::test]
async fn what_is_needed_again_is_taken_back() {
    for world in worlds() {
        let layer = world.push("needed again").await;
        let digests = [layer.digest.clone()];
        let condemn = world.collected.condemn_blobs(&digests, hours(1));
        condemn.await.unwrap();
        assert_eq!(
            world.put("needs it", &[&layer]).await.0,
            PutManifest::Stored
        );
        assert_eq!(world.collect(hours(9)).await, CollectionReport::default());
        assert!(world.has(&layer).await);
    }
}

#[tokio::test]
async fn files_that_no_record_knows_are_swept() {
    for world in worlds() {
        let known = world.push("known").await;
        let [orphan, pushed] = [world.publish("orphan").await, world.publish("pushed").await];
        let publishing = world.guards.publishing(&pushed.digest).await;
        let report = world.collector.sweep(false, &Nobody).await.unwrap();
        assert_eq!(report.unrecorded, amount([&orphan]));
        assert!(world.blobs.open(&pushed.name()).await.unwrap().is_some());
        drop(publishing);
        let report = world.collector.sweep(false, &Nobody).await.unwrap();
        assert_eq!(report.unrecorded, amount([&pushed]));
        assert!(world.has(&known).await);
        let again = world.collector.sweep(false, &Nobody).await.unwrap();
        assert_eq!(again, SweepReport::default());
        let gone = [known.name()];
        assert_eq!(world.blobs.delete(&gone).await.unwrap(), 1);
        let report = world.collector.sweep(false, &Nobody).await.unwrap();
        assert_eq!(report.missing, amount([&known]));
    }
}

#[tokio::test]
async fn when_most_files_have_no_record_they_stay_until_somebody_is_sure() {
    for world in worlds() {
        world.push("known").await;
        for number in 0..101 {
            world.publish(&number.to_string()).await;
        }
        let report = world.collector.sweep(false, &Nobody).await.unwrap();
        assert_eq!((report.left, report.unrecorded), (101, Amount::default()));
        let report = world.collector.sweep(true, &Nobody).await.unwrap();
        assert_eq!((report.left, report.unrecorded.blobs), (0, 101));
    }
}

/// What one process has decided to remove, another one pushes again before the bytes are removed.
#[tokio::test]
async fn a_removal_that_comes_late_takes_nothing_that_was_pushed_since() {
    let world = generations();
    let first = world.push("pushed again").await;
    let digests = [first.digest.clone()];
    let condemn = world.collected.condemn_blobs(&digests, hours(1));
    assert_eq!(condemn.await.unwrap(), std::slice::from_ref(&first));
    let forget = world.collected.forget_blobs(&digests, hours(1), hours(1));
    let forgotten: Vec<BlobName> = forget.await.unwrap().iter().map(Blob::name).collect();
    assert_eq!(forgotten, [first.name()]);
    let orphan = world.publish("never recorded").await;
    let forsaken = world
        .collected
        .forsake(&[orphan.name()], hours(1))
        .await
        .unwrap();

    let pushed = [
        world.push("pushed again").await,
        world.push("never recorded").await,
    ];
    let (put, _) = world.put("needs both", &[&pushed[0], &pushed[1]]).await;
    assert_eq!(put, PutManifest::Stored);
    for late in [forgotten, forsaken] {
        assert_eq!(world.blobs.delete(&late).await.unwrap(), 1);
    }
    for blob in &pushed {
        assert!(world.has(blob).await);
    }
    assert_eq!(world.collect(hours(9)).await, CollectionReport::default());
}

/// Who publishes does not hold the guards of another process.
#[tokio::test]
async fn what_is_swept_before_it_is_recorded_is_pushed_again() {
    let world = generations();
    let swept = world.publish("swept too early").await;
    let report = world.collector.sweep(true, &Nobody).await.unwrap();
    assert_eq!(report.unrecorded, amount([&swept]));
    let link = world.metadata.link_blob(&world.here, &swept, None);
    let refused = link.await.unwrap_err();
    assert!(matches!(refused, MetadataError::Forsaken(_)), "{refused}");
    let pushed = world.push("swept too early").await;
    assert!(world.has(&pushed).await);
    let report = world.collector.sweep(true, &Nobody).await.unwrap();
    assert_eq!(report, SweepReport::default());
}

#[tokio::test]
async fn what_was_written_just_now_is_not_swept() {
    let world = generations();
    let known = world.push("known").await;
    let young = world.publish("young").await;
    let patient = world
        .collector
        .clone()
        .sweeping_after(Duration::from_secs(3600));
    let usual = Collector::new(
        world.collected.clone(),
        world.blobs.clone(),
        world.guards.clone(),
    );
    for collector in [patient, usual] {
        for even_most in [false, true] {
            let report = collector.sweep(even_most, &Nobody).await.unwrap();
            assert_eq!(report, SweepReport::default());
        }
    }
    let link = world.metadata.link_blob(&world.here, &young, None);
    link.await.unwrap();
    assert!(world.has(&young).await && world.has(&known).await);
}
