use berth_spec::{Algorithm, Digest};
use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{
    Answer, Berth, DOCKER_MANIFEST, Image, OCI_CONFIG, OCI_INDEX, OCI_LAYER, OCI_MANIFEST, Push,
    descriptor, digest, index, noise,
};

const HERE: &str = "/v2/push/manifests";

fn put(berth: &Berth, reference: &str, manifest: &[u8]) -> Answer {
    berth.put_manifest(&format!("{HERE}/{reference}"), OCI_MANIFEST, manifest)
}

#[test]
fn end_7a_by_tag_stores_the_bytes_as_they_are() {
    let berth = Berth::start();
    let image = Image::new(1);
    let answer = berth.push("push", "v1", &image);
    let location = answer.header("location");
    assert_eq!(location, format!("{HERE}/{}", image.digest()));
    assert_eq!(answer.header("docker-content-digest"), image.digest());
    assert!(!answer.has("oci-subject") && !answer.has("oci-tag"));
    assert_eq!(berth.get(location).is(200).body, image.manifest);
    assert_eq!(
        berth.get(&format!("{HERE}/v1")).is(200).body,
        image.manifest
    );
}

#[test]
fn end_7a_by_digest_sets_no_tag() {
    let berth = Berth::start();
    let image = Image::new(2);
    berth.push_blobs_of("push", &image);
    put(&berth, &image.digest(), &image.manifest).is(201);
    assert_eq!(berth.get("/v2/push/tags/list").json()["tags"], json!([]));
    assert_eq!(
        berth
            .get(&format!("{HERE}/{}", image.digest()))
            .is(200)
            .body,
        image.manifest
    );
}

#[test]
fn end_7a_by_a_digest_that_is_not_its_own_is_refused() {
    let berth = Berth::start();
    let image = Image::new(3);
    berth.push_blobs_of("push", &image);
    let other = digest(b"other");
    let answer = put(&berth, &other, &image.manifest).fails_with(400, "DIGEST_INVALID");
    assert!(
        answer.message().contains(&image.digest()),
        "{}",
        answer.message()
    );
    berth
        .get(&format!("{HERE}/{other}"))
        .fails_with(404, "MANIFEST_UNKNOWN");
    berth
        .get(&format!("{HERE}/{}", image.digest()))
        .fails_with(404, "MANIFEST_UNKNOWN");
}

#[test]
fn end_7a_takes_sha512() {
    let berth = Berth::start();
    let image = Image::new(4);
    berth.push_blobs_of("push", &image);
    let digest = Digest::of(Algorithm::Sha512, &image.manifest).to_string();
    let answer = put(&berth, &digest, &image.manifest).is(201);
    assert_eq!(answer.header("docker-content-digest"), digest);
    assert_eq!(
        berth.get(&format!("{HERE}/{digest}")).is(200).body,
        image.manifest
    );
}

#[test]
fn end_7b_by_digest_sets_all_the_tags_asked_for() {
    let berth = Berth::start();
    let image = Image::new(5);
    berth.push_blobs_of("push", &image);
    let path = format!("{}?tag=v1&tag=v1.2&tag=latest&tag=v1", image.digest());
    let answer = put(&berth, &path, &image.manifest).is(201);
    let told: Vec<_> = answer.header("oci-tag").split(", ").collect();
    assert_eq!(told, ["v1", "v1.2", "latest"]);
    for tag in told {
        assert_eq!(
            berth.get(&format!("{HERE}/{tag}")).is(200).body,
            image.manifest
        );
    }
}

#[test]
fn end_7b_sets_all_tags_or_none() {
    let berth = Berth::start();
    let image = Image::new(6);
    berth.push_blobs_of("push", &image);
    let path = format!("{}?tag=good&tag=-bad", image.digest());
    put(&berth, &path, &image.manifest).fails_with(400, "MANIFEST_INVALID");
    berth
        .get(&format!("{HERE}/good"))
        .fails_with(404, "MANIFEST_UNKNOWN");
    berth
        .get(&format!("{HERE}/{}", image.digest()))
        .fails_with(404, "MANIFEST_UNKNOWN");
}

