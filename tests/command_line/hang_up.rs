use crate::harness::Berth;

#[test]
fn sighup_without_tls_ends_nothing() {
    let server = Berth::start();
    server.signal("-HUP");
    server.get("/v2/").is(200);
    server.terminate();
    assert_eq!(server.wait().0.code(), Some(0));
}
