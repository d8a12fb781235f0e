//! The clock of the machine jumps, as when its battery was empty and the network then tells the time.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;

use crate::acknowledged::Acknowledged;
use crate::harness::{Berth, Connection, Image, Push, digest, noise, wait_until};

const DAY: i64 = 24 * 60 * 60;
const YEAR: i64 = 365 * DAY;

/// The clock that a process sees.
struct Clock(TempDir);

impl Clock {
    fn new() -> Self {
        let clock = Self(tempfile::tempdir().unwrap());
        clock.jump_to(0);
        clock
    }

    fn file(&self) -> PathBuf {
        self.0.path().join("clock")
    }

    /// Sets it so many seconds after what it really is.
    fn jump_to(&self, seconds: i64) {
        // At once: the process reads it all the time.
        let new = self.0.path().join("new");
        fs::write(&new, format!("{seconds:+}\n")).unwrap();
        fs::rename(&new, self.file()).unwrap();
    }

    /// Serves a new folder with this clock. What measures how much time has passed is not part of it:
    /// that does not jump on a real machine.
    fn start(&self, options: &[&str]) -> Berth {
        let library = Command::new("faketime")
            .args(["-m", "-f", "+0", "printenv", "LD_PRELOAD"])
            .output();
        let library = library.expect("faketime is missing: cargo xtask setup installs it");
        let library = String::from_utf8(library.stdout).unwrap();
        let wrapper = [
            "env".to_owned(),
            format!("LD_PRELOAD={}", library.trim()),
            format!("FAKETIME_TIMESTAMP_FILE={}", self.file().display()),
            "FAKETIME_NO_CACHE=1".to_owned(),
            "FAKETIME_DONT_FAKE_MONOTONIC=1".to_owned(),
            "DONT_FAKE_MONOTONIC=1".to_owned(),
            "NO_FAKE_STAT=1".to_owned(),
        ];
        let wrapper: Vec<&str> = wrapper.iter().map(String::as_str).collect();
        Berth::start_under(&wrapper, options)
    }
}

/// A client sees: an upload session that nobody uses has expired when the clock jumps ahead of its end, an
/// upload under way is not disturbed, and everything else goes on. Nothing acknowledged is lost.
#[test]
fn a_jump_ahead_ends_idle_sessions_and_nothing_else() {
    let clock = Clock::new();
    let berth = clock.start(&[]);
    let mut acknowledged = Acknowledged::default();
    acknowledged.image(&berth, "kept", "v1", &Image::new(1));
    let idle = berth.begin("kept");
    berth.patch(&idle, noise(2, 1000)).is(202);
    let content = noise(3, 400_000);
    let session = berth.begin("kept");
    let mut under_way = Connection::open(&berth);
    let length = content.len().to_string();
    under_way.head(
        &format!("PATCH {session}"),
        &[("Content-Length", &length), ("Expect", "100-continue")],
    );
    assert_eq!(under_way.answer_head().0, 100);
    under_way.write(&content[..200_000]);

    clock.jump_to(YEAR);
    berth.get(&idle).fails_with(404, "BLOB_UPLOAD_UNKNOWN");
    under_way.write(&content[200_000..]);
    assert_eq!(under_way.answer().0, 202);
    let finish = format!("{session}?digest={}", digest(&content));
    berth.put(&finish, []).is(201);
    acknowledged.note_blob("kept", &content);
    acknowledged.image(&berth, "kept", "a-year-later", &Image::new(4));
    acknowledged.is_all_there(&berth);
    acknowledged.survives_a_kill(berth);
}

/// A client sees nothing of a jump back: pushes, pulls and uploads go on, those too that were begun in what
/// is the future now. Nothing acknowledged is lost, also if the server is started with a clock that is
/// behind what it has stored.
#[test]
fn a_jump_back_disturbs_nothing() {
    let clock = Clock::new();
    let berth = clock.start(&[]);
    let mut acknowledged = Acknowledged::default();
    acknowledged.image(&berth, "kept", "v1", &Image::new(1));
    let content = noise(2, 300_000);
    let session = berth.begin("kept");
    berth.patch(&session, &content[..100_000]).is(202);

    clock.jump_to(-YEAR);
    berth.patch(&session, &content[100_000..200_000]).is(202);
    acknowledged.image(&berth, "kept", "a-year-before", &Image::new(3));
    acknowledged.is_all_there(&berth);
    clock.jump_to(-40 * YEAR);
    let berth = acknowledged.survives_a_kill(berth);
    assert_eq!(berth.get(&session).is(204).header("range"), "0-199999");
    let finish = format!("{session}?digest={}", digest(&content));
    berth.put(&finish, &content[200_000..]).is(201);
    acknowledged.note_blob("kept", &content);
    acknowledged.image(&berth, "kept", "long-before", &Image::new(4));
    clock.jump_to(0);
    acknowledged.is_all_there(&berth);
    acknowledged.survives_a_kill(berth);
}

/// A client that stalls sees its connection closed, whatever the clock says.
#[test]
fn a_jump_back_keeps_no_connection_alive() {
    let clock = Clock::new();
    let berth = clock.start(&["--header-timeout", "1s"]);
    let mut unfinished = Connection::open(&berth);
    unfinished.write("GET /v2/ HTTP/1.1\r\nHo");
    let mut idle = Connection::open(&berth);
    idle.head("GET /v2/", &[]);
    assert_eq!(idle.answer().0, 200);
    clock.jump_to(-YEAR);
    assert!(idle.is_closed());
    let rest = unfinished.rest();
    assert!(
        rest.is_empty() || rest.starts_with("HTTP/1.1 408"),
        "{rest}"
    );
    let mut late = Connection::open(&berth);
    late.head("GET /v2/", &[]);
    assert_eq!(late.answer().0, 200);
    assert!(late.is_closed());
}

/// What expired sessions hold is still removed after the clock went back and forth.
#[test]
fn sessions_expire_after_jumps() {
    let clock = Clock::new();
    let berth = clock.start(&[]);
    let mut acknowledged = Acknowledged::default();
    acknowledged.image(&berth, "kept", "v1", &Image::new(1));
    let session = berth.begin("kept");
    berth.patch(&session, noise(2, 1000)).is(202);
    let staged = berth
        .data()
        .join("uploads")
        .join(session.rsplit('/').next().unwrap());
    assert!(staged.exists());
    for jump in [-YEAR, YEAR, -40 * YEAR, 2 * DAY] {
        clock.jump_to(jump);
        acknowledged.is_all_there(&berth);
    }
    berth.get(&session).fails_with(404, "BLOB_UPLOAD_UNKNOWN");
    // The server looks once a minute.
    wait_until("its bytes are removed", || !staged.exists());
    acknowledged.is_all_there(&berth);
}
