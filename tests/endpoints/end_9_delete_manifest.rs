use serde_json::json;

use crate::harness::{Berth, Image, OCI_MANIFEST, Push, digest};

#[test]
fn by_digest_takes_the_tags_along() {
    let berth = Berth::start();
    let (doomed, other) = (Image::new(1), Image::new(2));
    berth.push("delete", "v1", &doomed);
    berth.push("delete", "v2", &doomed);
    berth.push("delete", "v3", &other);
    let path = format!("/v2/delete/manifests/{}", doomed.digest());
    assert!(berth.delete(&path).is(202).body.is_empty());
    for reference in ["v1", "v2", &doomed.digest()] {
        let path = format!("/v2/delete/manifests/{reference}");
        berth.get(&path).fails_with(404, "MANIFEST_UNKNOWN");
    }
    assert_eq!(
        berth.get("/v2/delete/tags/list").json()["tags"],
        json!(["v3"])
    );
    berth.delete(&path).fails_with(404, "MANIFEST_UNKNOWN");
    // Its blobs stay, so it can be pushed again at once.
    let again = berth.put_manifest(
        "/v2/delete/manifests/v1",
        OCI_MANIFEST,
        doomed.manifest.clone(),
    );
    again.is(201);
}

#[test]
fn other_repositories_keep_theirs() {
    let berth = Berth::start();
    let image = Image::new(3);
    berth.push("delete", "v1", &image);
    berth.push("keep", "v1", &image);
    berth
        .delete(&format!("/v2/delete/manifests/{}", image.digest()))
        .is(202);
    assert_eq!(
        berth.get("/v2/keep/manifests/v1").is(200).body,
        image.manifest
    );
}

#[test]
fn by_tag_is_refused_unless_the_owner_allows_it() {
    let berth = Berth::start();
    berth.push("delete", "v1", &Image::new(4));
    let answer = berth
        .delete("/v2/delete/manifests/v1")
        .fails_with(405, "UNSUPPORTED");
    assert!(
        answer.message().contains("tag_deletion = true"),
        "{}",
        answer.message()
    );
    assert_eq!(answer.header("allow"), "GET, HEAD, PUT");
    berth.get("/v2/delete/manifests/v1").is(200);
}

#[test]
fn by_tag_untags_where_the_owner_allows_it() {
    let berth = Berth::start_with(&["--tag-deletion", "true"]);
    let image = Image::new(5);
    berth.push("delete", "v1", &image);
    berth.push("delete", "v2", &image);
    berth.delete("/v2/delete/manifests/v1").is(202);
    berth
        .get("/v2/delete/manifests/v1")
        .fails_with(404, "MANIFEST_UNKNOWN");
    berth
        .delete("/v2/delete/manifests/v1")
        .fails_with(404, "MANIFEST_UNKNOWN");
    assert_eq!(
        berth.get("/v2/delete/manifests/v2").is(200).body,
        image.manifest
    );
    berth.delete("/v2/delete/manifests/v2").is(202);
    let by_digest = format!("/v2/delete/manifests/{}", image.digest());
    assert_eq!(berth.get(&by_digest).is(200).body, image.manifest);
}

#[test]
fn what_is_not_there_is_not_found() {
    let berth = Berth::start();
    let absent = digest(b"absent");
    berth
        .delete(&format!("/v2/nowhere/manifests/{absent}"))
        .fails_with(404, "NAME_UNKNOWN");
    berth.push_blob("delete", b"");
    berth
        .delete(&format!("/v2/delete/manifests/{absent}"))
        .fails_with(404, "MANIFEST_UNKNOWN");
    berth
        .delete("/v2/delete/manifests/sha256:abc")
        .fails_with(400, "DIGEST_INVALID");
}
