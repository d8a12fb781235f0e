use std::time::{Duration, Instant};

use berth_postgres::test_server::TestServer;
use secrecy::ExposeSecret;

use crate::harness::{Berth, Push};
use crate::world::{World, text};

#[test]
fn blobs_in_a_folder_are_refused() {
    let world = World::new();
    for arguments in [["serve", "--listen=127.0.0.1:0"], ["gc", "--dry-run"]] {
        let mut command = world.command(&arguments);
        command.env("BERTH_BLOB_STORAGE", "folder");
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        let said = text(&output);
        assert!(said.contains("blob_storage = \"s3://"), "{said}");
        assert!(!world.tells_password(&said), "{said}");
    }
}

#[test]
fn a_cache_in_the_data_folder_is_refused() {
    let world = World::new();
    let mut command = world.command(&["serve", "--listen=127.0.0.1:0", "--blob-cache=1GiB"]);
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = text(&output);
    assert!(said.contains("set blob_cache_folder"), "{said}");
}

#[test]
fn there_is_no_backup_of_what_replicas_share() {
    let world = World::new();
    let folder = tempfile::tempdir().unwrap();
    let backup = folder.path().join("backup");
    for name in ["backup", "restore"] {
        let output = world.command(&[name, backup.to_str().unwrap()]).output();
        let output = output.unwrap();
        assert_eq!(output.status.code(), Some(1));
        let said = text(&output);
        assert!(said.contains("pg_dump"), "{said}");
    }
    assert!(!backup.exists());
}

#[test]
fn a_bucket_belongs_to_one_database() {
    let world = World::new();
    let replica = world.start();
    replica.push_blob("team/app", b"content");
    let mut command = world.command(&["serve", "--listen", "127.0.0.1:0"]);
    let other = world.postgres.database();
    command.env("BERTH_METADATA", other.expose_secret());
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = text(&output);
    assert!(said.contains("another registry"), "{said}");
    // A second replica of the same is no other registry.
    world.start();
}

#[test]
fn a_password_is_never_told() {
    let world = World::new();
    let wrong = world.url.replace("s3cret", "wr0ng");
    assert_ne!(wrong, world.url);
    let mut command = world.command(&["serve", "--listen", "127.0.0.1:0", "--log", "trace"]);
    let output = command.env("BERTH_METADATA", &wrong).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = text(&output);
    assert!(said.contains("password authentication failed"), "{said}");
    assert!(!said.contains("wr0ng"), "{said}");
    let output = world.command(&["config"]).output().unwrap();
    assert!(!world.tells_password(&text(&output)));
    let mut replica = world.start_with(&["--log", "trace"]);
    replica.push_blob("team/app", b"content");
    replica.kill();
    assert!(!world.tells_password(&replica.log()));
}

#[test]
fn a_replica_waits_for_its_database() {
    let mut world = World::new();
    let server = TestServer::start();
    world.url = server.database().expose_secret().to_owned();
    server.stop();
    let begun = Instant::now();
    let replica = std::thread::scope(|scope| {
        let starting = scope.spawn(|| world.start());
        std::thread::sleep(Duration::from_secs(2));
        assert!(!starting.is_finished());
        server.start_again();
        starting.join().unwrap()
    });
    assert!(begun.elapsed() >= Duration::from_secs(2));
    replica.push_blob("team/app", b"content");
    // One that serves goes on when the database is there again.
    let digest = push_while(&server, &replica);
    replica.get(&format!("/v2/team/app/blobs/{digest}")).is(200);
}

/// Pushes a blob while the database is started again.
fn push_while(server: &TestServer, replica: &Berth) -> String {
    server.stop();
    std::thread::scope(|scope| {
        let pushing = scope.spawn(|| replica.push_blob("team/app", b"other content"));
        std::thread::sleep(Duration::from_secs(1));
        server.start_again();
        pushing.join().unwrap()
    })
}

#[test]
fn a_bucket_that_is_not_there_is_told() {
    let world = World::new();
    let mut command = world.command(&["serve", "--listen", "127.0.0.1:0"]);
    command.env("BERTH_BLOB_STORAGE", "s3://not-there/registry");
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = text(&output);
    assert!(said.contains("s3://not-there"), "{said}");
    assert!(said.contains("NoSuchBucket"), "{said}");
}

#[test]
fn an_empty_database_is_no_registry() {
    let world = World::new();
    for arguments in [["gc", "--grace=1d"], ["user", "list"], ["verify", "--keep"]] {
        let output = world.command(&arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        let said = text(&output);
        assert!(
            said.contains("there is no registry in postgresql://berth@/"),
            "{said}"
        );
        assert!(!world.tells_password(&said), "{said}");
    }
    let add = [
        "token",
        "add",
        "ci",
        "--repository",
        "**",
        "--action",
        "pull",
    ];
    let output = world.command(&add).output().unwrap();
    let said = text(&output);
    assert!(output.status.success(), "{said}");
    assert!(said.contains("a new one was begun there"), "{said}");
    assert!(
        said.contains("replicas that were started before this"),
        "{said}"
    );
    world.run(&["user", "list"]);
}

/// They may have promised to keep things for longer.
#[test]
fn garbage_is_not_collected_by_a_guess() {
    let world = World::new();
    let _replica = world.start();
    for arguments in [&["gc"][..], &["gc", "--dry-run"]] {
        let output = world.command(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        let said = text(&output);
        assert!(said.contains("--config"), "{said}");
        assert!(said.contains("--grace"), "{said}");
        assert!(!world.tells_password(&said), "{said}");
    }
    let mut command = world.command(&["gc", "--dry-run"]);
    command.env("BERTH_COLLECTION_GRACE", "1d");
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
}