#[test]
fn a_tag_that_breaks_the_grammar_is_refused() {
    let berth = Berth::start();
    let image = Image::new(7);
    berth.push_blobs_of("push", &image);
    for tag in ["-v1", ".v1", "v1+x", &"a".repeat(129)] {
        put(&berth, tag, &image.manifest).fails_with(400, "MANIFEST_INVALID");
    }
    put(&berth, &"a".repeat(128), &image.manifest).is(201);
    put(&berth, "_A-z.0", &image.manifest).is(201);
}

#[test]
fn each_missing_blob_is_named_and_nothing_is_stored() {
    let berth = Berth::start();
    let image = Image::new(8);
    let named = |answer: &Answer| -> Vec<String> {
        let errors = answer.json()["errors"].as_array().unwrap().clone();
        errors
            .iter()
            .map(|error| error["detail"]["digest"].as_str().unwrap().to_owned())
            .collect()
    };
    let (config, layer) = (digest(&image.config), digest(&image.layer));
    let answer = put(&berth, "v1", &image.manifest).fails_with(400, "MANIFEST_BLOB_UNKNOWN");
    assert_eq!(named(&answer), [config.clone(), layer.clone()]);
    berth
        .get("/v2/push/tags/list")
        .fails_with(404, "NAME_UNKNOWN");

    // Blobs of other repositories do not count.
    berth.push_blobs_of("elsewhere", &image);
    berth.push_blob("push", &image.config);
    let answer = put(&berth, "v1", &image.manifest).fails_with(400, "MANIFEST_BLOB_UNKNOWN");
    assert_eq!(named(&answer), [layer]);
    berth
        .get(&format!("{HERE}/v1"))
        .fails_with(404, "MANIFEST_UNKNOWN");
    berth.push_blob("push", &image.layer);
    put(&berth, "v1", &image.manifest).is(201);
}

#[test]
fn each_missing_child_of_an_index_is_named() {
    let berth = Berth::start();
    let (first, second) = (Image::new(9), Image::new(10));
    let both = index(&[&first, &second]);
    berth.push("push", "first", &first);
    berth.push("elsewhere", "second", &second);
    let answer = berth.put_manifest(&format!("{HERE}/all"), OCI_INDEX, both.clone());
    let answer = answer.fails_with(400, "MANIFEST_BLOB_UNKNOWN");
    assert_eq!(answer.json()["errors"].as_array().unwrap().len(), 1);
    assert_eq!(
        answer.json()["errors"][0]["detail"]["digest"],
        second.digest()
    );
    berth.push("push", "second", &second);
    berth
        .put_manifest(&format!("{HERE}/all"), OCI_INDEX, both.clone())
        .is(201);
    let pulled = berth.get(&format!("{HERE}/all")).is(200);
    assert_eq!(pulled.body, both);
    assert_eq!(pulled.header("content-type"), OCI_INDEX);
}

#[test]
fn subjects_and_non_distributable_layers_may_be_absent() {
    let berth = Berth::start();
    let subject = Image::new(11);
    let foreign = descriptor(
        "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
        b"far away",
    );
    let image = Image::with(
        12,
        &json!({ "subject": subject.descriptor(), "layers": [foreign] }),
    );
    berth.push_blob("push", &image.config);
    let answer = put(&berth, "v1", &image.manifest).is(201);
    assert_eq!(answer.header("oci-subject"), subject.digest());
}

