use crate::harness::{Answer, Berth, Push, digest, noise};

fn mount(berth: &Berth, query: &str) -> Answer {
    berth.post(&format!("/v2/target/blobs/uploads/?{query}"))
}

#[test]
fn a_blob_of_another_repository_is_mounted_without_copying() {
    let berth = Berth::start();
    let content = noise(11, 1000);
    let digest = berth.push_blob("source/of/it", &content);
    let answer = mount(&berth, &format!("mount={digest}&from=source/of/it")).is(201);
    let location = answer.header("location");
    assert_eq!(location, format!("/v2/target/blobs/{digest}"));
    assert_eq!(answer.header("docker-content-digest"), digest);
    assert_eq!(berth.get(location).is(200).body, content);
    assert_eq!(
        std::fs::read_dir(berth.data().join("uploads"))
            .unwrap()
            .count(),
        0
    );
    // It no longer depends on where it came from.
    berth
        .delete(&format!("/v2/source/of/it/blobs/{digest}"))
        .is(202);
    assert_eq!(berth.get(location).is(200).body, content);
}

#[test]
fn without_from_it_comes_from_any_repository() {
    let berth = Berth::start();
    let digest = berth.push_blob("somewhere", b"anywhere");
    mount(&berth, &format!("mount={digest}")).is(201);
    assert_eq!(
        berth
            .get(&format!("/v2/target/blobs/{digest}"))
            .is(200)
            .body,
        b"anywhere"
    );
}

#[test]
fn what_cannot_be_mounted_is_uploaded() {
    let berth = Berth::start();
    let content = b"to be uploaded";
    let digest = digest(content);
    berth.push_blob("elsewhere", content);
    berth.push_blob("source", b"something else");
    for from in ["source", "nowhere", "No/Name", "target"] {
        let answer = mount(&berth, &format!("mount={digest}&from={from}")).is(202);
        let session = answer.header("location").to_owned();
        berth.get(&format!("/v2/target/blobs/{digest}")).is(404);
        berth
            .put(&format!("{session}?digest={digest}"), content)
            .is(201);
        berth.delete(&format!("/v2/target/blobs/{digest}")).is(202);
    }
    mount(&berth, "mount=sha256:abc&from=source").fails_with(400, "DIGEST_INVALID");
}

#[test]
fn a_blob_that_is_there_can_be_mounted_onto_itself() {
    let berth = Berth::start();
    let digest = berth.push_blob("target", b"here");
    mount(&berth, &format!("mount={digest}&from=target")).is(201);
    assert_eq!(
        berth
            .get(&format!("/v2/target/blobs/{digest}"))
            .is(200)
            .body,
        b"here"
    );
}
