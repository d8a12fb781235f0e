use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use crate::harness::{Berth, Connection, Push, digest, noise};

#[test]
fn chunks_in_order_make_the_blob() {
    let berth = Berth::start();
    let content = noise(1, 1_000_000);
    let session = berth.begin("chunks");
    for (number, chunk) in content.chunks(300_000).enumerate() {
        let first = number * 300_000;
        let last = first + chunk.len() - 1;
        let answer = berth
            .patch_range(&session, &format!("{first}-{last}"), chunk)
            .is(202);
        assert_eq!(answer.header("range"), format!("0-{last}"));
        assert_eq!(answer.header("location"), session);
        assert!(session.ends_with(answer.header("docker-upload-uuid")));
    }
    let digest = digest(&content);
    berth.put(&format!("{session}?digest={digest}"), []).is(201);
    assert!(
        berth
            .get(&format!("/v2/chunks/blobs/{digest}"))
            .is(200)
            .body
            == content
    );
}

#[test]
fn a_stream_without_a_length_is_taken() {
    let berth = Berth::start();
    let content = noise(2, 700_000);
    let session = berth.begin("stream");
    let mut connection = Connection::open(&berth);
    connection.head(
        &format!("PATCH {session}"),
        &[("Transfer-Encoding", "chunked")],
    );
    for piece in content.chunks(50_000) {
        connection.write(format!("{:x}\r\n", piece.len()));
        connection.write(piece);
        connection.write("\r\n");
    }
    connection.write("0\r\n\r\n");
    assert_eq!(connection.answer().0, 202);
    let digest = digest(&content);
    berth.put(&format!("{session}?digest={digest}"), []).is(201);
    assert!(
        berth
            .get(&format!("/v2/stream/blobs/{digest}"))
            .is(200)
            .body
            == content
    );
}

#[test]
fn a_chunk_out_of_order_is_refused_with_where_to_go_on() {
    let berth = Berth::start();
    let content = noise(3, 1000);
    let session = berth.begin("order");
    berth
        .patch_range(&session, "0-499", &content[..500])
        .is(202);
    for (range, chunk) in [
        ("600-999", &content[600..]),
        ("0-499", &content[..500]),
        ("499-999", &content[499..]),
    ] {
        let answer = berth
            .patch_range(&session, range, chunk)
            .fails_with(416, "BLOB_UPLOAD_INVALID");
        assert_eq!(answer.header("range"), "0-499");
        assert_eq!(answer.header("location"), session);
        assert!(answer.message().contains("500"), "{}", answer.message());
    }
    assert_eq!(berth.get(&session).is(204).header("range"), "0-499");
    berth
        .patch_range(&session, "500-999", &content[500..])
        .is(202);
    berth
        .put(&format!("{session}?digest={}", digest(&content)), [])
        .is(201);
}

#[test]
fn ranges_that_lie_or_cannot_be_read_change_nothing() {
    let berth = Berth::start();
    let session = berth.begin("lies");
    berth
        .patch_range(&session, "0-9", [0; 5])
        .fails_with(400, "SIZE_INVALID");
    berth
        .patch_range(&session, "0-3", [0; 5])
        .fails_with(400, "SIZE_INVALID");
    for range in ["nonsense", "9-0", "-5", "5-"] {
        berth
            .patch_range(&session, range, [0; 5])
            .fails_with(400, "BLOB_UPLOAD_INVALID");
    }
    assert_eq!(berth.get(&session).is(204).header("range"), "0-0");
    berth.patch_range(&session, "bytes 0-4/*", [0; 5]).is(202);
}

#[test]
fn of_two_writers_one_wins_and_the_other_is_told() {
    let berth = Berth::start();
    let content = noise(4, 1000);
    let session = berth.begin("two");
    let mut slow = Connection::open(&berth);
    slow.head(&format!("PATCH {session}"), &[("Content-Length", "1000")]);
    slow.write(&content[..500]);
    wait_until_written_to(&berth, &session);
    let answer = berth
        .patch(&session, [7; 10])
        .fails_with(409, "BLOB_UPLOAD_INVALID");
    assert!(
        answer.message().contains("another request"),
        "{}",
        answer.message()
    );
    let wanted = format!("{session}?digest={}", digest(&content));
    berth
        .put(&wanted, [])
        .fails_with(409, "BLOB_UPLOAD_INVALID");
    berth
        .delete(&session)
        .fails_with(409, "BLOB_UPLOAD_INVALID");
    slow.write(&content[500..]);
    assert_eq!(slow.answer().0, 202);
    berth.put(&wanted, []).is(201);
}

#[test]
fn many_writers_at_once_corrupt_nothing() {
    let berth = Berth::start();
    let content = noise(5, 400_000);
    let session = berth.begin("many");
    let accepted: Vec<usize> = thread::scope(|scope| {
        let writers: Vec<_> = (0..8)
            .map(|writer| {
                let (berth, session, content) = (&berth, &session, &content);
                scope.spawn(move || {
                    let range = format!("0-{}", content.len() - 1);
                    let answer = berth.patch_range(session, &range, content.as_slice());
                    match answer.status {
                        202 => Some(writer),
                        409 | 416 => None,
                        status => panic!("{status}"),
                    }
                })
            })
            .collect();
        writers
            .into_iter()
            .filter_map(|writer| writer.join().unwrap())
            .collect()
    });
    assert_eq!(accepted.len(), 1);
    berth
        .put(&format!("{session}?digest={}", digest(&content)), [])
        .is(201);
}

