use std::fs;
use std::path::Path;
use std::process::Output;

use crate::harness::{Berth, Image, Push, digest};
use crate::{berth, file_of, overwrite, report, until};

/// Lets the disk rot: one bit of a blob is another.
fn damage(data: &Path, content: &[u8]) {
    let mut rotten = content.to_vec();
    rotten[0] ^= 1;
    overwrite(file_of(data, &digest(content)), rotten);
}

fn quarantined(data: &Path) -> usize {
    fs::read_dir(data.join("quarantine")).map_or(0, Iterator::count)
}

/// What is printed, and whether nothing was wrong.
fn told(output: &Output) -> (String, bool) {
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    (text, output.status.success())
}

#[test]
fn what_is_sound_is_found_to_be() {
    let server = Berth::start();
    server.push("here", "v1", &Image::new(1));
    let verified = report(&["verify"], &server.data());
    assert_eq!(verified["verified"]["problems"], 0);
    assert_eq!(verified["verified"]["blobs"], 2);
    assert_eq!(verified["verified"]["manifests"], 1);
}

#[test]
fn corrupt_bytes_are_told_moved_aside_and_mended_by_a_push() {
    let server = Berth::start();
    let (rotten, sound) = (Image::new(1), Image::new(2));
    server.push("team/rotten", "v1", &rotten);
    server.push("team/sound", "v2", &sound);
    let data = server.data();
    damage(&data, &rotten.layer);

    let (text, is_sound) = told(&berth(&["verify", "--keep"], &data));
    assert!(!is_sound);
    for hurt in [&digest(&rotten.layer), "team/rotten", "v1"] {
        assert!(text.contains(hurt), "{text}");
    }
    assert!(!text.contains("team/sound"), "{text}");
    assert_eq!(quarantined(&data), 0);

    assert!(!told(&berth(&["verify"], &data)).1);
    assert_eq!(quarantined(&data), 1);
    let layer = format!("/v2/team/rotten/blobs/{}", digest(&rotten.layer));
    server.head(&layer).is(404);
    server.get(&layer).fails_with(404, "BLOB_UNKNOWN");
    server.get("/v2/team/sound/manifests/v2").is(200);

    server.push("team/rotten", "v1", &rotten);
    assert_eq!(server.get(&layer).is(200).body, rotten.layer);
    assert!(told(&berth(&["verify"], &data)).1);
}

#[test]
fn a_push_mends_what_nobody_has_found_to_be_corrupt() {
    let server = Berth::start();
    let image = Image::new(1);
    server.push("here", "v1", &image);
    damage(&server.data(), &image.layer);
    server.push("elsewhere", "v1", &image);
    let layer = format!("/v2/here/blobs/{}", digest(&image.layer));
    assert_eq!(server.get(&layer).is(200).body, image.layer);
}

#[test]
fn lost_bytes_are_told_without_a_server_too() {
    let mut server = Berth::start();
    let image = Image::new(1);
    server.push("here", "v1", &image);
    server.kill();
    let data = server.data();
    fs::remove_file(file_of(&data, &digest(&image.config))).unwrap();
    let (text, is_sound) = told(&berth(&["verify"], &data));
    assert!(!is_sound);
    assert!(text.contains(&digest(&image.config)), "{text}");
}

#[test]
fn the_server_verifies_by_itself() {
    let server = Berth::start_with(&["--verification-rate", "100MiB"]);
    let image = Image::new(1);
    let data = server.data();
    server.push("here", "v1", &image);
    damage(&data, &image.layer);
    let server = server.kill_and_restart();
    until(|| quarantined(&data) == 1);
    server.push("here", "v1", &image);
    let layer = format!("/v2/here/blobs/{}", digest(&image.layer));
    assert_eq!(server.get(&layer).is(200).body, image.layer);
}
