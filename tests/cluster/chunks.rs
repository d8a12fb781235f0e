use std::ops::Range;
use std::thread;
use std::time::Duration;

use berth_postgres::test_server::TestServer;

use crate::caller::{Caller, Request};
use crate::cluster::Cluster;
use crate::harness::{Answer, Connection, Push, digest, noise};
use crate::server::Server;

const REPOSITORY: &str = "cluster/chunks";

/// More than sockets hold: when so much was written, a replica has read some of it.
const CHUNK: usize = 16_000_000;

/// How much of it is sent before something happens to the replica.
const SENT: usize = 14_000_000;

const FIRST: usize = 1_000_000;

/// Who has an upload session may have it for so long after it was killed, and somewhat longer.
const PATIENCE: Duration = Duration::from_secs(60);

/// Begins an upload at a replica, and has its first bytes acknowledged.
fn begin_upload(cluster: &Cluster, replica: usize, content: &[u8]) -> String {
    cluster.with(replica, |replica| {
        let session = replica.begin(REPOSITORY);
        replica.patch(&session, &content[..FIRST]).is(202);
        session
    })
}

/// Sends most of a chunk to a replica.
fn begin_chunk(cluster: &Cluster, replica: usize, session: &str, chunk: &[u8]) -> Connection {
    let mut connection = cluster.with(replica, Connection::open);
    let length = chunk.len().to_string();
    let range = range_of(&(FIRST..FIRST + chunk.len()));
    let headers = [
        ("Content-Length", length.as_str()),
        ("Content-Range", range.as_str()),
        ("Connection", "close"),
    ];
    connection.head(&format!("PATCH {session}"), &headers);
    connection.write(&chunk[..SENT]);
    connection
}

/// Sends a part of an upload to the replica that nothing happens to.
fn go_on(cluster: &Cluster, session: &str, content: &[u8], part: Range<usize>) {
    let range = range_of(&part);
    let answer = ask(
        cluster,
        Request {
            method: "PATCH",
            path: session,
            headers: &[("content-range", &range)],
            body: &content[part],
        },
    );
    answer.is(202);
}

/// Sends what an upload lacks.
fn finish(cluster: &Cluster, session: &str, content: &[u8], start: usize) {
    let path = format!("{session}?digest={}", digest(content));
    let answer = ask(
        cluster,
        Request {
            body: &content[start..],
            ..Request::new("PUT", &path)
        },
    );
    answer.is(201);
}

/// How many bytes an upload has.
fn offset(cluster: &Cluster, session: &str) -> usize {
    let answer = ask(cluster, Request::new("GET", session)).is(204);
    let range = answer.header("range");
    range.strip_prefix("0-").unwrap().parse::<usize>().unwrap() + 1
}

/// What the replica answers that nothing happens to.
fn ask(cluster: &Cluster, request: Request<'_>) -> Answer {
    let mut caller = Caller::new(&cluster.address(2));
    let answer = caller.ask_for(PATIENCE, request);
    answer.unwrap_or_else(|_| panic!("{:?}", caller.failures()))
}

fn range_of(part: &Range<usize>) -> String {
    format!("{}-{}", part.start, part.end - 1)
}

/// All replicas have all the bytes.
fn is_whole(cluster: &Cluster, content: &[u8]) {
    let path = format!("/v2/{REPOSITORY}/blobs/{}", digest(content));
    for number in 0..cluster.size() {
        let found = cluster.with(number, |replica| replica.get(&path).is(200).body);
        assert!(found == content, "replica {number} has other bytes");
    }
}

/// Both wait for as long as an upload session is a replica's.
#[test]
fn another_replica_goes_on_with_the_upload_of_one_that_was_killed_or_stopped() {
    let cluster = Cluster::start(3, "1h", TestServer::shared(), Server::endpoint);
    let (of_killed, of_stopped) = thread::scope(|scope| {
        let of_killed = scope.spawn(|| go_on_after_a_kill(&cluster));
        let of_stopped = scope.spawn(|| go_on_after_a_stop(&cluster));
        (of_killed.join().unwrap(), of_stopped.join().unwrap())
    });
    is_whole(&cluster, &of_killed);
    is_whole(&cluster, &of_stopped);
}

fn go_on_after_a_kill(cluster: &Cluster) -> Vec<u8> {
    let content = noise(1, FIRST + CHUNK + 1_000_000);
    let session = begin_upload(cluster, 0, &content);
    let _broken = begin_chunk(cluster, 0, &session, &content[FIRST..FIRST + CHUNK]);
    cluster.kill(0);
    cluster.restart(0);
    let has = offset(cluster, &session);
    assert!((FIRST..=FIRST + SENT).contains(&has), "{has}");
    let end = FIRST + CHUNK;
    go_on(cluster, &session, &content, has..end);
    finish(cluster, &session, &content, end);
    content
}

fn go_on_after_a_stop(cluster: &Cluster) -> Vec<u8> {
    let content = noise(2, FIRST + CHUNK + 1_000_000);
    let session = begin_upload(cluster, 1, &content);
    // Other bytes than those that are sent in their place.
    let late = noise(3, CHUNK);
    let mut connection = begin_chunk(cluster, 1, &session, &late);
    cluster.signal(1, "-STOP");
    let end = FIRST + CHUNK / 2;
    go_on(cluster, &session, &content, FIRST..end);
    cluster.signal(1, "-CONT");
    connection.try_write(&late[SENT..]);
    let answer = connection.rest();
    assert!(!answer.contains(" 202 "), "it was taken: {answer}");
    let has = offset(cluster, &session);
    assert_eq!(has, end, "after {answer}");
    finish(cluster, &session, &content, end);
    content
}
