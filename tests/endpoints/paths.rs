//! How paths are read: from the right, by segment, decoded once.

use crate::harness::{Berth, Connection, Image, Push, digest, noise};

#[test]
fn components_of_a_name_may_be_words_of_the_api() {
    let berth = Berth::start();
    let names = [
        "blobs",
        "a/blobs/uploads",
        "tags/list",
        "manifests",
        "uploads/tags/manifests/referrers/blobs",
        "v2",
        "a/b/c/d/e/f/g/h/i/j/k/l/m/n",
    ];
    for (seed, name) in names.into_iter().enumerate() {
        let image = Image::new(seed as u64);
        berth.push(name, "v1", &image);
        let pulled = berth.get(&format!("/v2/{name}/manifests/v1")).is(200);
        assert_eq!(pulled.body, image.manifest, "{name}");
        let pulled = berth.get(&format!("/v2/{name}/blobs/{}", digest(&image.layer)));
        assert_eq!(pulled.is(200).body, image.layer, "{name}");
        let tags = berth.get(&format!("/v2/{name}/tags/list")).is(200).json();
        assert_eq!(tags["name"], name);
        assert_eq!(tags["tags"], serde_json::json!(["v1"]));
    }
}

#[test]
fn the_manifest_v1_of_a_blobs_uploads_is_no_upload_session() {
    let berth = Berth::start();
    let answer = berth.get("/v2/a/blobs/uploads/manifests/v1");
    let answer = answer.fails_with(404, "NAME_UNKNOWN");
    assert!(
        answer.message().contains("a/blobs/uploads"),
        "{}",
        answer.message()
    );
}

#[test]
fn other_paths_and_empty_parts_are_not_found() {
    let berth = Berth::start();
    for path in [
        "/",
        "/v1/",
        "/v2x",
        "/v2/a",
        "/v2//manifests/v1",
        "/v2/manifests/v1",
        "/v2//tags/list",
        "/v2/tags/list",
        "/v2/a/manifests/",
        "/v2/a/manifests",
        "/v2/a/blobs/",
        "/v2/a/referrers/",
        "/v2/a/tags",
        "/v2/a/tags/list/",
        "/v2/_catalog/",
        "/metrics",
    ] {
        berth.get(path).fails_with(404, "NAME_UNKNOWN");
    }
    berth
        .put("/v2/a/manifests/", "{}")
        .fails_with(404, "NAME_UNKNOWN");
    berth
        .post("/v2/blobs/uploads/")
        .fails_with(404, "NAME_UNKNOWN");
}

#[test]
fn names_that_break_the_grammar_are_refused() {
    let berth = Berth::start();
    let too_long = "a/".repeat(127) + "ab";
    for name in [
        "A", "a/B", "-a", "a..b", "a__-b", "a/_b", "a/b-", "ä", &too_long, "a//b", "/a", "a/",
    ] {
        // By hand: the client would tidy the path up.
        let mut connection = Connection::open(&berth);
        connection.head(&format!("GET /v2/{name}/manifests/v1"), &[]);
        let (status, body) = connection.answer();
        assert_eq!(status, 400, "{name}: {body}");
        assert!(body.contains("NAME_INVALID"), "{name}: {body}");
    }
    berth
        .get(&format!("/v2/{}/manifests/v1", "a".repeat(255)))
        .fails_with(404, "NAME_UNKNOWN");
}

#[test]
fn dots_and_nul_never_reach_a_store() {
    let berth = Berth::start();
    for (path, status) in [
        ("/v2/../manifests/v1", 400),
        ("/v2/a/../b/manifests/v1", 400),
        ("/v2/%2e%2e/manifests/v1", 400),
        ("/v2/a%00b/manifests/v1", 400),
        ("/v2/a%ffb/manifests/v1", 400),
        ("/v2/a/blobs/..%2f..%2fmetadata.sqlite3", 404),
        ("/v2/a/blobs/sha256:..%2f..%2f..%2fmetadata.sqlite3", 404),
        ("/v2/a/blobs/sha256:../../metadata.sqlite3", 404),
        ("/v2/a/blobs/..", 400),
        ("/v2/a/manifests/..", 404),
        ("/v2/a/manifests/%00", 404),
        ("/v2/a/blobs/uploads/..", 404),
        ("/v2/../../etc/passwd", 404),
    ] {
        let mut connection = Connection::open(&berth);
        connection.head(&format!("GET {path}"), &[]);
        let (answered, body) = connection.answer();
        assert_eq!(answered, status, "{path}: {body}");
        assert!(body.contains("\"errors\""), "{path}: {body}");
    }
}

#[test]
fn percent_encoding_is_decoded_once() {
    let berth = Berth::start();
    let layer = noise(1, 100);
    let digest = berth.push_blob("a/b", &layer);
    let encoded = digest.replace(':', "%3A");
    assert_eq!(
        berth
            .get(&format!("/v2/a%2Fb/blobs/{encoded}"))
            .is(200)
            .body,
        layer
    );
    let twice = digest.replace(':', "%253A");
    berth
        .get(&format!("/v2/a/b/blobs/{twice}"))
        .fails_with(400, "DIGEST_INVALID");
}

#[test]
fn a_method_that_a_resource_does_not_take_is_refused_with_what_it_takes() {
    let berth = Berth::start();
    let digest = digest(b"");
    let session = berth.begin("a");
    for (path, allow) in [
        ("/v2/".to_owned(), "GET, HEAD"),
        ("/v2/_catalog".to_owned(), "GET"),
        ("/v2/a/tags/list".to_owned(), "GET"),
        (format!("/v2/a/referrers/{digest}"), "GET"),
        ("/v2/a/manifests/v1".to_owned(), "GET, HEAD, PUT, DELETE"),
        (
            format!("/v2/a/manifests/{digest}"),
            "GET, HEAD, PUT, DELETE",
        ),
        (format!("/v2/a/blobs/{digest}"), "GET, HEAD, DELETE"),
        ("/v2/a/blobs/uploads/".to_owned(), "POST"),
        ("/v2/a/blobs/uploads".to_owned(), "POST"),
        (session, "GET, PATCH, PUT, DELETE"),
    ] {
        for method in ["GET", "PUT", "POST", "PATCH", "DELETE", "OPTIONS", "PURGE"] {
            if allow.split(", ").any(|allowed| allowed == method) {
                continue;
            }
            let answer = berth.send(method, &path).fails_with(405, "UNSUPPORTED");
            assert_eq!(answer.header("allow"), allow, "{method} {path}");
        }
        if !allow.contains("HEAD") {
            assert_eq!(
                berth.head(&path).is(405).header("allow"),
                allow,
                "HEAD {path}"
            );
        }
    }
}
