use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::thread::sleep;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::harness::{Berth, Image, OCI_LAYER, Push, descriptor, digest, noise};
use crate::{berth, file_of, overwrite, report};

const FIXTURES: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../berth-transfer/tests/fixtures"
);

/// A folder that another registry wrote.
fn unpack(name: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let archive = format!("{FIXTURES}/{name}.tar.gz");
    let unpacked = Command::new("tar")
        .args(["-xzf", &archive, "-C"])
        .arg(folder.path())
        .status();
    assert!(unpacked.unwrap().success());
    folder
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn tags(server: &Berth, repository: &str) -> Vec<String> {
    let answer = server.get(&format!("/v2/{repository}/tags/list")).is(200);
    let list: Value = serde_json::from_slice(&answer.body).unwrap();
    serde_json::from_value(list["tags"].clone()).unwrap()
}

#[test]
fn beside_a_server_what_others_wrote_is_imported_and_served() {
    let server = Berth::start();
    for (name, kind) in [("distribution-3", "distribution"), ("zot", "zot")] {
        let folder = unpack(name);
        let import = ["import", kind, text(folder.path())];
        let first = report(&import, &server.data())["imported"].take();
        assert_eq!(first["problems"], 0, "{first}");
        let second = report(&import, &server.data())["imported"].take();
        let done = ["manifests", "tags", "blobs", "mounted"].map(|key| second[key].as_u64());
        assert_eq!(done, [Some(0); 4], "{second}");
    }
    // Both have them: the first brought what the second found.
    assert_eq!(tags(&server, "team/docker"), ["v1"]);
    assert_eq!(tags(&server, "library/many"), ["amd64", "arm64", "v1"]);
    let manifest = server.get("/v2/library/base/manifests/v1").is(200);
    let manifest: Value = serde_json::from_slice(&manifest.body).unwrap();
    let layer = manifest["layers"][0]["digest"].as_str().unwrap();
    let blob = server.get(&format!("/v2/team/app/blobs/{layer}")).is(200);
    assert_eq!(digest(&blob.body), layer);
    assert_eq!(
        report(&["verify"], &server.data())["verified"]["problems"],
        0
    );
}

#[test]
fn an_import_may_be_the_first_that_happens_to_a_registry() {
    let place = tempfile::tempdir().unwrap();
    let data = place.path().join("data");
    let folder = unpack("zot");
    let layout = folder.path().join("library/many");
    let import = ["import", "oci-layout", text(&layout)];
    let imported = report(&import, &data)["imported"].take();
    assert_eq!(imported["tags"], 3, "{imported}");
    // What is exported again is the same.
    let exported = place.path().join("exported");
    let done = report(&["export", text(&exported)], &data)["exported"].take();
    assert_eq!((&done["tags"], &done["problems"]), (&3.into(), &0.into()));
    let other = place.path().join("other");
    let again = report(&["import", "zot", text(&exported)], &other)["imported"].take();
    assert_eq!(again["manifests"], imported["manifests"]);
    // A glob that no repository matches exports none.
    let nothing = place.path().join("nothing");
    let none = ["export", text(&nothing), "--repository", "team/**"];
    assert_eq!(report(&none, &data)["exported"]["repositories"], 0);
}

#[test]
fn what_is_damaged_is_told_with_its_path_and_the_command_fails() {
    let place = tempfile::tempdir().unwrap();
    let data = place.path().join("data");
    let folder = unpack("distribution-2");
    let layer = "ef26de0c96b989878699171c60f51acb161334f02bea9284b41e56e63926ba89";
    let path = folder
        .path()
        .join("docker/registry/v2/blobs/sha256/ef")
        .join(layer)
        .join("data");
    overwrite(path.clone(), "damaged");
    let output = berth(&["import", "distribution", text(folder.path())], &data);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let said = String::from_utf8(output.stdout).unwrap();
    let shown = path.canonicalize().unwrap().display().to_string();
    assert!(said.contains(&format!("{shown} is damaged")), "{said}");
    assert!(said.contains("team/app:v1 is left out"), "{said}");
    assert!(said.contains("Docker schema 1"), "{said}");

    let output = berth(&["import", "zot", text(folder.path())], &data);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        said.contains("is not the folder of a zot registry"),
        "{said}"
    );
}

