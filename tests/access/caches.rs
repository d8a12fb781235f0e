//! What shared caches may keep.

use crate::harness::{Berth, Push};
use crate::world::{PASSWORD, World, basic};

const PRIVATE: &str = "private, max-age=31536000, immutable";
const SHARED: &str = "max-age=31536000, immutable";

/// A cache between a client and the registry sees: it may keep what everybody may pull, and nothing else.
#[test]
fn caches_may_keep_what_everybody_may_pull() {
    let world = World::start();
    let root = basic("root", PASSWORD);
    for (repository, expected) in [("public/app", SHARED), ("secret/app", PRIVATE)] {
        let digest = world.push_blob(repository, b"content");
        let path = format!("/v2/{repository}/blobs/{digest}");
        for method in ["GET", "HEAD"] {
            let answer = world.ask(method, &path, Some(&root)).is(200);
            assert_eq!(answer.header("cache-control"), expected, "{path}");
        }
        let tag = format!("\"{digest}\"");
        for (header, status) in [
            (("range", "bytes=0-1"), 206),
            (("if-none-match", tag.as_str()), 304),
        ] {
            let answer = world.send("GET", &path, Some(&root), &[header], Vec::new());
            assert_eq!(answer.is(status).header("cache-control"), expected);
        }
    }
}

#[test]
fn caches_may_keep_everything_of_an_open_registry() {
    let berth = Berth::start();
    let digest = berth.push_blob("app", b"content");
    let answer = berth.get(&format!("/v2/app/blobs/{digest}")).is(200);
    assert_eq!(answer.header("cache-control"), SHARED);
}
