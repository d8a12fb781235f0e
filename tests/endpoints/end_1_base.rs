use serde_json::json;

use crate::harness::Berth;

#[test]
fn the_base_says_that_this_is_a_registry() {
    let berth = Berth::start();
    for path in ["/v2/", "/v2"] {
        let answer = berth.get(path).is(200);
        assert_eq!(
            answer.header("docker-distribution-api-version"),
            "registry/2.0"
        );
        assert_eq!(answer.header("content-type"), "application/json");
        assert_eq!(answer.json(), json!({}));
        assert!(berth.head(path).is(200).body.is_empty());
    }
}
