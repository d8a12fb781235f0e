//! end-4a begins a session, end-4b is the whole upload, end-4c chooses the algorithm.

use berth_spec::{Algorithm, Digest};

use crate::harness::{Answer, Berth, Push, digest, noise};

fn post_whole(berth: &Berth, repository: &str, digest: &str, content: &[u8]) -> Answer {
    let path = format!("/v2/{repository}/blobs/uploads/?digest={digest}");
    let request = berth.request(reqwest::Method::POST, &path);
    Answer::of(request.body(content.to_vec()).send().unwrap())
}

#[test]
fn end_4a_begins_a_session_with_and_without_the_last_slash() {
    let berth = Berth::start();
    for path in ["/v2/a/b/blobs/uploads/", "/v2/a/b/blobs/uploads"] {
        let answer = berth.post(path).is(202);
        let location = answer.header("location").to_owned();
        assert!(location.starts_with("/v2/a/b/blobs/uploads/"), "{location}");
        assert_eq!(answer.header("range"), "0-0");
        assert!(location.ends_with(answer.header("docker-upload-uuid")));
        berth.get(&location).is(204);
    }
}

#[test]
fn end_4a_makes_no_repository() {
    let berth = Berth::start();
    berth.begin("abandoned");
    berth
        .get("/v2/abandoned/tags/list")
        .fails_with(404, "NAME_UNKNOWN");
    assert_eq!(
        berth.get("/v2/_catalog").json()["repositories"],
        serde_json::json!([])
    );
}

#[test]
fn end_4b_stores_a_blob_in_one_request() {
    let berth = Berth::start();
    let content = noise(4, 300_000);
    let digest = digest(&content);
    let answer = post_whole(&berth, "whole", &digest, &content).is(201);
    let location = answer.header("location");
    assert_eq!(location, format!("/v2/whole/blobs/{digest}"));
    assert_eq!(answer.header("docker-content-digest"), digest);
    assert!(berth.get(location).is(200).body == content);
}

#[test]
fn end_4b_refuses_other_bytes_and_keeps_nothing() {
    let berth = Berth::start();
    let digest = digest(b"what it should be");
    let answer =
        post_whole(&berth, "whole", &digest, b"what it is").fails_with(400, "DIGEST_INVALID");
    assert!(answer.message().contains(&digest));
    berth
        .get(&format!("/v2/whole/blobs/{digest}"))
        .fails_with(404, "NAME_UNKNOWN");
    assert_eq!(
        std::fs::read_dir(berth.data().join("uploads"))
            .unwrap()
            .count(),
        0
    );
    post_whole(&berth, "whole", "sha256:abc", b"").fails_with(400, "DIGEST_INVALID");
    post_whole(&berth, "whole", "md5:d41d8cd98f00b204e9800998ecf8427e", b"")
        .fails_with(400, "DIGEST_INVALID");
}

#[test]
fn end_4b_takes_sha512_and_the_empty_blob() {
    let berth = Berth::start();
    for content in [noise(5, 1000), Vec::new()] {
        for algorithm in Algorithm::ALL {
            let digest = Digest::of(algorithm, &content).to_string();
            post_whole(&berth, "whole", &digest, &content).is(201);
            assert_eq!(
                berth.get(&format!("/v2/whole/blobs/{digest}")).is(200).body,
                content
            );
        }
    }
}

#[test]
fn end_4c_begins_a_session_of_the_algorithm() {
    let berth = Berth::start();
    let content = noise(6, 1000);
    for algorithm in Algorithm::ALL {
        let path = format!("/v2/a/blobs/uploads/?digest-algorithm={algorithm}");
        let session = berth.post(&path).is(202).header("location").to_owned();
        berth.patch(&session, &content[..500]).is(202);
        let digest = Digest::of(algorithm, &content).to_string();
        berth
            .put(&format!("{session}?digest={digest}"), &content[500..])
            .is(201);
        assert_eq!(
            berth.get(&format!("/v2/a/blobs/{digest}")).is(200).body,
            content
        );
    }
    berth
        .post("/v2/a/blobs/uploads/?digest-algorithm=md5")
        .fails_with(400, "DIGEST_INVALID");
}
