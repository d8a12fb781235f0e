//! Bodies that are not as long as they say, or whose chunks cannot be read.

use crate::acknowledged::Acknowledged;
use crate::harness::{
    Berth, Connection, Image, OCI_MANIFEST, Push, digest, noise, peak_memory, wait_until,
};

const MIB: u64 = 1024 * 1024;

/// Waits until no request writes to a session any more, and answers its range.
fn settled(berth: &Berth, session: &str) -> String {
    let mut range = None;
    wait_until("nobody writes to the session", || {
        let answer = berth.patch(session, []);
        if answer.status == 202 {
            range = Some(answer.header("range").to_owned());
            return true;
        }
        answer.fails_with(409, "BLOB_UPLOAD_INVALID");
        false
    });
    range.unwrap()
}

/// A client sees: what it sends beyond the length that it announced is no part of the body. It is taken for
/// the next request, and answered with 400 if it is none.
#[test]
fn what_exceeds_the_length_is_no_part_of_the_body() {
    let berth = Berth::start();
    let mut acknowledged = Acknowledged::default();
    let content = noise(1, 50_000);
    let whole = digest(&content);
    let post = format!("POST /v2/long/blobs/uploads/?digest={whole}");
    let session = berth.begin("long");
    let patch = format!("PATCH {session}");
    for (request, status) in [(post, 201), (patch, 202)] {
        let mut connection = Connection::open(&berth);
        connection.head(&request, &[("Content-Length", "50000")]);
        connection.write(&content);
        connection.try_write("this is no request\r\n\r\n");
        assert_eq!(connection.answer().0, status, "{request}");
        let rest = connection.rest();
        assert!(
            rest.is_empty() || rest.starts_with("HTTP/1.1 400"),
            "{rest}"
        );
    }
    acknowledged.note_blob("long", &content);
    berth.put(&format!("{session}?digest={whole}"), []).is(201);

    let image = Image::new(2);
    berth.push_blobs_of("long", &image);
    let mut connection = Connection::open(&berth);
    let length = image.manifest.len().to_string();
    let headers = [("Content-Type", OCI_MANIFEST), ("Content-Length", &length)];
    connection.head("PUT /v2/long/manifests/v1", &headers);
    connection.write(&image.manifest);
    connection.write("GET /v2/ HTTP/1.1\r\nHost: registry\r\n\r\n");
    assert_eq!(connection.answer().0, 201);
    assert_eq!(connection.answer(), (200, "{}".to_owned()));
    let pulled = berth.get("/v2/long/manifests/v1").is(200);
    assert_eq!(pulled.body, image.manifest);
    acknowledged.survives_a_kill(berth);
}

/// A client whose body is shorter than announced sees that nothing was stored; only a session keeps what
/// arrived, says how much that is, and goes on from there.
#[test]
fn what_falls_short_of_the_length_is_not_stored() {
    let berth = Berth::start();
    let mut acknowledged = Acknowledged::default();
    acknowledged.image(&berth, "short", "v1", &Image::new(1));
    let content = noise(2, 50_000);
    let whole = digest(&content);
    let session = berth.begin("short");
    let finished = berth.begin("short");
    for request in [
        format!("POST /v2/short/blobs/uploads/?digest={whole}"),
        format!("PUT {finished}?digest={whole}"),
        format!("PATCH {session}"),
        "PUT /v2/short/manifests/v2".to_owned(),
    ] {
        let mut connection = Connection::open(&berth);
        connection.head(&request, &[("Content-Length", "50001")]);
        // All of the blob, and a byte less than announced.
        connection.write(&content);
        connection.finish();
        let rest = connection.rest();
        assert!(
            rest.is_empty() || rest.starts_with("HTTP/1.1 400"),
            "{rest}"
        );
    }
    berth
        .get("/v2/short/manifests/v2")
        .fails_with(404, "MANIFEST_UNKNOWN");
    for session in [session, finished] {
        let range = settled(&berth, &session);
        assert_eq!(range, "0-49999");
        berth
            .get(&format!("/v2/short/blobs/{whole}"))
            .fails_with(404, "BLOB_UNKNOWN");
        berth.put(&format!("{session}?digest={whole}"), []).is(201);
        acknowledged.note_blob("short", &content);
        acknowledged.is_all_there(&berth);
        berth.delete(&format!("/v2/short/blobs/{whole}")).is(202);
    }
    let digest = digest(&content);
    berth
        .get(&format!("/v2/short/blobs/{digest}"))
        .fails_with(404, "BLOB_UNKNOWN");
}

