use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use berth_audit::{AuditLog, Event, Outcome, Record, Settings, Unwritable};
use rustix::fs::{CWD, Mode, mkfifoat};
use serde_json::Value;

use crate::{REQUIRED, lines, lost, numbered, numbers, wait_until};

/// Gives a name to another file at once, as `rename` does.
fn replace(path: &Path, new: &Path) {
    fs::rename(new, path).unwrap();
}

#[cfg(target_os = "linux")]
#[test]
fn what_a_full_disk_loses_is_counted_and_told_when_there_is_room() {
    let folder = tempfile::tempdir().unwrap();
    let (path, room) = (
        folder.path().join("audit.jsonl"),
        folder.path().join("room"),
    );
    symlink("/dev/full", &path).unwrap();
    let (log, thread) = AuditLog::open(&path, Settings::default()).unwrap();
    for number in 0..10 {
        log.record_now(&numbered("a", number));
    }
    assert!(!log.sync());
    File::create(&room).unwrap();
    replace(&path, &room);
    log.record_now(&numbered("a", 10));
    assert!(log.sync());
    let lines = lines(&path);
    assert_eq!(lines[0]["event"], "lines_lost");
    assert_eq!(lost(&lines), 10);
    assert_eq!(numbers(&lines, "a"), [10]);
    assert_eq!(lines.len(), 2);
    drop(thread);
}

#[cfg(target_os = "linux")]
#[test]
fn changes_are_refused_while_a_required_log_cannot_be_written() {
    let folder = tempfile::tempdir().unwrap();
    let (path, full) = (
        folder.path().join("audit.jsonl"),
        folder.path().join("full"),
    );
    let (required, thread) = AuditLog::open(&path, REQUIRED).unwrap();
    assert_eq!(required.check(), Ok(()));
    symlink("/dev/full", &full).unwrap();
    replace(&path, &full);
    required.record_now(&numbered("a", 0));
    assert!(!required.sync());
    assert_eq!(required.check(), Err(Unwritable));
    // Nobody hands over a record meanwhile: it finds out by itself that it works again.
    fs::remove_file(&path).unwrap();
    wait_until("written again", || required.check().is_ok());
    assert_eq!(lost(&lines(&path)), 1);
    drop(thread);
}

#[cfg(target_os = "linux")]
#[test]
fn changes_go_on_without_a_log_that_is_not_required() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    symlink("/dev/full", &path).unwrap();
    let (log, thread) = AuditLog::open(&path, Settings::default()).unwrap();
    log.record_now(&numbered("a", 0));
    assert!(!log.sync());
    assert_eq!(log.check(), Ok(()));
    drop(thread);
}

/// A pipe that nobody reads stops the thread in the middle of a write, as a disk that hangs does.
#[tokio::test]
async fn a_disk_that_hangs_stops_nobody_for_long_and_loses_only_what_is_counted() {
    const LINES: usize = 10_000;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    mkfifoat(CWD, &path, Mode::RUSR | Mode::WUSR).unwrap();
    let (log, thread) = AuditLog::open(&path, REQUIRED).unwrap();
    // Opened for both, it does not wait for a writer.
    let pipe = OpenOptions::new()
        .read(true)
        .write(true)
        .open(&path)
        .unwrap();
    for number in 0..LINES - 2 {
        log.record_now(&numbered("a", number));
    }
    assert_eq!(log.check(), Err(Unwritable));
    // Whoever does not wait to the end is counted as well.
    let given_up = log.record(numbered("a", LINES - 2));
    let given_up = tokio::time::timeout(Duration::from_millis(50), given_up).await;
    assert!(given_up.is_err());
    let begun = Instant::now();
    log.record(numbered("a", LINES - 1)).await;
    let waited = begun.elapsed();
    assert!(waited >= Duration::from_millis(900), "{waited:?}");
    assert!(waited < Duration::from_secs(10), "{waited:?}");

    let (sender, received) = mpsc::channel::<Value>();
    thread::spawn(move || {
        for line in BufReader::new(pipe).lines() {
            let line = serde_json::from_str(&line.unwrap()).unwrap();
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    let mut lines = Vec::new();
    while lost(&lines) == 0 {
        lines.push(received.recv_timeout(Duration::from_secs(20)).unwrap());
    }
    wait_until("written again", || log.check().is_ok());
    log.record(numbered("a", LINES)).await;
    drop(thread);
    // All lines that had room, in order, and the one after the loss.
    while let Ok(line) = received.recv_timeout(Duration::from_secs(1)) {
        lines.push(line);
    }
    let mut numbers = numbers(&lines, "a");
    assert_eq!(numbers.pop(), Some(LINES));
    assert!(numbers.len() > 4096, "{}", numbers.len());
    assert_eq!(numbers.len() + lost(&lines), LINES);
    assert!(numbers.into_iter().eq(0..LINES - lost(&lines)));
}

/// Strangers can cause as many refusals as they like.
#[test]
fn refusals_that_find_no_room_keep_no_change_out_and_forbid_none() {
    const REFUSALS: usize = 10_000;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    mkfifoat(CWD, &path, Mode::RUSR | Mode::WUSR).unwrap();
    let (log, thread) = AuditLog::open(&path, REQUIRED).unwrap();
    let pipe = OpenOptions::new()
        .read(true)
        .write(true)
        .open(&path)
        .unwrap();
    for _ in 0..REFUSALS {
        log.record_now(&Record::new(Event::LoginRefused, Outcome::Refused));
    }
    assert_eq!(log.check(), Ok(()));
    for number in 0..4000 {
        log.record_now(&numbered("a", number));
    }
    assert_eq!(log.check(), Ok(()));

    let (sender, received) = mpsc::channel::<Value>();
    thread::spawn(move || {
        for line in BufReader::new(pipe).lines() {
            let line = serde_json::from_str(&line.unwrap()).unwrap();
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    drop(thread);
    let mut lines = Vec::new();
    while let Ok(line) = received.recv_timeout(Duration::from_secs(1)) {
        lines.push(line);
    }
    assert!(numbers(&lines, "a").into_iter().eq(0..4000));
    let refused = lines.len() - 4000 - 1;
    assert!(refused > 1000, "{refused}");
    assert_eq!(refused + lost(&lines), REFUSALS);
}
