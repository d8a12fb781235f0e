//! end-8a lists all tags, end-8b a page of them.

use serde_json::json;

use crate::harness::{Berth, Image, OCI_MANIFEST, Push};

const LIST: &str = "/v2/list/tags/list";

/// A repository with these tags.
fn with_tags(tags: &[&str]) -> Berth {
    let berth = Berth::start();
    let image = Image::new(8);
    berth.push_blobs_of("list", &image);
    for tag in tags {
        let path = format!("/v2/list/manifests/{tag}");
        berth
            .put_manifest(&path, OCI_MANIFEST, image.manifest.clone())
            .is(201);
    }
    berth
}

fn tags(berth: &Berth, query: &str) -> serde_json::Value {
    berth.get(&format!("{LIST}{query}")).is(200).json()["tags"].clone()
}

#[test]
fn end_8a_lists_all_tags_in_byte_order() {
    let berth = with_tags(&["v2", "v10", "V1", "_", "a.b", "a-b", "1"]);
    let answer = berth.get(LIST).is(200);
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(answer.next(), None);
    let expected = json!({ "name": "list", "tags": ["1", "V1", "_", "a-b", "a.b", "v10", "v2"] });
    assert_eq!(answer.json(), expected);
}

#[test]
fn end_8a_knows_empty_repositories_from_none() {
    let berth = Berth::start();
    berth.push_blob("list", b"");
    assert_eq!(
        berth.get(LIST).is(200).json(),
        json!({ "name": "list", "tags": [] })
    );
    berth
        .get("/v2/nowhere/tags/list")
        .fails_with(404, "NAME_UNKNOWN");
}

#[test]
fn end_8b_pages_lead_from_one_to_the_next() {
    let berth = with_tags(&["a", "b", "c", "d", "e"]);
    let mut pages = Vec::new();
    let mut url = Some(format!("{LIST}?n=2"));
    while let Some(here) = url {
        let page = berth.get(&here).is(200);
        pages.push(page.json()["tags"].clone());
        url = page.next();
    }
    assert_eq!(pages, [json!(["a", "b"]), json!(["c", "d"]), json!(["e"])]);
    assert_eq!(berth.get(&format!("{LIST}?n=5")).is(200).next(), None);
}

#[test]
fn end_8b_takes_any_n_and_any_last() {
    let berth = with_tags(&["a", "c", "e"]);
    let none = berth.get(&format!("{LIST}?n=0")).is(200);
    assert_eq!(none.json()["tags"], json!([]));
    assert_eq!(none.next(), None);
    for n in [
        "3",
        "1000000",
        "4294967295",
        "4294967296",
        "99999999999999999999999",
    ] {
        assert_eq!(tags(&berth, &format!("?n={n}")), json!(["a", "c", "e"]));
    }
    for n in ["-1", "x", "", "1.5"] {
        berth
            .get(&format!("{LIST}?n={n}"))
            .fails_with(400, "UNSUPPORTED");
    }
    // `last` need not be there, nor be a tag.
    assert_eq!(tags(&berth, "?last=b"), json!(["c", "e"]));
    assert_eq!(tags(&berth, "?last=a&n=1"), json!(["c"]));
    assert_eq!(tags(&berth, "?last=zzz"), json!([]));
    assert_eq!(tags(&berth, "?last="), json!(["a", "c", "e"]));
    assert_eq!(tags(&berth, "?last=..%2F%00%27--"), json!(["a", "c", "e"]));
}

#[test]
fn end_8b_goes_on_after_a_tag_that_is_gone() {
    let berth = with_tags(&["a", "c"]);
    let image = Image::new(9);
    berth.push("list", "b", &image);
    let page = berth.get(&format!("{LIST}?n=2")).is(200);
    assert_eq!(page.json()["tags"], json!(["a", "b"]));
    berth
        .delete(&format!("/v2/list/manifests/{}", image.digest()))
        .is(202);
    let next = berth.get(&page.next().unwrap()).is(200);
    assert_eq!(next.json()["tags"], json!(["c"]));
}
