use crate::harness::{Berth, Image, OCI_MANIFEST, Push, digest};

#[test]
fn a_manifest_comes_by_tag_and_digest_as_it_was_pushed() {
    let berth = Berth::start();
    let image = Image::new(3);
    berth.push("pull", "v1", &image);
    for reference in ["v1", &image.digest()] {
        let path = format!("/v2/pull/manifests/{reference}");
        let pulled = berth.get(&path).is(200);
        assert_eq!(pulled.body, image.manifest);
        let head = berth.head(&path).is(200);
        assert!(head.body.is_empty());
        for answer in [pulled, head] {
            assert_eq!(answer.header("content-type"), OCI_MANIFEST);
            assert_eq!(answer.header("docker-content-digest"), image.digest());
            assert_eq!(
                answer.header("content-length"),
                image.manifest.len().to_string()
            );
            assert_eq!(answer.header("etag"), format!("\"{}\"", image.digest()));
        }
    }
}

#[test]
fn whoever_has_the_manifest_is_told_so_until_the_tag_moves() {
    let berth = Berth::start();
    let (old, new) = (Image::new(1), Image::new(2));
    berth.push("pull", "v1", &old);
    let tag = format!("\"{}\"", old.digest());
    for method in ["GET", "HEAD"] {
        let answer = berth.send_with(method, "/v2/pull/manifests/v1", ("if-none-match", &tag));
        let answer = answer.is(304);
        assert_eq!(answer.header("docker-content-digest"), old.digest());
        assert!(answer.body.is_empty());
    }
    berth.push("pull", "v1", &new);
    let answer = berth.send_with("GET", "/v2/pull/manifests/v1", ("if-none-match", &tag));
    assert_eq!(answer.is(200).body, new.manifest);
    assert_eq!(
        berth
            .get(&format!("/v2/pull/manifests/{}", old.digest()))
            .is(200)
            .body,
        old.manifest
    );
}

#[test]
fn what_is_not_there_is_not_found_with_the_code_that_says_what() {
    let berth = Berth::start();
    berth.push("there", "v1", &Image::new(1));
    let absent = digest(b"absent");
    for reference in ["v2", "V1", &absent, "-not-a-tag", &"a".repeat(129)] {
        berth
            .get(&format!("/v2/there/manifests/{reference}"))
            .fails_with(404, "MANIFEST_UNKNOWN");
        assert!(
            berth
                .head(&format!("/v2/there/manifests/{reference}"))
                .is(404)
                .body
                .is_empty()
        );
    }
    for reference in ["v1", &absent] {
        berth
            .get(&format!("/v2/nowhere/manifests/{reference}"))
            .fails_with(404, "NAME_UNKNOWN");
    }
    berth
        .get("/v2/there/manifests/sha256:abc")
        .fails_with(400, "DIGEST_INVALID");
}
