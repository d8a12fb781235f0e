use crate::harness::{Berth, Image, OCI_MANIFEST, Push, digest};

#[test]
fn only_this_repository_loses_the_blob() {
    let berth = Berth::start();
    let digest = berth.push_blob("delete", b"shared");
    berth.push_blob("keep", b"shared");
    let path = format!("/v2/delete/blobs/{digest}");
    assert!(berth.delete(&path).is(202).body.is_empty());
    berth.get(&path).fails_with(404, "BLOB_UNKNOWN");
    berth.head(&path).is(404);
    berth.delete(&path).fails_with(404, "BLOB_UNKNOWN");
    assert_eq!(
        berth.get(&format!("/v2/keep/blobs/{digest}")).is(200).body,
        b"shared"
    );
}

#[test]
fn pushing_or_mounting_links_it_again() {
    let berth = Berth::start();
    let digest = berth.push_blob("delete", b"again");
    berth.push_blob("keep", b"again");
    let path = format!("/v2/delete/blobs/{digest}");
    berth.delete(&path).is(202);
    berth.push_blob("delete", b"again");
    assert_eq!(berth.get(&path).is(200).body, b"again");
    berth.delete(&path).is(202);
    berth
        .post(&format!(
            "/v2/delete/blobs/uploads/?mount={digest}&from=keep"
        ))
        .is(201);
    assert_eq!(berth.get(&path).is(200).body, b"again");
}

#[test]
fn a_manifest_stays_and_can_only_be_pushed_again_with_its_blob() {
    let berth = Berth::start();
    let image = Image::new(10);
    berth.push("delete", "v1", &image);
    berth
        .delete(&format!("/v2/delete/blobs/{}", digest(&image.layer)))
        .is(202);
    assert_eq!(
        berth.get("/v2/delete/manifests/v1").is(200).body,
        image.manifest
    );
    let put = || {
        berth.put_manifest(
            "/v2/delete/manifests/v2",
            OCI_MANIFEST,
            image.manifest.clone(),
        )
    };
    put().fails_with(400, "MANIFEST_BLOB_UNKNOWN");
    berth.push_blob("delete", &image.layer);
    put().is(201);
}

#[test]
fn what_is_not_there_is_not_found() {
    let berth = Berth::start();
    let absent = digest(b"absent");
    berth
        .delete(&format!("/v2/nowhere/blobs/{absent}"))
        .fails_with(404, "NAME_UNKNOWN");
    berth.push_blob("delete", b"");
    berth
        .delete(&format!("/v2/delete/blobs/{absent}"))
        .fails_with(404, "BLOB_UNKNOWN");
    berth
        .delete("/v2/delete/blobs/sha256:abc")
        .fails_with(400, "DIGEST_INVALID");
}
