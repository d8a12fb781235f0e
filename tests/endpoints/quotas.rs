use std::fs;

use tempfile::TempDir;

use crate::harness::{Berth, Image, OCI_MANIFEST, Push, digest, noise};

fn serve(configuration: &str) -> (Berth, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("berth.toml");
    fs::write(&path, configuration).unwrap();
    let server = Berth::start_with(&["--config", path.to_str().unwrap()]);
    (server, folder)
}

/// How many files with bytes of blobs there are.
fn files(server: &Berth) -> usize {
    let Ok(folders) = fs::read_dir(server.data().join("blobs/sha256")) else {
        return 0;
    };
    let files = folders.map(|folder| fs::read_dir(folder.unwrap().path()).unwrap().count());
    files.sum()
}

#[test]
fn a_blob_that_does_not_fit_is_refused_on_every_way_in() {
    let (server, _folder) = serve("[[quota]]\nrepositories = [\"team/*\"]\nbytes = \"20KiB\"\n");
    let (small, large) = (noise(1, 15_000), noise(2, 10_000));
    server.push_blob("team/app", &small);
    let (uploads, whole) = ("/v2/team/app/blobs/uploads/", digest(&large));
    // end-4b
    let refused = server.request(reqwest::Method::POST, &format!("{uploads}?digest={whole}"));
    let refused = crate::harness::Answer::of(refused.body(large.clone()).send().unwrap());
    let told = refused.fails_with(403, "DENIED").message();
    for text in ["repository team/app", "20.0 KiB", "14.6 KiB", "9.8 KiB"] {
        assert!(told.contains(text), "{told}");
    }
    // end-4a, end-6
    let session = server.begin("team/app");
    let finish = format!("{session}?digest={whole}");
    server.put(&finish, large.clone()).fails_with(403, "DENIED");
    // end-5: in pieces nobody knows what it will be until the end.
    server.patch(&session, large.clone()).is(202);
    server.put(&finish, []).fails_with(403, "DENIED");
    server.get(&session).is(204);
    assert_eq!(files(&server), 1);
    // end-11
    server.push_blob("other", &large);
    let mount = format!("{uploads}?mount={whole}&from=other");
    server.post(&mount).fails_with(403, "DENIED");
    server.head(&format!("/v2/team/app/blobs/{whole}")).is(404);

    // Where there is room, and where it is already, it is taken.
    server.push_blob("team/app", &small);
    server.push_blob("team/beside", &large);
    server
        .delete(&format!("/v2/team/app/blobs/{}", digest(&small)))
        .is(202);
    server.put(&finish, []).is(201);
    let found = server.get(&format!("/v2/team/app/blobs/{whole}")).is(200);
    assert_eq!(found.body, large);
}

#[test]
fn a_namespace_has_so_many_tags_and_no_more() {
    let (server, _folder) = serve("[[quota]]\nnamespace = \"team\"\ntags = 2\n");
    let image = Image::new(1);
    server.push("team", "one", &image);
    server.push("team/app", "one", &image);
    let put = |path: &str| server.put_manifest(path, OCI_MANIFEST, image.manifest.clone());
    let refused = put("/v2/team/app/manifests/two").fails_with(403, "DENIED");
    let told = refused.message();
    // Others may have repositories there which this client may not see.
    assert!(
        told.contains("namespace team has no room for 1 tag more") && !told.contains("holds"),
        "{told}"
    );
    let tags = server.get("/v2/team/app/tags/list").is(200).json();
    assert_eq!(tags["tags"], serde_json::json!(["one"]));
    // The same again, the digest alone, and others.
    put("/v2/team/app/manifests/one").is(201);
    put(&format!("/v2/team/app/manifests/{}", image.digest())).is(201);
    server.push("teams", "two", &image);
    server
        .delete(&format!("/v2/team/manifests/{}", image.digest()))
        .is(202);
    put("/v2/team/app/manifests/two").is(201);
}

#[test]
fn what_was_there_before_the_quota_counts_and_stays() {
    let (server, folder) = serve("");
    let image = Image::new(1);
    server.push("team/app", "v1", &image);
    let quota = "[[quota]]\nnamespace = \"team\"\nbytes = 100\ntags = 1\n";
    fs::write(folder.path().join("berth.toml"), quota).unwrap();
    let server = server.kill_and_restart();
    // There is too much already: what adds nothing passes all the same.
    server.push("team/app", "v1", &image);
    let put = |tag: &str| {
        let path = format!("/v2/team/app/manifests/{tag}");
        server.put_manifest(&path, OCI_MANIFEST, image.manifest.clone())
    };
    put("v2").fails_with(403, "DENIED");
    let session = server.begin("team/app");
    let layer = noise(2, 10);
    server
        .put(&format!("{session}?digest={}", digest(&layer)), layer)
        .fails_with(403, "DENIED");
    let found = server.get("/v2/team/app/manifests/v1").is(200);
    assert_eq!(found.body, image.manifest);
}

#[test]
fn a_table_that_is_a_mistake_says_what_would_do() {
    for (table, told) in [
        ("[[quota]]\nnamespace = \"team\"\n", "bytes = \"10GiB\""),
        ("[[quota]]\ntags = 5\n", "repositories = "),
        ("[[immutable_tags]]\ntags = [\"v[1\"]\n", "v[1"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("berth.toml");
        fs::write(&path, table).unwrap();
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_berth"))
            .args(["config", "--config", path.to_str().unwrap()])
            .output()
            .unwrap();
        assert!(!output.status.success());
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(error.contains(told), "{error}");
    }
}
