use berth_postgres::test_server::TestServer;

use crate::cluster::Cluster;
use crate::harness::{Berth, Connection, Push, digest, noise};
use crate::server::Server;

const REPOSITORY: &str = "cluster/chunks";

/// More than sockets hold: when so much was written, a replica has read some of it.
const CHUNK: usize = 16_000_000;

/// How much of it is sent before something happens to the replica.
const SENT: usize = 14_000_000;

const FIRST: usize = 1_000_000;

fn start() -> Cluster {
    Cluster::start(3, "1h", TestServer::shared(), Server::endpoint)
}

/// Begins a chunk, and sends most of it.
fn begin_chunk(cluster: &Cluster, replica: usize, session: &str, chunk: &[u8]) -> Connection {
    let mut connection = cluster.with(replica, Connection::open);
    let length = chunk.len().to_string();
    let range = format!("{FIRST}-{}", FIRST + chunk.len() - 1);
    let headers = [
        ("Content-Length", length.as_str()),
        ("Content-Range", range.as_str()),
        ("Connection", "close"),
    ];
    connection.head(&format!("PATCH {session}"), &headers);
    connection.write(&chunk[..SENT]);
    connection
}

/// How many bytes an upload has, as a replica tells.
fn offset(replica: &Berth, session: &str) -> usize {
    let answer = replica.get(session).is(204);
    let range = answer.header("range");
    range.strip_prefix("0-").unwrap().parse::<usize>().unwrap() + 1
}

/// All replicas have all the bytes.
fn is_whole(cluster: &Cluster, content: &[u8]) {
    let path = format!("/v2/{REPOSITORY}/blobs/{}", digest(content));
    for number in 0..cluster.size() {
        let found = cluster.with(number, |replica| replica.get(&path).is(200).body);
        assert!(found == content, "replica {number} has other bytes");
    }
}

#[test]
fn another_replica_goes_on_with_the_upload_of_one_that_was_killed() {
    let cluster = start();
    let content = noise(1, FIRST + CHUNK + 1_000_000);
    let session = cluster.with(0, |replica| replica.begin(REPOSITORY));
    let first = &content[..FIRST];
    cluster.with(0, |replica| replica.patch(&session, first).is(202));
    let _broken = begin_chunk(&cluster, 0, &session, &content[FIRST..FIRST + CHUNK]);
    cluster.kill(0);
    let has = cluster.with(1, |replica| offset(replica, &session));
    assert!((FIRST..=FIRST + SENT).contains(&has), "{has}");
    let end = FIRST + CHUNK;
    let range = format!("{has}-{}", end - 1);
    let chunk = &content[has..end];
    // Until the killed replica has it no longer.
    cluster.with(1, |replica| {
        replica.patch_range(&session, &range, chunk).is(202);
    });
    let finish = format!("{session}?digest={}", digest(&content));
    let rest = &content[end..];
    cluster.with(2, |replica| replica.put(&finish, rest).is(201));
    cluster.restart(0);
    is_whole(&cluster, &content);
}

#[test]
fn a_replica_that_was_stopped_changes_nothing_of_what_another_went_on_with() {
    let cluster = start();
    let content = noise(2, FIRST + CHUNK + 1_000_000);
    let session = cluster.with(0, |replica| replica.begin(REPOSITORY));
    let first = &content[..FIRST];
    cluster.with(0, |replica| replica.patch(&session, first).is(202));
    // Other bytes than those that are sent in their place.
    let late = noise(3, CHUNK);
    let mut connection = begin_chunk(&cluster, 0, &session, &late);
    cluster.signal(0, "-STOP");
    let end = FIRST + CHUNK / 2;
    let range = format!("{FIRST}-{}", end - 1);
    let chunk = &content[FIRST..end];
    cluster.with(1, |replica| {
        replica.patch_range(&session, &range, chunk).is(202);
    });
    cluster.signal(0, "-CONT");
    connection.try_write(&late[SENT..]);
    let answer = connection.rest();
    assert!(!answer.contains(" 202 "), "it was taken: {answer}");
    let has = cluster.with(2, |replica| offset(replica, &session));
    assert_eq!(has, end, "after {answer}");
    let finish = format!("{session}?digest={}", digest(&content));
    let rest = &content[end..];
    cluster.with(2, |replica| replica.put(&finish, rest).is(201));
    is_whole(&cluster, &content);
}
