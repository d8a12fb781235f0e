use std::fs;
use std::path::Path;

use berth_blob::BlobGuards;
use berth_metadata::Blob;
use berth_spec::{Algorithm, Digest};
use berth_verify::{
    BlobDamage, Fault, Nobody, Problem, Quarantine, Verification, VerificationReport,
};

use crate::world::{Notes, World, hurt_tags, image, index, publish, repository};

fn quarantining() -> Verification {
    Verification {
        quarantine: Some(BlobGuards::default()),
        ..Verification::default()
    }
}

fn fault(digest: &Digest, size: u64, damage: BlobDamage, quarantine: Quarantine) -> Fault {
    Fault::Blob {
        digest: digest.clone(),
        size,
        damage,
        quarantine,
    }
}

#[tokio::test]
async fn what_is_as_it_should_be_is_no_problem() {
    for world in World::both() {
        world.push_image("a/b", &["latest"], &[7; 1_000_000]).await;
        world.push_blob("a/b", b"").await;
        let long = Digest::of(Algorithm::Sha512, b"long digest");
        publish(&*world.blobs, &long, b"long digest").await;
        let blob = Blob::new(long, 11);
        world.link("c", &blob).await;

        let notes = Notes::default();
        let run = quarantining();
        let report = run
            .run(&*world.metadata, &*world.blobs, &notes)
            .await
            .unwrap();
        let expected = VerificationReport {
            blobs: 4,
            bytes: 1_000_000 + 6 + 11,
            manifests: 1,
            ..VerificationReport::default()
        };
        assert_eq!(report, expected);
        assert!(report.is_sound());
        let progress = notes.progress.into_inner().unwrap();
        let stages = ["verifying blobs", "verifying manifests"].map(|stage| {
            let mut told = progress.iter().filter(|progress| progress.stage == stage);
            let end = told.next_back().unwrap();
            (end.done, end.total)
        });
        assert_eq!(stages, [(1_000_017, Some(1_000_017)), (1, Some(1))]);
    }
}

#[tokio::test]
async fn nothing_is_verified_in_an_empty_registry() {
    for world in World::both() {
        let (report, _) = world.verify(&quarantining()).await;
        assert_eq!(report, VerificationReport::default());
    }
}

#[tokio::test]
async fn a_flipped_bit_is_found_with_those_that_it_hurts_and_a_push_mends_it() {
    let world = World::in_a_folder();
    let content = vec![7; 600_000];
    let layer = world.push_image("a/b", &["1", "2"], &content).await;
    let child = image(b"config", &[&content]);
    world.push("a/b", &["multi"], &index(&[&child])).await;
    world.push_image("a/b", &["other"], b"another layer").await;
    world.push_image("c", &["3"], &content).await;
    let mut flipped = content.clone();
    flipped[300_000] ^= 1;
    overwrite(world.path_of(&layer), &flipped);

    let damage = BlobDamage::Corrupt {
        found: Digest::sha256(&flipped),
    };
    let kept = fault(&layer, 600_000, damage.clone(), Quarantine::Kept);
    let (report, problems) = world.verify(&Verification::default()).await;
    assert_eq!((report.problems, report.quarantined), (1, 0));
    assert_eq!(problems[0].fault, kept);
    assert_eq!(
        hurt_tags(&problems[0]),
        ["a/b:1", "a/b:2", "a/b:multi", "c:3"]
    );
    assert_eq!(problems[0].hurts.manifests.count(), 3);
    let repositories = ["a/b", "c"].map(repository);
    assert_eq!(problems[0].hurts.repositories.first, repositories);
    assert!(world.path_of(&layer).exists());

    let (report, problems) = world.verify(&quarantining()).await;
    assert_eq!((report.problems, report.quarantined), (1, 1));
    assert_eq!(
        problems[0].fault,
        fault(&layer, 600_000, damage, Quarantine::Moved)
    );
    assert_eq!(hurt_tags(&problems[0]).len(), 4);
    assert!(
        world
            .blobs
            .open(&layer.clone().into())
            .await
            .unwrap()
            .is_none()
    );
    let quarantined = format!("quarantine/sha256-{}.1", layer.hex());
    assert!(fs::read(world.root().join(quarantined)).unwrap() == flipped);

    let (_, problems) = world.verify(&quarantining()).await;
    let missing = fault(&layer, 600_000, BlobDamage::Missing, Quarantine::Kept);
    assert_eq!(problems[0].fault, missing);
    assert_eq!(problems.len(), 1);

    world.push_blob("c", &content).await;
    let (report, _) = world.verify(&quarantining()).await;
    assert!(report.is_sound());
}

#[tokio::test]
async fn the_same_is_found_in_memory() {
    let world = World::in_memory();
    let layer = Digest::sha256(b"right");
    publish(&*world.blobs, &layer, b"wrong").await;
    let blob = Blob::new(layer.clone(), 5);
    world.link("a", &blob).await;
    let (report, _) = world.verify(&quarantining()).await;
    assert_eq!(report.quarantined, 1);
    assert!(
        world
            .blobs
            .open(&layer.clone().into())
            .await
            .unwrap()
            .is_none()
    );
    world.push_blob("a", b"right").await;
    assert!(world.verify(&quarantining()).await.0.is_sound());
}

