use berth_metadata::NewManifest;
use berth_spec::{Digest, Reference, media_types};
use berth_verify::{Fault, ManifestDamage, Nobody, Problem, Verification};
use bytes::Bytes;
use serde_json::{Value, json};

use crate::world::{World, bare, hurt_tags, image, index, repository};

fn content(manifest: &Value) -> Bytes {
    manifest.to_string().into()
}

/// What is wrong with the only manifest that is damaged.
fn damage(problems: &[Problem]) -> (&Digest, &ManifestDamage) {
    let [problem] = problems else {
        panic!("{problems:?}");
    };
    match &problem.fault {
        Fault::Manifest { digest, damage, .. } => (digest, damage),
        fault => panic!("{fault}"),
    }
}

fn missing(problems: &[Problem]) -> Vec<Digest> {
    match damage(problems).1 {
        ManifestDamage::References { missing } => missing.first.clone(),
        damage => panic!("{damage}"),
    }
}

#[tokio::test]
async fn a_manifest_with_other_bytes_is_corrupt() {
    for world in World::both() {
        let damaged = NewManifest {
            digest: Digest::sha256(b"what it was"),
            ..bare(
                media_types::OCI_IMAGE_INDEX,
                content(&index(&[])),
                &["latest"],
            )
        };
        world.put("a", &damaged).await;
        let (report, problems) = world.verify(&Verification::default()).await;
        assert_eq!(report.manifests, 1);
        let found = Digest::sha256(&damaged.content);
        let expected = (&damaged.digest, &ManifestDamage::Corrupt { found });
        assert_eq!(damage(&problems), expected);
        assert_eq!(hurt_tags(&problems[0]), ["a:latest"]);
    }
}

#[tokio::test]
async fn bytes_that_are_no_manifest_are_unreadable() {
    for world in World::both() {
        let garbage = bare(media_types::OCI_IMAGE_INDEX, Bytes::from("garbage"), &[]);
        world.put("a", &garbage).await;
        let (_, problems) = world.verify(&Verification::default()).await;
        let (digest, damage) = damage(&problems);
        assert_eq!(*digest, garbage.digest);
        assert!(matches!(damage, ManifestDamage::Unreadable { .. }));
        let told = problems[0].to_string();
        assert!(told.contains("not valid JSON"), "{told}");
    }
}

#[tokio::test]
async fn a_blob_that_was_taken_from_the_repository_is_missed_there() {
    for world in World::both() {
        let layer = world.push_image("a", &["latest"], b"layer").await;
        world.push_image("b", &["latest"], b"layer").await;
        let name = repository("a");
        assert!(world.metadata.unlink_blob(&name, &layer).await.unwrap());
        let (_, problems) = world.verify(&Verification::default()).await;
        assert_eq!(missing(&problems), [layer]);
        assert_eq!(hurt_tags(&problems[0]), ["a:latest"]);
        world.push_blob("a", b"layer").await;
        assert!(world.verify(&Verification::default()).await.0.is_sound());
    }
}

#[tokio::test]
async fn a_child_that_was_deleted_is_missed() {
    for world in World::both() {
        world.push_image("a", &[], b"layer").await;
        world.push_image("b", &[], b"layer").await;
        let child = image(b"config", &[b"layer"]);
        world.push("a", &["multi"], &index(&[&child])).await;
        let child = Digest::sha256(&content(&child));
        world.delete_manifest("a", &child).await;
        let (_, problems) = world.verify(&Verification::default()).await;
        assert_eq!(missing(&problems), [child]);
        assert_eq!(hurt_tags(&problems[0]), ["a:multi"]);
    }
}

#[tokio::test]
async fn subjects_and_non_distributable_layers_may_be_missing() {
    for world in World::both() {
        world.push_blob("a", b"config").await;
        let mut artifact = image(b"config", &[b"foreign"]);
        artifact["layers"][0]["mediaType"] =
            "application/vnd.oci.image.layer.nondistributable.v1.tar".into();
        let subject = Digest::sha256(b"no manifest");
        artifact["subject"] = json!({
            "mediaType": media_types::OCI_IMAGE_MANIFEST, "digest": subject, "size": 1,
        });
        world.push("a", &["latest"], &artifact).await;
        let (report, problems) = world.verify(&Verification::default()).await;
        assert!(report.is_sound(), "{problems:?}");
    }
}

#[tokio::test]
async fn of_many_missing_references_a_few_are_named() {
    for world in World::both() {
        let layers: Vec<Vec<u8>> = (0..50u8).map(|number| vec![number]).collect();
        let layers: Vec<&[u8]> = layers.iter().map(Vec::as_slice).collect();
        let media_type = media_types::OCI_IMAGE_MANIFEST;
        let image = bare(media_type, content(&image(b"config", &layers)), &[]);
        world.put("a", &image).await;
        let (_, problems) = world.verify(&Verification::default()).await;
        assert_eq!(missing(&problems).len(), 20);
        let told = problems[0].to_string();
        assert!(told.contains(" and 31 more"), "{told}");
    }
}

#[tokio::test]
async fn all_pages_are_read() {
    for world in World::both() {
        for number in 0..300 {
            let mut empty = index(&[]);
            empty["annotations"] = json!({"number": number.to_string()});
            let name = ["a", "b", "c"][number % 3];
            world.push(name, &[], &empty).await;
        }
        let how = Verification::default();
        let report = how.run_without_blobs(&*world.metadata, &Nobody).await;
        let report = report.unwrap();
        assert_eq!((report.manifests, report.problems), (300, 0));
    }
}

/// A manifest that is deleted and pushed again is as good as it was.
#[tokio::test]
async fn what_is_pushed_again_is_right_again() {
    for world in World::both() {
        let empty = content(&index(&[]));
        let damaged = NewManifest {
            content: Bytes::from("damaged"),
            ..bare(media_types::OCI_IMAGE_INDEX, empty, &["latest"])
        };
        world.put("a", &damaged).await;
        assert!(!world.verify(&Verification::default()).await.0.is_sound());
        world.delete_manifest("a", &damaged.digest).await;
        world.push("a", &["latest"], &index(&[])).await;
        assert!(world.verify(&Verification::default()).await.0.is_sound());
        let latest: Reference = "latest".parse().unwrap();
        let read = world
            .metadata
            .manifest(&repository("a"), &latest)
            .await
            .unwrap();
        assert_eq!(read.unwrap().digest, damaged.digest);
    }
}
