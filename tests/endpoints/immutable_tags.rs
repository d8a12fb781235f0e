use std::fs;

use serde_json::json;
use tempfile::TempDir;

use crate::harness::{Berth, Image, OCI_MANIFEST, Push};

const TABLE: &str = r#"
tag_deletion = true

[[immutable_tags]]
repositories = ["team/*"]
tags = ["v*"]
"#;

fn serve(configuration: &str) -> (Berth, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("berth.toml");
    fs::write(&path, configuration).unwrap();
    let server = Berth::start_with(&["--config", path.to_str().unwrap()]);
    (server, folder)
}

fn put(server: &Berth, reference: &str, image: &Image) -> crate::harness::Answer {
    let path = format!("/v2/team/app/manifests/{reference}");
    server.put_manifest(&path, OCI_MANIFEST, image.manifest.clone())
}

#[test]
fn an_immutable_tag_is_neither_moved_nor_deleted() {
    let (server, _folder) = serve(TABLE);
    let (first, second) = (Image::new(1), Image::new(2));
    server.push("team/app", "v1", &first);
    server.push_blobs_of("team/app", &second);
    put(&server, "v1", &first).is(201);
    let refused = put(&server, "v1", &second).fails_with(403, "DENIED");
    let told = refused.message();
    assert!(
        told.contains("v1") && told.contains("push under another tag"),
        "{told}"
    );
    // Nothing of it is there: not under its digest either, nor under the other tag.
    let by_digest = format!("{}?tag=latest&tag=v1", second.digest());
    put(&server, &by_digest, &second).fails_with(403, "DENIED");
    for reference in [second.digest().as_str(), "latest"] {
        server
            .get(&format!("/v2/team/app/manifests/{reference}"))
            .fails_with(404, "MANIFEST_UNKNOWN");
    }
    for reference in ["v1", &first.digest()] {
        server
            .delete(&format!("/v2/team/app/manifests/{reference}"))
            .fails_with(403, "DENIED");
    }
    let found = server.get("/v2/team/app/manifests/v1").is(200);
    assert_eq!(found.body, first.manifest);

    // Everything else moves as ever, and what is not there is unknown.
    put(&server, "latest", &first).is(201);
    put(&server, "latest", &second).is(201);
    server.delete("/v2/team/app/manifests/latest").is(202);
    server
        .delete("/v2/team/app/manifests/v2")
        .fails_with(404, "MANIFEST_UNKNOWN");
    server.push("other", "v1", &first);
    server.push("other", "v1", &second);
}

#[test]
fn a_tag_is_immutable_from_the_next_start_on() {
    let (server, folder) = serve("");
    let (first, second) = (Image::new(1), Image::new(2));
    server.push("team/app", "v1", &first);
    server.push("team/app", "v1", &second);
    fs::write(folder.path().join("berth.toml"), TABLE).unwrap();
    let server = server.kill_and_restart();
    put(&server, "v1", &first).fails_with(403, "DENIED");
    let tags = server.get("/v2/team/app/tags/list").is(200).json();
    assert_eq!(tags["tags"], json!(["v1"]));
}