#[tokio::test]
async fn missing_cut_and_unreadable_bytes_are_told_apart() {
    let world = World::in_a_folder();
    let missing = world.push_blob("a", b"missing").await;
    let cut = world.push_blob("a", b"cut short").await;
    let longer = world.push_blob("a", b"longer").await;
    let unreadable = world.push_blob("a", b"unreadable").await;
    fs::remove_file(world.path_of(&missing)).unwrap();
    overwrite(world.path_of(&cut), b"cut");
    overwrite(world.path_of(&longer), b"longer!");
    // It can be opened, and not be read.
    fs::remove_file(world.path_of(&unreadable)).unwrap();
    fs::create_dir(world.path_of(&unreadable)).unwrap();

    let (report, problems) = world.verify(&quarantining()).await;
    assert_eq!(
        (report.blobs, report.problems, report.quarantined),
        (4, 4, 2)
    );
    let found = |digest: &Digest| {
        let is_of = |problem: &&Problem| matches!(&problem.fault, Fault::Blob { digest: found, .. } if found == digest);
        problems.iter().find(is_of).unwrap().fault.clone()
    };
    let expected = fault(&missing, 7, BlobDamage::Missing, Quarantine::Kept);
    assert_eq!(found(&missing), expected);
    let damage = BlobDamage::CutShort { found: 3 };
    assert_eq!(found(&cut), fault(&cut, 9, damage, Quarantine::Moved));
    let damage = BlobDamage::Corrupt {
        found: Digest::sha256(b"longer!"),
    };
    assert_eq!(found(&longer), fault(&longer, 6, damage, Quarantine::Moved));
    let told = found(&unreadable).to_string();
    assert!(told.contains("cannot be read: "), "{told}");
    assert!(!told.contains("quarantine"), "{told}");
    assert!(world.path_of(&unreadable).is_dir());
}

#[tokio::test]
async fn a_wrong_record_is_no_reason_to_move_right_bytes() {
    for world in World::both() {
        let digest = Digest::sha256(b"right bytes");
        publish(&*world.blobs, &digest, b"right bytes").await;
        let blob = Blob::new(digest.clone(), 12);
        world.link("a", &blob).await;
        let (_, problems) = world.verify(&quarantining()).await;
        let damage = BlobDamage::Misrecorded { found: 11 };
        assert_eq!(
            problems[0].fault,
            fault(&digest, 12, damage, Quarantine::Kept)
        );
        assert!(
            world
                .blobs
                .open(&digest.clone().into())
                .await
                .unwrap()
                .is_some()
        );
    }
}

#[tokio::test]
async fn bytes_that_cannot_be_moved_are_told() {
    let world = World::in_a_folder();
    let layer = world.push_blob("a", b"layer").await;
    overwrite(world.path_of(&layer), b"wrong");
    fs::write(world.root().join("quarantine"), b"not a folder").unwrap();
    let (report, problems) = world.verify(&quarantining()).await;
    assert_eq!((report.problems, report.quarantined), (1, 0));
    let told = problems[0].to_string();
    assert!(told.contains("cannot be moved to quarantine"), "{told}");
    assert!(world.path_of(&layer).exists());
}

#[tokio::test]
async fn problems_and_reports_can_be_read_by_people_and_programs() {
    let world = World::in_a_folder();
    let layer = world.push_image("a/b", &["latest"], b"layer").await;
    fs::remove_file(world.path_of(&layer)).unwrap();
    let (report, problems) = world.verify(&Verification::default()).await;
    let image = Digest::sha256(image(b"config", &[b"layer"]).to_string().as_bytes());
    assert_eq!(
        problems[0].to_string(),
        format!(
            "blob {layer} (5 bytes) has no bytes; \
             hurts tags a/b:latest; manifests a/b@{image}; repositories a/b"
        )
    );
    assert_eq!(
        report.to_string(),
        "verified 2 blobs (6 B) and 1 manifest: 1 problem"
    );
    let text = serde_json::to_string(&(&report, &problems)).unwrap();
    let read: (VerificationReport, Vec<Problem>) = serde_json::from_str(&text).unwrap();
    assert_eq!(read, (report, problems));
}

#[tokio::test]
async fn a_verification_can_be_a_task_of_its_own() {
    let world = World::in_memory();
    world.push_image("a", &["latest"], b"layer").await;
    let verifying = tokio::spawn(async move {
        let how = Verification::default();
        how.run(&*world.metadata, &*world.blobs, &Nobody).await
    });
    assert!(verifying.await.unwrap().unwrap().is_sound());
}

/// Replaces the file of a blob, which is read-only.
fn overwrite(path: impl AsRef<Path>, content: impl AsRef<[u8]>) {
    fs::remove_file(&path).unwrap();
    fs::write(&path, content).unwrap();
}
