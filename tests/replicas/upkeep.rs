use std::fs;

use crate::harness::{Image, Push, digest, wait_until};
use crate::world::{World, text};

/// Whether the bucket has the bytes of a blob.
fn has(world: &World, digest: &str) -> bool {
    let (_, hex) = digest.split_once(':').unwrap();
    let objects = world.bucket.objects();
    objects.iter().any(|it| it.to_str().unwrap().contains(hex))
}

#[test]
fn commands_work_beside_replicas() {
    let world = World::new();
    let (one, other) = (world.start(), world.start());
    let image = Image::new(11);
    one.push("team/app", "v1", &image).is(201);
    let unused = other.push_blob("team/app", b"nobody needs this");
    assert!(has(&world, &unused));
    let planned = world.run(&["gc", "--dry-run", "--grace", "0s"]);
    assert!(planned.contains("would be condemned: 1 blob"), "{planned}");
    let collected = world.run(&["gc", "--grace", "0s"]);
    assert!(collected.contains("deleted: 1 blob"), "{collected}");
    assert!(!has(&world, &unused));
    let layer = format!("/v2/team/app/blobs/{}", digest(&image.layer));
    for replica in [&one, &other] {
        replica
            .head(&format!("/v2/team/app/blobs/{unused}"))
            .is(404);
        assert_eq!(replica.get(&layer).is(200).body, image.layer);
    }
    // It can be pushed again at once.
    assert_eq!(one.push_blob("team/app", b"nobody needs this"), unused);
    other.head(&format!("/v2/team/app/blobs/{unused}")).is(200);
    let verified = world.run(&["verify"]);
    assert!(verified.contains("no problems"), "{verified}");
}

#[test]
fn replicas_collect_by_themselves_in_turns() {
    let world = World::new();
    let options = [
        "--collection-interval",
        "1s",
        "--collection-grace",
        "1s",
        "--verification-rate",
        "10MiB",
    ];
    let (one, other) = (world.start_with(&options), world.start_with(&options));
    let image = Image::new(12);
    one.push("team/app", "v1", &image).is(201);
    let contents: Vec<String> = (0..20).map(|number| format!("unused {number}")).collect();
    let unused: Vec<String> = contents
        .iter()
        .map(|content| other.push_blob("team/app", content.as_bytes()))
        .collect();
    wait_until("what nothing needs is gone", || {
        !unused.iter().any(|digest| has(&world, digest))
    });
    wait_until("each thing had its turn", || {
        let begun = "SELECT count(*)::text AS text FROM turns WHERE begun_at IS NOT NULL";
        // Retention, expiry, orphans, a sweep, sixteen parts of collection, and of verification those and the manifests.
        world.ask(begun) == "37"
    });
    let layer = format!("/v2/team/app/blobs/{}", digest(&image.layer));
    assert_eq!(other.get(&layer).is(200).body, image.layer);
}

/// What is due again before all parts were done once must not keep it from what comes after them.
#[test]
fn a_collection_that_takes_longer_than_its_interval_ends() {
    let world = World::new();
    let _replica = world.start_with(&["--collection-interval", "1ms"]);
    wait_until("a sweep had its turn", || {
        let begun = "SELECT count(*)::text AS text FROM turns WHERE task = 'sweep'";
        world.ask(begun) == "1"
    });
}

/// One part that fails keeps no other from its turn, and does not count as done.
#[test]
fn what_failed_is_due_again_when_its_turn_has_run_out() {
    let world = World::new();
    drop(world.start());
    world.execute("ALTER TABLE replaced_blobs RENAME TO not_there; TRUNCATE turns");
    let _replica = world.start_with(&["--collection-interval", "1s"]);
    let count = |condition: &str| {
        let all = "SELECT count(*)::text AS text FROM turns WHERE task LIKE 'collect/%'";
        world.ask(&format!("{all} AND {condition}"))
    };
    wait_until("all have failed", || count("held_until > now()") == "16");
    // As if their time had run out.
    world.execute(
        "ALTER TABLE not_there RENAME TO replaced_blobs;
         UPDATE turns SET held_until = now() WHERE held_until IS NOT NULL",
    );
    wait_until("all are done", || count("held_until IS NULL") == "16");
}

#[test]
fn a_configuration_file_does_for_all() {
    let world = World::new();
    world.start();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("berth.toml");
    let password = folder.path().join("password");
    fs::write(&password, format!("{}\n", world.password())).unwrap();
    let options = format!(
        "metadata = {:?}\nmetadata_password_file = {password:?}\nblob_storage = \"s3://blobs/registry\"\n",
        world.url_without_password()
    );
    fs::write(&file, options).unwrap();
    let mut command = world.command(&["gc", "--config", file.to_str().unwrap()]);
    command.env_remove("BERTH_METADATA");
    command.env_remove("BERTH_BLOB_STORAGE");
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
}
