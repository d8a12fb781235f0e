//! The real binary with its blobs on a real S3 server.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[allow(dead_code, unused_imports)]
#[path = "../harness/mod.rs"]
mod harness;
mod pulls;
#[allow(dead_code)]
#[path = "../../crates/berth-object/tests/support/server.rs"]
mod server;

use std::process::Command;

use harness::{Berth, Image, Push, digest, noise};
use server::{SECRET, Server, variables};

const STORAGE: [&str; 2] = ["--blob-storage", "s3://blobs/registry"];

fn start(server: &Server) -> Berth {
    Berth::start_in(&variables(&server.endpoint()), &STORAGE)
}

/// How a process ends that does not serve, and what it says.
fn refusal(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(!output.status.success());
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn images_are_pushed_and_pulled() {
    let server = Server::start();
    let berth = start(&server);
    let image = Image::new(1);
    berth.push("team/app", "v1", &image).is(201);
    assert_eq!(
        berth.get("/v2/team/app/manifests/v1").is(200).body,
        image.manifest
    );
    let layer = format!("/v2/team/app/blobs/{}", digest(&image.layer));
    assert_eq!(berth.get(&layer).is(200).body, image.layer);
    let part = berth
        .send_with("GET", &layer, ("range", "bytes=10-19"))
        .is(206);
    assert_eq!(part.body, &image.layer[10..20]);
    // Nothing is in the data folder.
    assert!(!berth.data().join("blobs").exists());
    let berth = berth.kill_and_restart();
    assert_eq!(berth.get(&layer).is(200).body, image.layer);
    let objects = server.objects();
    let is_upload = |object: &&std::path::PathBuf| object.starts_with("registry/uploads");
    assert_eq!(objects.iter().find(is_upload), None);
}

#[test]
fn a_bucket_is_reached_over_tls() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: String| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let certificate = write("certificate.pem", made.cert.pem());
    let key = write("key.pem", made.signing_key.serialize_pem());
    let server = Server::start_with(&["--cert", &certificate, "--key", &key]);
    let mut variables = variables(&format!("https://{}", server.address));
    variables.push(("SSL_CERT_FILE".to_owned(), certificate));
    let mut berth = Berth::start_in(&variables, &STORAGE);
    let content = noise(7, 20_000_000);
    let digest = berth.push_blob("team/app", &content);
    let blob = format!("/v2/team/app/blobs/{digest}");
    assert!(berth.get(&blob).is(200).body == content);
    // Without the certificate, the server is not believed.
    berth.kill();
    let said = refusal(berth.command().env_remove("SSL_CERT_FILE"));
    assert!(said.contains("certificate"), "{said}");
}

#[test]
fn a_large_upload_goes_on_after_a_crash() {
    let server = Server::start();
    let mut berth = start(&server);
    let content = noise(2, 30_000_000);
    let session = berth.begin("team/app");
    let mut start = 0;
    // In the middle of a part, at its end, and behind others.
    for end in [1_000_000, 8 * 1024 * 1024, 20_000_000] {
        let range = format!("{start}-{}", end - 1);
        let chunk = content[start..end].to_vec();
        let request = berth.request(reqwest::Method::PATCH, &session);
        let answer = request
            .header("content-range", range)
            .body(chunk)
            .send()
            .unwrap();
        assert_eq!(answer.status(), 202);
        berth = berth.kill_and_restart();
        start = end;
    }
    let digest = digest(&content);
    let rest = content[start..].to_vec();
    berth
        .put(&format!("{session}?digest={digest}"), rest)
        .is(201);
    let blob = format!("/v2/team/app/blobs/{digest}");
    assert!(berth.get(&blob).is(200).body == content);
    let other = format!("sha512:{}", "0".repeat(128));
    let session = berth.begin("team/app");
    berth.patch(&session, &content[..9_000_000]).is(202);
    // By an algorithm that needs all bytes once more.
    berth.put(&format!("{session}?digest={other}"), []).is(400);
    let part = harness::digest(&content[..9_000_000]);
    berth.put(&format!("{session}?digest={part}"), []).is(201);
    let blob = format!("/v2/team/app/blobs/{part}");
    assert!(berth.get(&blob).is(200).body == content[..9_000_000]);
}

#[test]
fn upkeep_works_beside_the_server_and_without_one() {
    let server = Server::start();
    let mut berth = start(&server);
    berth.push("team/app", "v1", &Image::new(3)).is(201);
    let data = berth.data();
    let command = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_berth"));
        command.args(arguments).arg("--data").arg(&data);
        command.envs(variables(&server.endpoint()));
        command
    };
    assert!(command(&["verify"]).status().unwrap().success());
    assert!(command(&["gc"]).status().unwrap().success());
    let folder = tempfile::tempdir().unwrap();
    let backup = folder.path().join("backup");
    let backed_up = command(&["backup"]).arg(&backup).status().unwrap();
    assert!(backed_up.success());
    assert!(backup.join("blobs").exists());
    let file = folder.path().join("berth.toml");
    std::fs::write(&file, "blob_storage = \"s3://blobs/registry\"\n").unwrap();
    berth.kill();
    let file = file.to_str().unwrap();
    let verified = command(&["verify", "--config", file]).status().unwrap();
    assert!(verified.success());
    let said = refusal(&mut command(&["verify"]));
    assert!(said.contains("s3://blobs/registry"), "{said}");
}

#[test]
fn a_registry_takes_no_blobs_of_another() {
    let server = Server::start();
    let mut berth = start(&server);
    berth.push("team/app", "v1", &Image::new(4)).is(201);
    let said = refusal_of_new(&server, &STORAGE);
    assert!(said.contains("another registry"), "{said}");
    // Also if it has lost its metadata.
    berth.kill();
    std::fs::remove_dir_all(berth.data()).unwrap();
    let said = refusal(&mut berth.command());
    assert!(said.contains("another registry"), "{said}");
}

#[test]
fn a_folder_with_blobs_keeps_them() {
    let server = Server::start();
    let mut berth = Berth::start();
    berth.push("team/app", "v1", &Image::new(5)).is(201);
    berth.kill();
    let mut command = berth.command();
    let said = refusal(command.args(STORAGE).envs(variables(&server.endpoint())));
    assert!(said.contains("blob_storage = \"folder\""), "{said}");
}

#[test]
fn a_bucket_that_cannot_be_used_is_told_without_secrets() {
    let server = Server::start();
    let said = refusal_of_new(&server, &["--blob-storage", "s3://not-there/registry"]);
    assert!(
        said.contains("NoSuchBucket") && said.contains("s3://not-there"),
        "{said}"
    );
    let berth = start(&server);
    berth.push("team/app", "v1", &Image::new(6)).is(201);
    let layer = format!("/v2/team/app/blobs/{}", digest(&Image::new(6).layer));
    drop(server);
    berth.get(&layer).is(500);
    berth.get("/v2/team/app/manifests/v1").is(200);
    berth.terminate();
    let (status, log) = berth.wait();
    assert!(status.success());
    assert!(log.contains("the blob storage failed"), "{log}");
    assert!(!said.contains(SECRET) && !log.contains(SECRET));
}

/// What a process says that is to serve a new data folder.
fn refusal_of_new(server: &Server, options: &[&str]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_berth"));
    command.args(["serve", "--listen", "127.0.0.1:0", "--data"]);
    command.arg(folder.path().join("data")).args(options);
    refusal(command.envs(variables(&server.endpoint())))
}