#[test]
fn the_content_type_and_the_media_type_must_agree() {
    let berth = Berth::start();
    let image = Image::new(13);
    berth.push_blobs_of("push", &image);
    let path = format!("{HERE}/v1");
    for media_type in [DOCKER_MANIFEST, OCI_INDEX, "application/json", "nonsense"] {
        let answer = berth.put_manifest(&path, media_type, image.manifest.clone());
        answer.fails_with(400, "MANIFEST_INVALID");
    }
    berth
        .put_manifest(
            &path,
            &format!("{OCI_MANIFEST}; charset=utf-8"),
            image.manifest.clone(),
        )
        .is(201);
    // Without a header, the manifest says what it is.
    berth.put(&path, image.manifest.clone()).is(201);
    assert_eq!(
        berth.get(&path).is(200).header("content-type"),
        OCI_MANIFEST
    );
}

#[test]
fn a_manifest_without_a_media_type_is_what_the_header_says() {
    let berth = Berth::start();
    let image = Image::with(14, &json!({ "mediaType": "" }));
    berth.push_blobs_of("push", &image);
    let path = format!("{HERE}/v1");
    berth
        .put(&path, image.manifest.clone())
        .fails_with(400, "MANIFEST_INVALID");
    berth
        .put_manifest(&path, DOCKER_MANIFEST, image.manifest.clone())
        .is(201);
    assert_eq!(
        berth.get(&path).is(200).header("content-type"),
        DOCKER_MANIFEST
    );
}

#[test]
fn manifests_of_unknown_and_obsolete_types_are_refused() {
    let berth = Berth::start();
    for (media_type, said) in [
        ("application/vnd.example.manifest.v1+json", "not supported"),
        (
            "application/vnd.docker.distribution.manifest.v1+json",
            "schema 1",
        ),
        (
            "application/vnd.docker.distribution.manifest.v1+prettyjws",
            "schema 1",
        ),
    ] {
        let manifest = json!({ "schemaVersion": 2, "mediaType": media_type }).to_string();
        let answer = berth.put_manifest(&format!("{HERE}/v1"), media_type, manifest);
        let answer = answer.fails_with(400, "MANIFEST_INVALID");
        assert!(answer.message().contains(said), "{}", answer.message());
    }
    berth
        .get("/v2/push/tags/list")
        .fails_with(404, "NAME_UNKNOWN");
}

#[test]
fn what_is_no_manifest_is_refused() {
    let berth = Berth::start();
    let image: Value = serde_json::from_slice(&Image::new(15).manifest).unwrap();
    let changed = |field: &str, value: Value| {
        let mut changed = image.clone();
        changed[field] = value;
        changed.to_string()
    };
    for manifest in [
        String::new(),
        "no JSON".to_owned(),
        "[]".to_owned(),
        "{\"schemaVersion\":2".to_owned(),
        "[".repeat(100_000),
        changed("schemaVersion", json!(1)),
        changed("config", Value::Null),
        changed("layers", json!("none")),
        changed(
            "layers",
            json!([{ "mediaType": "a/b", "digest": "sha256:../../x", "size": 1 }]),
        ),
        changed("manifests", json!([])),
    ] {
        put(&berth, "v1", manifest.as_bytes()).fails_with(400, "MANIFEST_INVALID");
    }
    berth
        .get("/v2/push/tags/list")
        .fails_with(404, "NAME_UNKNOWN");
}

#[test]
fn a_manifest_beyond_the_limit_is_too_large() {
    let limit = 4 * 1024 * 1024;
    let berth = Berth::start();
    let config = noise(16, 10);
    berth.push_blob("push", &config);
    let of_length = |length: usize| {
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": descriptor(OCI_CONFIG, &config),
            "layers": [],
        });
        let mut manifest = manifest.to_string().into_bytes();
        manifest.resize(length, b' ');
        manifest
    };
    put(&berth, "largest", &of_length(limit)).is(201);
    assert_eq!(
        berth.get(&format!("{HERE}/largest")).is(200).body.len(),
        limit
    );
    let answer = put(&berth, "v1", &of_length(limit + 1)).fails_with(413, "MANIFEST_INVALID");
    assert!(
        answer.message().contains(&limit.to_string()),
        "{}",
        answer.message()
    );

    let small = Berth::start_with(&["--manifest-size-limit", "10KiB"]);
    small.push_blob("push", &config);
    put(&small, "v1", &of_length(10 * 1024)).is(201);
    put(&small, "v1", &of_length(10 * 1024 + 1)).fails_with(413, "MANIFEST_INVALID");
}

