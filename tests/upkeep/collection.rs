use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::harness::{Berth, Image, OCI_MANIFEST, Push, digest};
use crate::{berth, file_of, files, report};

/// Deletes an image, and leaves its blobs unused.
fn delete(server: &Berth, repository: &str, image: &Image) {
    let path = format!("/v2/{repository}/manifests/{}", image.digest());
    server.delete(&path).is(202);
}

fn collect(data: &Path) -> Value {
    report(&["gc", "--grace", "0s"], data)["collected"]["done"].take()
}

#[test]
fn beside_a_server_unused_blobs_go_and_used_ones_stay() {
    let server = Berth::start();
    let (kept, gone) = (Image::new(1), Image::new(2));
    server.push("here", "kept", &kept);
    server.push("here", "gone", &gone);
    // The layer of the image that goes is needed elsewhere.
    let mount = format!(
        "/v2/elsewhere/blobs/uploads/?from=here&mount={}",
        digest(&gone.layer)
    );
    server.post(&mount).is(201);
    let other = Image {
        layer: gone.layer.clone(),
        ..Image::new(2)
    };
    server.push("elsewhere", "v1", &other);
    delete(&server, "here", &gone);
    server.push_blob("here", b"nobody needs this");

    let data = server.data();
    assert_eq!(files(&data), 5);
    let planned = report(&["gc", "--dry-run", "--grace", "0s"], &data);
    assert_eq!(
        planned["collected"]["planned"]["blobs"]["to_condemn"]["blobs"],
        1
    );
    assert_eq!(files(&data), 5);
    let done = collect(&data);
    assert_eq!(done["blobs"]["deleted"], json!({ "blobs": 1, "bytes": 17 }));
    assert!(!file_of(&data, &digest(b"nobody needs this")).exists());

    delete(&server, "elsewhere", &other);
    assert_eq!(collect(&data)["blobs"]["deleted"]["blobs"], 2);
    assert_eq!(files(&data), 2);
    for blob in [&kept.config, &kept.layer] {
        let path = format!("/v2/here/blobs/{}", digest(blob));
        assert_eq!(server.get(&path).is(200).body, *blob);
    }
    let path = format!("/v2/here/blobs/{}", digest(&gone.layer));
    server.get(&path).fails_with(404, "BLOB_UNKNOWN");
    // What was collected can be pushed again.
    server.push("here", "back", &gone);
    assert_eq!(server.get(&path).is(200).body, gone.layer);
}

#[test]
fn what_was_pushed_within_the_grace_period_stays() {
    let server = Berth::start();
    let image = Image::new(1);
    server.push_blobs_of("here", &image);
    let done = report(&["gc"], &server.data());
    assert_eq!(done["collected"]["done"]["blobs"]["condemned"]["blobs"], 0);
    server
        .put_manifest("/v2/here/manifests/v1", OCI_MANIFEST, image.manifest)
        .is(201);
}

#[test]
fn a_manifest_whose_blobs_were_collected_is_refused() {
    let server = Berth::start();
    let image = Image::new(1);
    server.push_blobs_of("here", &image);
    assert_eq!(collect(&server.data())["blobs"]["deleted"]["blobs"], 2);
    server
        .put_manifest(
            "/v2/here/manifests/v1",
            OCI_MANIFEST,
            image.manifest.clone(),
        )
        .fails_with(400, "MANIFEST_BLOB_UNKNOWN");
    server.push("here", "v1", &image);
}

#[test]
fn without_a_server_the_command_does_it_itself() {
    let mut server = Berth::start();
    server.push("here", "v1", &Image::new(1));
    server.push_blob("here", b"nobody needs this");
    server.kill();
    let done = collect(&server.data());
    assert_eq!(done["blobs"]["deleted"]["blobs"], 1);
    let server = server.restart();
    server.get("/v2/here/manifests/v1").is(200);
}

#[test]
fn files_without_a_record_and_records_without_a_file_are_counted() {
    let server = Berth::start();
    let image = Image::new(1);
    server.push("here", "v1", &image);
    let data = server.data();
    let orphan = file_of(&data, &digest(b"a crash left this"));
    fs::write(&orphan, b"a crash left this").unwrap();
    let lost = file_of(&data, &digest(&image.layer));
    fs::remove_file(&lost).unwrap();
    let sweep = &collect(&data)["sweep"];
    assert_eq!(sweep["unrecorded"], json!({ "blobs": 1, "bytes": 17 }));
    assert_eq!(sweep["missing"], json!({ "blobs": 1, "bytes": 1000 }));
    assert!(!orphan.exists());
    server.push_blob("here", &image.layer);
    let sweep = &collect(&data)["sweep"];
    assert_eq!(sweep["missing"]["blobs"], 0);
}

#[test]
fn what_it_did_is_told_to_humans_too() {
    let server = Berth::start();
    server.push_blob("here", b"nobody needs this");
    let output = berth(&["gc", "--grace", "0s"], &server.data());
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("blobs deleted: 1 blob (17 B)"), "{text}");
    let progress = String::from_utf8(output.stderr).unwrap();
    assert!(!progress.contains('\r'), "a bar without a terminal");
}

#[test]
fn a_folder_without_a_registry_is_refused_and_stays_empty() {
    let folder = tempfile::tempdir().unwrap();
    let output = berth(&["gc"], folder.path());
    assert!(!output.status.success());
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.contains("--data"), "{error}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn a_server_does_not_start_over_blobs_whose_metadata_is_lost() {
    let mut server = Berth::start();
    let image = Image::new(1);
    server.push("here", "v1", &image);
    server.kill();
    let data = server.data();
    let aside = data.join("aside");
    fs::create_dir(&aside).unwrap();
    let metadata = ["metadata.sqlite3", "metadata.sqlite3-wal"];
    for file in metadata {
        fs::rename(data.join(file), aside.join(file)).unwrap();
    }
    let output = berth(&["serve", "--listen", "127.0.0.1:0"], &data);
    assert!(!output.status.success());
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.contains("no metadata.sqlite3"), "{error}");
    assert_eq!(files(&data), 2);
    for file in metadata {
        fs::rename(aside.join(file), data.join(file)).unwrap();
    }
    let server = server.restart();
    server.get("/v2/here/manifests/v1").is(200);
}
