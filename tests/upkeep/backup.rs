use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use serde_json::Value;

use crate::harness::{Berth, Image, Push, digest};
use crate::{berth, file_of, overwrite, report};

fn back_up(folder: &Path, data: &Path) -> Value {
    report(&["backup", folder.to_str().unwrap()], data)["backed_up"].take()
}

/// Every tag leads to a manifest whose blobs are there.
fn is_whole(server: &Berth, seeds: impl IntoIterator<Item = u64>) {
    for seed in seeds {
        let image = Image::new(seed);
        let path = format!("/v2/here/manifests/v{seed}");
        assert_eq!(server.get(&path).is(200).body, image.manifest);
        for blob in [&image.config, &image.layer] {
            let path = format!("/v2/here/blobs/{}", digest(blob));
            assert_eq!(server.get(&path).is(200).body, *blob);
        }
    }
}

#[test]
fn what_a_server_has_while_it_serves_can_be_restored_and_served() {
    let server = Berth::start();
    for seed in 0..5 {
        server.push("here", &format!("v{seed}"), &Image::new(seed));
    }
    let folder = tempfile::tempdir().unwrap();
    let backup = folder.path().join("backup");
    let is_done = AtomicBool::new(false);
    thread::scope(|scope| {
        // What comes and goes meanwhile may be in it or not.
        scope.spawn(|| {
            for seed in 100.. {
                let image = Image::new(seed);
                server.push("busy", "v1", &image);
                let manifest = format!("/v2/busy/manifests/{}", image.digest());
                server.delete(&manifest).is(202);
                report(&["gc", "--grace", "0s"], &server.data());
                if is_done.load(Ordering::Relaxed) {
                    return;
                }
            }
        });
        assert_eq!(back_up(&backup, &server.data())["problems"], 0);
        is_done.store(true, Ordering::Relaxed);
    });
    // Whatever of that was left is in the backup now.
    back_up(&backup, &server.data());
    server.push("here", "v5", &Image::new(5));
    let again = back_up(&backup, &server.data());
    assert_eq!(
        (&again["blobs"], &again["problems"]),
        (&2.into(), &0.into())
    );

    let data = folder.path().join("data");
    let restored = report(&["restore", backup.to_str().unwrap()], &data);
    assert_eq!(restored["restored"]["problems"], 0);
    let mut other = Berth::start();
    other.kill();
    fs::remove_dir_all(other.data()).unwrap();
    fs::rename(&data, other.data()).unwrap();
    is_whole(&other.restart(), 0..6);
    // Where there is a registry, nothing is restored.
    let output = berth(&["restore", backup.to_str().unwrap()], &other.data());
    assert!(!output.status.success());
}

#[test]
fn a_backup_that_rots_is_found_when_it_is_restored() {
    let mut server = Berth::start();
    let image = Image::new(0);
    server.push("here", "v0", &image);
    server.kill();
    let folder = tempfile::tempdir().unwrap();
    let [backup, data] = ["backup", "data"].map(|name| folder.path().join(name));
    assert_eq!(back_up(&backup, &server.data())["blobs"], 2);
    overwrite(file_of(&backup, &digest(&image.layer)), b"rotten");
    let output = berth(&["restore", backup.to_str().unwrap()], &data);
    assert!(!output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    for told in [&digest(&image.layer), "here", "v0"] {
        assert!(text.contains(told), "{text}");
    }
}

/// Their names were swapped, or the backup was served and took pushes.
#[test]
fn a_registry_is_not_replaced_by_a_backup() {
    let server = Berth::start();
    let mut other = Berth::start();
    server.push("here", "v0", &Image::new(0));
    other.push("here", "v1", &Image::new(1));
    other.kill();
    is_refused(&other.data(), &server.data());
    let other = other.restart();
    is_whole(&other, [1]);

    let folder = tempfile::tempdir().unwrap();
    let backup = folder.path().join("backup");
    back_up(&backup, &server.data());
    back_up(&backup, &server.data());
    report(&["verify"], &backup);
    back_up(&backup, &server.data());
    serve_for_a_moment(&backup);
    is_refused(&backup, &server.data());
}

fn serve_for_a_moment(data: &Path) {
    let mut server = Command::new(env!("CARGO_BIN_EXE_berth"))
        .args(["serve", "--listen", "127.0.0.1:0", "--data"])
        .arg(data)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut greeting = String::new();
    let mut output = BufReader::new(server.stdout.take().unwrap());
    output.read_line(&mut greeting).unwrap();
    assert!(greeting.contains("listens"), "{greeting}");
    server.kill().unwrap();
    server.wait().unwrap();
}

fn is_refused(folder: &Path, data: &Path) {
    let output = berth(&["backup", folder.to_str().unwrap()], data);
    assert!(!output.status.success());
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.contains("data folder of a registry"), "{text}");
}

#[test]
fn a_folder_called_backup_in_the_data_folder_stays() {
    let mut server = Berth::start();
    server.push("here", "v0", &Image::new(0));
    let backup = server.data().join("backup");
    back_up(&backup, &server.data());
    server.kill();
    let server = server.restart();
    assert_eq!(back_up(&backup, &server.data())["kept"], 2);
    let lock = fs::metadata(server.data().join("lock")).unwrap();
    assert_eq!(lock.permissions().mode() & 0o777, 0o600);
}