/// Chunks that no server should read, and how many bytes come before what is wrong.
const BAD_CHUNKS: [(&str, usize); 10] = [
    // No number, or one that is signed or too large.
    ("5\r\nhello\r\nx\r\nhello\r\n0\r\n\r\n", 5),
    ("5\r\nhello\r\n-1\r\n", 5),
    ("5\r\nhello\r\n+5\r\nhello\r\n0\r\n\r\n", 5),
    ("5\r\nhello\r\nfffffffffffffffff\r\nhello\r\n0\r\n\r\n", 5),
    ("5\r\nhello\r\n\r\n0\r\n\r\n", 5),
    ("5\r\nhello\r\n5 5\r\nhello\r\n0\r\n\r\n", 5),
    // More, or less, than its number says.
    ("5\r\nhello world\r\n0\r\n\r\n", 5),
    ("5\r\nhello\r\n6\r\nhello\r\n0\r\n\r\n", 11),
    // No last chunk, or no trailer where only that may be.
    ("5\r\nhello\r\n", 5),
    ("5\r\nhello\r\n0\r\nno trailer\r\n\r\n", 5),
];

/// A client sees 400, or that its connection ends. Nothing is stored that it did not send well-formed, and
/// everybody else is served. A
/// session keeps what came before, and says how much that is.
#[test]
fn chunks_that_cannot_be_read_store_nothing() {
    let berth = Berth::start();
    let mut acknowledged = Acknowledged::default();
    acknowledged.image(&berth, "chunks", "v1", &Image::new(1));
    for (number, (chunks, readable)) in BAD_CHUNKS.iter().enumerate() {
        let session = berth.begin("chunks");
        for request in [
            format!("POST /v2/chunks/blobs/uploads/?digest={}", digest(b"hello")),
            format!("PUT {session}?digest={}", digest(b"hello")),
            format!("PATCH {session}"),
            format!("PUT /v2/chunks/manifests/bad-{number}"),
        ] {
            let mut connection = Connection::open(&berth);
            let headers = [
                ("Transfer-Encoding", "chunked"),
                ("Content-Type", OCI_MANIFEST),
            ];
            connection.head(&request, &headers);
            connection.try_write(chunks);
            connection.finish();
            let rest = connection.rest();
            assert!(
                rest.is_empty() || rest.starts_with("HTTP/1.1 4"),
                "{request} {chunks:?}: {rest}"
            );
        }
        berth
            .get(&format!("/v2/chunks/blobs/{}", digest(b"hello")))
            .fails_with(404, "BLOB_UNKNOWN");
        berth
            .get(&format!("/v2/chunks/manifests/bad-{number}"))
            .fails_with(404, "MANIFEST_UNKNOWN");
        // Of the `PUT` and of the `PATCH`.
        let expected = format!("0-{}", 2 * readable - 1);
        assert_eq!(settled(&berth, &session), expected, "{chunks:?}");
    }
    acknowledged.is_all_there(&berth);
    acknowledged.survives_a_kill(berth);
}

/// A client sees 400, or that its connection ends, when what is not content is without end.
#[test]
fn what_stands_around_chunks_is_bounded() {
    let berth = Berth::start();
    let mut acknowledged = Acknowledged::default();
    let before = peak_memory(berth.process_id());
    let long = "x".repeat(1024 * 1024);
    for (start, filler) in [
        ("5;", long.clone()),
        ("0000", "0".repeat(long.len())),
        ("5\r\nhello\r\n0\r\n", format!("X-Trailer: {long}")),
        ("5\r\nhello\r\n0\r\n", "X: y\r\n".repeat(long.len() / 6)),
    ] {
        let session = berth.begin("around");
        let mut connection = Connection::open(&berth);
        connection.head(
            &format!("PATCH {session}"),
            &[("Transfer-Encoding", "chunked")],
        );
        connection.try_write(start);
        for _ in 0..32 {
            connection.try_write(&filler);
        }
        connection.finish();
        let rest = connection.rest();
        assert!(
            rest.is_empty() || rest.starts_with("HTTP/1.1 4"),
            "{start:?}: {rest}"
        );
        acknowledged.image(&berth, "kept", "v1", &Image::new(1));
    }
    let pinned = peak_memory(berth.process_id()) - before;
    assert!(pinned < 16 * MIB, "{} MiB", pinned / MIB);
    acknowledged.is_all_there(&berth);
}

/// A client sees that a body with both a length and chunks is read as chunks, or refused: never as both, by
/// which one client could speak in the name of another behind the same proxy.
#[test]
fn a_length_and_chunks_at_once_are_not_two_requests() {
    let berth = Berth::start();
    let session = berth.begin("both");
    let mut connection = Connection::open(&berth);
    let headers = [("Content-Length", "4"), ("Transfer-Encoding", "chunked")];
    connection.head(&format!("PATCH {session}"), &headers);
    let smuggled = "GET /v2/_catalog HTTP/1.1\r\nHost: registry\r\n\r\n";
    connection.write(format!("{:x}\r\n{smuggled}\r\n0\r\n\r\n", smuggled.len()));
    connection.finish();
    let rest = connection.rest();
    assert!(!rest.contains("repositories"), "{rest}");
    let range = settled(&berth, &session);
    let last = smuggled.len() - 1;
    assert!(range == format!("0-{last}") || range == "0-0", "{range}");
}
