//! Another program holds locks on `metadata.sqlite3`: a backup, or a curious administrator with a shell.

use std::thread;
use std::time::Duration;

use rusqlite::Connection as Database;

use crate::acknowledged::Acknowledged;
use crate::harness::{Answer, Berth, Image, Push, digest, noise};

fn open(berth: &Berth) -> Database {
    Database::open(berth.data().join("metadata.sqlite3")).unwrap()
}

/// Keeps everybody else from writing, until it is dropped.
fn lock(berth: &Berth, how: &str) -> Database {
    let database = open(berth);
    database.busy_timeout(Duration::from_secs(60)).unwrap();
    database.execute_batch(how).unwrap();
    database
}

/// A client sees: its push takes as long as the lock, if that is held for less than five seconds. Pulls do
/// not wait.
#[test]
fn pushes_wait_for_a_lock_that_is_held_shortly() {
    let berth = Berth::start();
    let mut acknowledged = Acknowledged::default();
    acknowledged.image(&berth, "kept", "v1", &Image::new(1));
    for how in ["BEGIN IMMEDIATE", "BEGIN EXCLUSIVE"] {
        let lock = lock(&berth, how);
        let pushed = thread::scope(|scope| {
            let pushes: Vec<_> = (0..4)
                .map(|number| {
                    let berth = &berth;
                    scope.spawn(move || {
                        let mut acknowledged = Acknowledged::default();
                        let repository = format!("pushed/{number}");
                        let tag = how.replace(' ', "-");
                        acknowledged.image(berth, &repository, &tag, &Image::new(number));
                        acknowledged
                    })
                })
                .collect();
            acknowledged.is_all_there(&berth);
            thread::sleep(Duration::from_millis(300));
            assert!(pushes.iter().all(|push| !push.is_finished()), "{how}");
            drop(lock);
            let pushed = pushes.into_iter().map(|push| push.join().unwrap());
            pushed.collect::<Vec<_>>()
        });
        pushed
            .into_iter()
            .for_each(|other| acknowledged.extend(other));
        acknowledged.is_all_there(&berth);
    }
    acknowledged.survives_a_kill(berth);
}

/// A client sees: its push fails with 500 and the error `UNKNOWN`, as do those that came at the same time,
/// and pulls go on. When the lock is gone, the same process takes pushes again, and uploads go on where
/// they were. Nothing acknowledged is lost, and nothing refused is there. The log shows that
/// they failed together: one after the other, each would have waited for the lock.
#[test]
fn a_lock_that_stays_is_told_and_harms_nothing() {
    let mut berth = Berth::start();
    let mut acknowledged = Acknowledged::default();
    let ready = Image::new(2);
    acknowledged.image(&berth, "kept", "v1", &Image::new(1));
    berth.push_blobs_of("kept", &ready);
    let content = noise(3, 100_000);
    let session = berth.begin("kept");
    berth.patch(&session, &content[..60_000]).is(202);

    let lock = lock(&berth, "BEGIN IMMEDIATE");
    let refused: Vec<Answer> = thread::scope(|scope| {
        let (berth, ready, session, content) = (&berth, &ready, &session, &content);
        let blobs = (0..20).map(|number| {
            scope.spawn(move || {
                Acknowledged::default().blob(berth, "kept", &noise(100 + number, 1000))
            })
        });
        let mut pushes: Vec<_> = blobs.collect();
        pushes.push(scope.spawn(|| berth.patch(session, &content[60_000..])));
        pushes.push(
            scope.spawn(|| Acknowledged::default().manifest(berth, "kept", "refused", ready)),
        );
        acknowledged.is_all_there(berth);
        let answers = pushes.into_iter().map(|push| push.join().unwrap());
        answers.collect()
    });
    let pushes = refused.len();
    for answer in refused {
        answer.fails_with(500, "UNKNOWN");
    }
    acknowledged.is_all_there(&berth);
    assert_eq!(berth.get(&session).is(204).header("range"), "0-59999");

    drop(lock);
    berth.patch(&session, &content[60_000..]).is(202);
    let finish = format!("{session}?digest={}", digest(&content));
    berth.put(&finish, []).is(201);
    acknowledged.note_blob("kept", &content);
    acknowledged.manifest(&berth, "kept", "v2", &ready).is(201);
    acknowledged.is_all_there(&berth);
    berth.kill();
    let failures = berth.log().matches("a transaction failed").count();
    assert!((1..=pushes / 2).contains(&failures), "{failures}");
    let berth = berth.restart();
    acknowledged.is_all_there(&berth);
    berth
        .get("/v2/kept/manifests/refused")
        .fails_with(404, "MANIFEST_UNKNOWN");
}

/// A client sees nothing of a program that reads for long, though the log of the database cannot be written
/// back meanwhile.
#[test]
fn whoever_reads_for_long_holds_up_nobody() {
    let berth = Berth::start();
    let mut acknowledged = Acknowledged::default();
    acknowledged.image(&berth, "kept", "v1", &Image::new(1));
    let reader = open(&berth);
    reader.execute_batch("BEGIN").unwrap();
    let count = |database: &Database| {
        let query = "SELECT count(*) FROM manifests";
        database.query_row(query, [], |row| row.get::<_, i64>(0))
    };
    assert_eq!(count(&reader), Ok(1));
    for number in 2..30 {
        let image = Image::new(number);
        acknowledged.image(&berth, "kept", &format!("v{number}"), &image);
    }
    assert_eq!(count(&reader), Ok(1));
    let berth = acknowledged.survives_a_kill(berth);
    drop(reader);
    acknowledged.image(&berth, "kept", "last", &Image::new(30));
    acknowledged.survives_a_kill(berth);
}

/// Clients of a server that is started meanwhile see everything that was acknowledged before.
#[test]
fn a_server_starts_while_the_database_is_locked() {
    let berth = Berth::start();
    let mut acknowledged = Acknowledged::default();
    acknowledged.image(&berth, "kept", "v1", &Image::new(1));
    let lock = lock(&berth, "BEGIN IMMEDIATE");
    let berth = acknowledged.survives_a_kill(berth);
    drop(lock);
    acknowledged.image(&berth, "kept", "v2", &Image::new(2));
    acknowledged.survives_a_kill(berth);
}