#[test]
fn docker_images_and_lists_are_stored() {
    let berth = Berth::start();
    let image = Image::with(17, &json!({ "mediaType": DOCKER_MANIFEST }));
    berth.push_blobs_of("push", &image);
    berth
        .put_manifest(
            &format!("{HERE}/v1"),
            DOCKER_MANIFEST,
            image.manifest.clone(),
        )
        .is(201);
    let list_type = "application/vnd.docker.distribution.manifest.list.v2+json";
    let children = json!([descriptor(DOCKER_MANIFEST, &image.manifest)]);
    let list =
        json!({ "schemaVersion": 2, "mediaType": list_type, "manifests": children }).to_string();
    berth
        .put_manifest(&format!("{HERE}/list"), list_type, list.clone())
        .is(201);
    let pulled = berth.get(&format!("{HERE}/list")).is(200);
    assert_eq!(pulled.body, list.into_bytes());
    assert_eq!(pulled.header("content-type"), list_type);
}

#[test]
fn the_same_manifest_can_be_pushed_again_and_tags_move() {
    let berth = Berth::start();
    let (old, new) = (Image::new(18), Image::new(19));
    for image in [&old, &old, &new] {
        berth.push("push", "v1", image);
    }
    assert_eq!(berth.get(&format!("{HERE}/v1")).is(200).body, new.manifest);
    assert_eq!(
        berth.get(&format!("{HERE}/{}", old.digest())).is(200).body,
        old.manifest
    );
    let layers = json!([
        descriptor(OCI_LAYER, &new.layer),
        descriptor(OCI_LAYER, &new.layer)
    ]);
    let twice = Image::with(19, &json!({ "layers": layers }));
    put(&berth, "twice", &twice.manifest).is(201);
}

#[test]
fn of_two_that_change_a_tag_the_second_is_told() {
    let berth = Berth::start();
    let (first, second) = (Image::new(1), Image::new(2));
    for image in [&first, &second] {
        berth.push_blob("change", &image.config);
        berth.push_blob("change", &image.layer);
    }
    let path = "/v2/change/manifests/latest";
    let put = |image: &Image, name: &str, value: &str| {
        let request = berth
            .request(Method::PUT, path)
            .header("content-type", OCI_MANIFEST)
            .header(name, value)
            .body(image.manifest.clone());
        Answer::of(request.send().unwrap())
    };
    let tag = |image: &Image| format!("\"{}\"", image.digest());
    put(&first, "if-match", "*").fails_with(412, "DENIED");
    put(&first, "if-none-match", "*").is(201);
    put(&second, "if-none-match", "*").fails_with(412, "DENIED");
    put(&second, "if-match", &tag(&second)).fails_with(412, "DENIED");
    assert_eq!(berth.get(path).is(200).body, first.manifest);
    put(&second, "if-match", &tag(&first)).is(201);
    put(&first, "if-match", &tag(&first)).fails_with(412, "DENIED");
    assert_eq!(berth.get(path).is(200).body, second.manifest);

    let by_digest = format!("/v2/change/manifests/{}", second.digest());
    let ours = tag(&second);
    let theirs = tag(&first);
    berth
        .send_with("DELETE", &by_digest, ("if-match", &theirs))
        .fails_with(412, "DENIED");
    berth.send_with("GET", path, ("if-match", &theirs)).is(412);
    berth.send_with("GET", path, ("if-match", &ours)).is(200);
    berth
        .send_with("DELETE", &by_digest, ("if-match", &ours))
        .is(202);
}
