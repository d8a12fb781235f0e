use berth_spec::{Algorithm, Digest};

use crate::harness::{Berth, Push, digest, noise};

#[test]
fn put_takes_everything_a_last_chunk_or_nothing() {
    let berth = Berth::start();
    let content = noise(1, 600_000);
    let digest = digest(&content);
    for before in [0, 300_000, 600_000] {
        let repository = format!("put/{before}");
        let session = berth.begin(&repository);
        if before > 0 {
            berth.patch(&session, &content[..before]).is(202);
        }
        let answer = berth
            .put(&format!("{session}?digest={digest}"), &content[before..])
            .is(201);
        let location = answer.header("location");
        assert_eq!(location, format!("/v2/{repository}/blobs/{digest}"));
        assert_eq!(answer.header("docker-content-digest"), digest);
        assert!(berth.get(location).is(200).body == content);
        berth.get(&session).fails_with(404, "BLOB_UPLOAD_UNKNOWN");
    }
}

#[test]
fn a_last_chunk_may_have_a_range_which_must_be_right() {
    let berth = Berth::start();
    let content = noise(2, 1000);
    let session = berth.begin("last");
    berth.patch(&session, &content[..600]).is(202);
    let path = format!("{session}?digest={}", digest(&content));
    let put = |range: &str| {
        let request = berth
            .request(reqwest::Method::PUT, &path)
            .header("content-range", range);
        crate::harness::Answer::of(request.body(content[600..].to_vec()).send().unwrap())
    };
    let answer = put("700-1099").fails_with(416, "BLOB_UPLOAD_INVALID");
    assert_eq!(answer.header("range"), "0-599");
    put("600-999").is(201);
}

#[test]
fn a_wrong_digest_keeps_the_session_for_the_right_one() {
    let berth = Berth::start();
    let content = noise(3, 1000);
    let session = berth.begin("wrong");
    berth.patch(&session, &content[..500]).is(202);
    let wrong = digest(b"something else");
    let answer = berth.put(&format!("{session}?digest={wrong}"), &content[500..]);
    let answer = answer.fails_with(400, "DIGEST_INVALID");
    assert!(
        answer.message().contains(&digest(&content)),
        "{}",
        answer.message()
    );
    berth
        .get(&format!("/v2/wrong/blobs/{wrong}"))
        .fails_with(404, "NAME_UNKNOWN");
    assert_eq!(berth.get(&session).is(204).header("range"), "0-499");
    berth
        .put(
            &format!("{session}?digest={}", digest(&content)),
            &content[500..],
        )
        .is(201);
}

#[test]
fn the_digest_must_be_there_and_well_formed() {
    let berth = Berth::start();
    let session = berth.begin("digest");
    berth.put(&session, []).fails_with(400, "DIGEST_INVALID");
    for digest in [
        "",
        "sha256:abc",
        "md5:d41d8cd98f00b204e9800998ecf8427e",
        "../../x",
    ] {
        berth
            .put(&format!("{session}?digest={digest}"), [])
            .fails_with(400, "DIGEST_INVALID");
    }
    berth.get(&session).is(204);
}

#[test]
fn the_digest_may_be_of_another_algorithm_than_the_session() {
    let berth = Berth::start();
    let content = noise(4, 700_000);
    let session = berth.begin("sha512");
    berth.patch(&session, &content[..500_000]).is(202);
    let digest = Digest::of(Algorithm::Sha512, &content).to_string();
    berth
        .put(&format!("{session}?digest={digest}"), &content[500_000..])
        .is(201);
    assert!(
        berth
            .get(&format!("/v2/sha512/blobs/{digest}"))
            .is(200)
            .body
            == content
    );
}

#[test]
fn the_same_blob_can_be_pushed_again_and_is_stored_once() {
    let berth = Berth::start();
    let content = noise(5, 1000);
    for repository in ["one", "one", "two"] {
        berth.push_blob(repository, &content);
    }
    let hex = digest(&content).replace("sha256:", "");
    let folder = berth.data().join("blobs/sha256").join(&hex[..2]);
    assert_eq!(std::fs::read(folder.join(&hex)).unwrap(), content);
    assert_eq!(
        std::fs::read_dir(berth.data().join("uploads"))
            .unwrap()
            .count(),
        0
    );
}
