use crate::harness::{Berth, Push};

#[test]
fn the_status_says_how_much_is_there() {
    let berth = Berth::start();
    let session = berth.begin("status");
    let empty = berth.get(&session).is(204);
    assert_eq!(empty.header("range"), "0-0");
    berth.patch(&session, [1; 10]).is(202);
    let some = berth.get(&session).is(204);
    assert_eq!(some.header("range"), "0-9");
    for answer in [empty, some] {
        assert_eq!(answer.header("location"), session);
        assert!(session.ends_with(answer.header("docker-upload-uuid")));
        assert!(answer.body.is_empty());
    }
}