fn command(from: &Path, to: &Path, options: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_berth"));
    command.env_clear().arg("migrate").args(options);
    command.arg("--from").arg(from).arg("--to").arg(to);
    command
}

fn migrate(from: &Path, to: &Path, options: &[&str]) -> Output {
    command(from, to, options).output().unwrap()
}

fn migrated(from: &Path, to: &Path, options: &[&str]) -> Value {
    let output = migrate(from, to, &[options, &["--json"]].concat());
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    let mut report: Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
    report["migrated"].take()
}

#[test]
fn a_registry_moves_to_another_folder_while_it_serves() {
    let mut server = Berth::start_with(&["--tag-deletion", "true"]);
    for seed in 0..4 {
        server.push("here", &format!("v{seed}"), &Image::new(seed));
    }
    let place = tempfile::tempdir().unwrap();
    let to = place.path().join("to");
    assert!(
        berth(
            &[
                "token",
                "add",
                "ci",
                "--repository",
                "here",
                "--action",
                "pull"
            ],
            &server.data()
        )
        .status
        .success()
    );
    let first = migrated(&server.data(), &to, &[]);
    assert_eq!(first["transferred"]["manifests"], 4, "{first}");
    assert_eq!(first["accounts"]["copied"], 1, "{first}");
    // What changed meanwhile.
    server.push("here", "v0", &Image::new(10));
    server.push("there", "v1", &Image::new(11));
    server.delete("/v2/here/manifests/v1").is(202);
    // With what it alone has, the destination is not the same.
    let output = migrate(&server.data(), &to, &[]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(
        said.contains("here:v1 is at the destination alone"),
        "{said}"
    );
    server.kill();
    let last = migrated(&server.data(), &to, &["--delete"]);
    assert_eq!(last["deleted"], 1, "{last}");

    let mut moved = Berth::start();
    moved.kill();
    std::fs::remove_dir_all(moved.data()).unwrap();
    std::fs::rename(&to, moved.data()).unwrap();
    // Its accounts ask for a name.
    let tokens = berth(&["token", "list"], &moved.data());
    assert!(String::from_utf8(tokens.stdout).unwrap().contains("ci"));
    let verified = report(&["verify"], &moved.data())["verified"].take();
    assert_eq!(verified["problems"], 0);
    assert_eq!(verified["manifests"], 6, "{verified}");
    let server = moved.restart();
    server.get("/v2/here/manifests/v0").is(401);
}

#[test]
fn a_migration_that_is_killed_goes_on() {
    let server = Berth::start();
    let layers: Vec<_> = (0..6).map(|seed| noise(seed, 8_000_000)).collect();
    for (seed, layer) in (0..).zip(&layers) {
        server.push_blob("here", layer);
        let layers = json!({ "layers": [descriptor(OCI_LAYER, layer)] });
        server.push("here", &format!("v{seed}"), &Image::with(seed, &layers));
    }
    let place = tempfile::tempdir().unwrap();
    let to = place.path().join("to");
    for milliseconds in [0, 20, 40, 80, 160] {
        let mut process = command(&server.data(), &to, &[])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        sleep(Duration::from_millis(milliseconds));
        process.kill().unwrap();
        process.wait().unwrap();
    }
    let last = migrated(&server.data(), &to, &[]);
    assert_eq!(last["differences"], 0);
    assert_eq!(report(&["verify"], &to)["verified"]["problems"], 0);
    for layer in &layers {
        assert!(file_of(&to, &digest(layer)).is_file());
    }
}

#[test]
fn places_that_cannot_be_are_refused() {
    let server = Berth::start();
    server.push("here", "v1", &Image::new(1));
    let place = tempfile::tempdir().unwrap();
    let data = server.data();
    let missing = place.path().join("missing");
    for (from, to, about) in [
        (&data, &data, "both places are the same"),
        (&missing, &place.path().join("to"), "there is no registry"),
        (&place.path().join("none"), &data, "there is no registry"),
    ] {
        let output = migrate(from, to, &[]);
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.contains(about), "{said}");
        assert!(!output.status.success());
    }
    // One that is served.
    let other = Berth::start();
    let output = migrate(&data, &other.data(), &[]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("another process"), "{said}");
    assert!(!missing.exists());
}
