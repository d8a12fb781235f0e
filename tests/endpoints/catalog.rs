//! `/v2/_catalog`, which the specification leaves to registries and every client expects.

use serde_json::json;

use crate::harness::{Berth, Push};

#[test]
fn repositories_come_in_pages_in_byte_order() {
    let berth = Berth::start();
    assert_eq!(
        berth.get("/v2/_catalog").is(200).json(),
        json!({ "repositories": [] })
    );
    for name in ["b/c", "a", "b", "b-c", "c"] {
        berth.push_blob(name, b"");
    }
    let all = berth.get("/v2/_catalog").is(200);
    assert_eq!(
        all.json()["repositories"],
        json!(["a", "b", "b-c", "b/c", "c"])
    );
    assert_eq!(all.next(), None);

    let mut pages = Vec::new();
    let mut url = Some("/v2/_catalog?n=2".to_owned());
    while let Some(here) = url {
        let page = berth.get(&here).is(200);
        pages.push(page.json()["repositories"].clone());
        url = page.next();
    }
    assert_eq!(
        pages,
        [json!(["a", "b"]), json!(["b-c", "b/c"]), json!(["c"])]
    );
}

#[test]
fn any_n_and_any_last_are_taken() {
    let berth = Berth::start();
    berth.push_blob("a", b"");
    for (query, expected) in [
        ("?n=0", json!([])),
        ("?n=99999999999999999999999", json!(["a"])),
        ("?last=0", json!(["a"])),
        ("?last=a", json!([])),
        ("?last=No/name", json!(["a"])),
    ] {
        let page = berth.get(&format!("/v2/_catalog{query}")).is(200);
        assert_eq!(page.json()["repositories"], expected, "{query}");
        assert_eq!(page.next(), None);
    }
    berth
        .get("/v2/_catalog?n=some")
        .fails_with(400, "UNSUPPORTED");
}