#[test]
fn a_session_goes_on_after_a_restart() {
    let content = noise(6, 900_000);
    let berth = Berth::start();
    let session = berth.begin("restart");
    berth.patch(&session, &content[..400_000]).is(202);
    let berth = berth.kill_and_restart();
    assert_eq!(berth.get(&session).is(204).header("range"), "0-399999");
    berth
        .patch_range(&session, "400000-699999", &content[400_000..700_000])
        .is(202);
    let berth = berth.kill_and_restart();
    let digest = digest(&content);
    berth
        .put(&format!("{session}?digest={digest}"), &content[700_000..])
        .is(201);
    assert!(
        berth
            .get(&format!("/v2/restart/blobs/{digest}"))
            .is(200)
            .body
            == content
    );
}

#[test]
fn after_a_restart_the_bytes_before_are_not_hashed_again() {
    let content = noise(7, 2000);
    let berth = Berth::start();
    let session = berth.begin("hash-state");
    berth.patch(&session, &content[..1000]).is(202);
    // Only a server that reads these bytes again would notice that they changed.
    let staged = staged(&berth, &session);
    let berth = berth.kill_and_restart();
    std::fs::write(&staged, vec![0; 1000]).unwrap();
    berth
        .put(
            &format!("{session}?digest={}", digest(&content)),
            &content[1000..],
        )
        .is(201);
}

#[test]
fn a_connection_cut_in_the_middle_leaves_a_truthful_session() {
    let berth = Berth::start();
    let content = noise(8, 2_000_000);
    for chunked in [false, true] {
        let session = berth.begin("cut");
        let mut connection = Connection::open(&berth);
        let length = content.len().to_string();
        let framing = if chunked {
            ("Transfer-Encoding", "chunked")
        } else {
            ("Content-Length", length.as_str())
        };
        connection.head(&format!("PATCH {session}"), &[framing]);
        if chunked {
            connection.write(format!("{length:x}\r\n", length = content.len()));
        }
        connection.write(&content[..1_234_567]);
        wait_until_written_to(&berth, &session);
        drop(connection);
        let kept = settled(&berth, &session);
        assert!(kept > 0 && kept <= 1_234_567, "{kept}");
        // What it says is true even of a power cut.
        let range = format!("{kept}-{}", content.len() - 1);
        berth
            .patch_range(&session, &range, &content[kept..])
            .is(202);
        let digest = digest(&content);
        berth.put(&format!("{session}?digest={digest}"), []).is(201);
        assert!(berth.get(&format!("/v2/cut/blobs/{digest}")).is(200).body == content);
        berth.delete(&format!("/v2/cut/blobs/{digest}")).is(202);
    }
}

/// The file that has the bytes of a session.
fn staged(berth: &Berth, session: &str) -> PathBuf {
    let id = session.rsplit('/').next().unwrap();
    berth.data().join("uploads").join(id)
}

/// Waits until a request that was sent on another connection writes to the session.
fn wait_until_written_to(berth: &Berth, session: &str) {
    while !staged(berth, session).exists() {
        thread::sleep(Duration::from_millis(5));
    }
}

/// How many bytes a session holds once the request that was writing to it is over.
fn settled(berth: &Berth, session: &str) -> usize {
    loop {
        // An empty chunk is refused as long as somebody else writes.
        let answer = berth.patch(session, []);
        if answer.status == 202 {
            let range = answer.header("range");
            let last: usize = range.strip_prefix("0-").unwrap().parse().unwrap();
            return if last == 0 { 0 } else { last + 1 };
        }
        assert_eq!(answer.status, 409);
        thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_session_of_another_repository_or_none_is_unknown() {
    let berth = Berth::start();
    let session = berth.begin("mine");
    let elsewhere = session.replace("/mine/", "/yours/");
    for path in [
        elsewhere.as_str(),
        "/v2/mine/blobs/uploads/00000000-0000-4000-8000-000000000000",
        "/v2/mine/blobs/uploads/x",
    ] {
        berth.get(path).fails_with(404, "BLOB_UPLOAD_UNKNOWN");
        berth
            .patch(path, [0; 5])
            .fails_with(404, "BLOB_UPLOAD_UNKNOWN");
        berth
            .put(&format!("{path}?digest={}", digest(b"")), [])
            .fails_with(404, "BLOB_UPLOAD_UNKNOWN");
        berth.delete(path).fails_with(404, "BLOB_UPLOAD_UNKNOWN");
    }
    berth.patch(&session, [0; 5]).is(202);
}

#[test]
fn an_idle_session_expires() {
    let berth = Berth::start_with(&["--upload-lifetime", "300ms"]);
    let session = berth.begin("idle");
    thread::sleep(Duration::from_millis(400));
    berth
        .patch(&session, [0; 5])
        .fails_with(404, "BLOB_UPLOAD_UNKNOWN");
    berth.get(&session).fails_with(404, "BLOB_UPLOAD_UNKNOWN");
}
