//! end-12a lists referrers, end-12b those of one type.

use serde_json::{Value, json};

use crate::harness::{Answer, Berth, Image, OCI_CONFIG, OCI_INDEX, OCI_MANIFEST, Push, digest};

fn referrers(berth: &Berth, subject: &str, query: &str) -> Answer {
    let answer = berth
        .get(&format!("/v2/refer/referrers/{subject}{query}"))
        .is(200);
    assert_eq!(answer.header("content-type"), OCI_INDEX);
    let index = answer.json();
    assert_eq!(index["schemaVersion"], 2);
    assert_eq!(index["mediaType"], OCI_INDEX);
    answer
}

fn digests(answer: &Answer) -> Vec<String> {
    let manifests = answer.json()["manifests"].as_array().unwrap().clone();
    manifests
        .iter()
        .map(|entry| entry["digest"].as_str().unwrap().to_owned())
        .collect()
}

fn sorted<const N: usize>(mut digests: [String; N]) -> [String; N] {
    digests.sort();
    digests
}

/// An artifact that says something about `subject`.
fn artifact(seed: u64, subject: &Image, fields: Value) -> Image {
    let mut all = json!({ "subject": subject.descriptor() });
    all.as_object_mut()
        .unwrap()
        .extend(fields.as_object().unwrap().clone());
    Image::with(seed, &all)
}

#[test]
fn end_12a_tells_type_size_and_annotations() {
    let berth = Berth::start();
    let subject = Image::new(1);
    berth.push("refer", "v1", &subject);
    let fields = json!({ "artifactType": "application/vnd.example.sbom", "annotations": { "by": "a test" } });
    let sbom = artifact(2, &subject, fields);
    let answer = berth.push("refer", "sbom", &sbom);
    assert_eq!(answer.header("oci-subject"), subject.digest());
    let list = referrers(&berth, &subject.digest(), "");
    assert!(!list.has("oci-filters-applied"));
    let expected = json!([{
        "mediaType": OCI_MANIFEST,
        "digest": sbom.digest(),
        "size": sbom.manifest.len(),
        "artifactType": "application/vnd.example.sbom",
        "annotations": { "by": "a test" },
    }]);
    assert_eq!(list.json()["manifests"], expected);
}

#[test]
fn end_12a_derives_the_type_from_the_config() {
    let berth = Berth::start();
    let subject = Image::new(3);
    let plain = artifact(4, &subject, json!({}));
    berth.push("refer", "plain", &plain);
    let list = referrers(&berth, &subject.digest(), "").json();
    assert_eq!(list["manifests"][0]["artifactType"], OCI_CONFIG);
    assert!(list["manifests"][0].get("annotations").is_none());
}

#[test]
fn end_12a_takes_indexes_as_referrers() {
    let berth = Berth::start();
    let subject = Image::new(5);
    let index = json!({
        "schemaVersion": 2,
        "mediaType": OCI_INDEX,
        "artifactType": "application/vnd.example.bundle",
        "manifests": [],
        "subject": subject.descriptor(),
    });
    let index = index.to_string();
    berth
        .put_manifest("/v2/refer/manifests/bundle", OCI_INDEX, index.clone())
        .is(201);
    let list = referrers(&berth, &subject.digest(), "").json();
    assert_eq!(list["manifests"][0]["digest"], digest(index.as_bytes()));
    assert_eq!(list["manifests"][0]["mediaType"], OCI_INDEX);
    assert_eq!(
        list["manifests"][0]["artifactType"],
        "application/vnd.example.bundle"
    );
}

#[test]
fn end_12a_works_whether_the_subject_comes_before_or_after_or_never() {
    let berth = Berth::start();
    let subject = Image::new(6);
    let (before, after) = (
        artifact(7, &subject, json!({})),
        artifact(8, &subject, json!({})),
    );
    berth.push("refer", "before", &before);
    assert_eq!(
        digests(&referrers(&berth, &subject.digest(), "")),
        [before.digest()]
    );
    berth.push("refer", "v1", &subject);
    berth.push("refer", "after", &after);
    let both = sorted([before.digest(), after.digest()]);
    assert_eq!(digests(&referrers(&berth, &subject.digest(), "")), both);
    berth
        .delete(&format!("/v2/refer/manifests/{}", subject.digest()))
        .is(202);
    assert_eq!(digests(&referrers(&berth, &subject.digest(), "")), both);
}

