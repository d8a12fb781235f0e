use crate::harness::{Image, Push, digest, noise};
use crate::world::World;

#[test]
fn what_one_replica_takes_the_others_give() {
    let world = World::new();
    let (one, other) = (world.start(), world.start());
    let image = Image::new(1);
    one.push("team/app", "v1", &image).is(201);
    let layer = format!("/v2/team/app/blobs/{}", digest(&image.layer));
    assert_eq!(other.get(&layer).is(200).body, image.layer);
    let manifest = other.get("/v2/team/app/manifests/v1").is(200);
    assert_eq!(manifest.body, image.manifest);
    let later = Image::new(2);
    other.push("team/app", "v1", &later).is(201);
    let manifest = one.get("/v2/team/app/manifests/v1").is(200);
    assert_eq!(manifest.body, later.manifest);
    // A replica has nothing of its own.
    for replica in [&one, &other] {
        assert!(!replica.data().exists());
    }
}

#[test]
fn what_one_replica_has_cached_is_gone_when_another_deletes_it() {
    let world = World::new();
    let folder = tempfile::tempdir().unwrap();
    let caching = |name: &str| {
        let folder = folder.path().join(name);
        world.start_with(&[
            "--blob-cache=20MiB",
            "--blob-cache-folder",
            folder.to_str().unwrap(),
        ])
    };
    let (one, other) = (caching("one"), caching("other"));
    let content = noise(3, 2_000_000);
    let digest = one.push_blob("team/app", &content);
    one.push_blob("team/kept", &content);
    let blob = format!("/v2/team/app/blobs/{digest}");
    for replica in [&one, &other, &one, &other] {
        assert!(replica.get(&blob).is(200).body == content);
    }
    other.delete(&blob).is(202);
    for replica in [&one, &other] {
        replica.get(&blob).is(404);
        let kept = blob.replace("team/app", "team/kept");
        assert!(replica.get(&kept).is(200).body == content);
    }
}

#[test]
fn an_upload_goes_on_at_another_replica() {
    let world = World::new();
    let (one, other) = (world.start(), world.start());
    let content = noise(2, 20_000_000);
    let session = one.begin("team/app");
    one.patch(&session, &content[..1_000_000]).is(202);
    other
        .patch(&session, &content[1_000_000..12_000_000])
        .is(202);
    let digest = digest(&content);
    let rest = content[12_000_000..].to_vec();
    one.put(&format!("{session}?digest={digest}"), rest).is(201);
    let blob = format!("/v2/team/app/blobs/{digest}");
    assert!(other.get(&blob).is(200).body == content);
}
