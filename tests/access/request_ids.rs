//! Who may say what a request is called in the log and the audit.

use crate::harness::Berth;
use crate::world::World;

const ID: (&str, &str) = ("x-request-id", "of-somebody-else");

/// The id in the answer to a request that brings its own.
fn id(berth: &Berth) -> String {
    let answer = berth.send_with("GET", "/v2/", ID);
    answer.header("x-request-id").to_owned()
}

/// A client sees: where it is asked who it is, its requests have ids that it cannot choose; a proxy that is trusted can.
#[test]
fn clients_cannot_choose_the_id_that_the_audit_tells() {
    assert_eq!(id(&Berth::start()), ID.1);
    assert_ne!(id(&World::start().berth), ID.1);
    let trusted = ["--trusted-proxies", "127.0.0.1"];
    assert_eq!(id(&World::start_with("", &trusted).berth), ID.1);
    let others = ["--trusted-proxies", "10.0.0.0/8"];
    assert_ne!(id(&World::start_with("", &others).berth), ID.1);
    assert_ne!(id(&Berth::start_with(&others)), ID.1);
}