#[test]
fn end_12a_without_referrers_is_an_empty_list() {
    let berth = Berth::start();
    let empty = referrers(&berth, &digest(b"nobody refers to this"), "");
    assert_eq!(empty.json()["manifests"], json!([]));
    berth
        .get("/v2/refer/referrers/latest")
        .fails_with(400, "DIGEST_INVALID");
    // Only referrers of the same repository count.
    let subject = Image::new(9);
    berth.push("elsewhere", "sbom", &artifact(10, &subject, json!({})));
    assert_eq!(
        referrers(&berth, &subject.digest(), "").json()["manifests"],
        json!([])
    );
}

#[test]
fn end_12a_forgets_deleted_referrers() {
    let berth = Berth::start();
    let subject = Image::new(11);
    let gone = artifact(12, &subject, json!({}));
    berth.push("refer", "gone", &gone);
    berth
        .delete(&format!("/v2/refer/manifests/{}", gone.digest()))
        .is(202);
    assert_eq!(
        referrers(&berth, &subject.digest(), "").json()["manifests"],
        json!([])
    );
}

#[test]
fn end_12a_includes_what_is_listed_under_the_tag_schema() {
    let berth = Berth::start();
    let subject = Image::new(13);
    let listed = artifact(14, &subject, json!({}));
    berth.push_blobs_of("refer", &listed);
    let by_digest = format!("/v2/refer/manifests/{}", listed.digest());
    berth
        .put_manifest(&by_digest, OCI_MANIFEST, listed.manifest.clone())
        .is(201);
    // What clients keep for registries without the referrers API.
    let tag = subject.digest().replace(':', "-");
    let list = crate::harness::index(&[&listed]);
    berth
        .put_manifest(&format!("/v2/refer/manifests/{tag}"), OCI_INDEX, list)
        .is(201);
    assert_eq!(
        digests(&referrers(&berth, &subject.digest(), "")),
        [listed.digest()]
    );
}

#[test]
fn end_12b_filters_by_type_and_says_so() {
    let berth = Berth::start();
    let subject = Image::new(15);
    let of_type = |seed, kind: &str| artifact(seed, &subject, json!({ "artifactType": kind }));
    let (sbom, signature) = (
        of_type(16, "application/sbom+json"),
        of_type(17, "application/sig"),
    );
    berth.push("refer", "sbom", &sbom);
    berth.push("refer", "signature", &signature);
    for (query, expected) in [
        ("?artifactType=application/sig", vec![signature.digest()]),
        ("?artifactType=application/sbom%2Bjson", vec![sbom.digest()]),
        ("?artifactType=application/sbom+json", vec![sbom.digest()]),
        ("?artifactType=application/none", vec![]),
    ] {
        let list = referrers(&berth, &subject.digest(), query);
        assert_eq!(list.header("oci-filters-applied"), "artifactType");
        assert_eq!(digests(&list), expected, "{query}");
    }
}

#[test]
fn pages_stay_within_4_mib_and_lead_to_the_next() {
    let berth = Berth::start();
    let subject = Image::new(18);
    let long = "x".repeat(1_500_000);
    let mut all: Vec<String> = (0..5)
        .map(|seed| {
            let fields = json!({ "artifactType": "a/b", "annotations": { "long": long } });
            let image = artifact(100 + seed, &subject, fields);
            berth.push("refer", &format!("r{seed}"), &image);
            image.digest()
        })
        .collect();
    all.sort();
    for filter in ["", "?artifactType=a/b"] {
        let mut listed = Vec::new();
        let mut pages = 0;
        let mut url = Some(format!("/v2/refer/referrers/{}{filter}", subject.digest()));
        while let Some(here) = url {
            let page = berth.get(&here).is(200);
            assert!(page.body.len() <= 4 * 1024 * 1024, "{}", page.body.len());
            assert_eq!(page.has("oci-filters-applied"), !filter.is_empty());
            listed.extend(digests(&page));
            url = page.next();
            pages += 1;
        }
        assert_eq!(listed, all);
        assert_eq!(pages, 3);
    }
}
