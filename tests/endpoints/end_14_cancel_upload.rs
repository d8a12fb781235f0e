use crate::harness::{Berth, Push, digest};

#[test]
fn a_cancelled_session_and_its_bytes_are_gone() {
    let berth = Berth::start();
    let session = berth.begin("cancel");
    berth.patch(&session, [1; 10]).is(202);
    assert!(berth.delete(&session).is(204).body.is_empty());
    assert_eq!(
        std::fs::read_dir(berth.data().join("uploads"))
            .unwrap()
            .count(),
        0
    );
    berth.get(&session).fails_with(404, "BLOB_UPLOAD_UNKNOWN");
    berth
        .patch(&session, [1; 10])
        .fails_with(404, "BLOB_UPLOAD_UNKNOWN");
    let finish = format!("{session}?digest={}", digest(&[1; 10]));
    berth
        .put(&finish, [])
        .fails_with(404, "BLOB_UPLOAD_UNKNOWN");
    berth
        .delete(&session)
        .fails_with(404, "BLOB_UPLOAD_UNKNOWN");
}
