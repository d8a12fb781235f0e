//! The audit log as whoever reads it sees it.
#![allow(clippy::unwrap_used)]

mod failures;
mod processes;
mod rotation;

use std::fs;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use berth_audit::{AuditLog, Event, Outcome, Record, Settings};
use serde_json::Value;

const REQUIRED: Settings = Settings { is_required: true };

/// A record that can be told from others.
fn numbered(writer: &str, number: usize) -> Record {
    Record {
        subject: Some(writer.into()),
        request_id: Some(number.to_string().into()),
        ..Record::new(Event::PushBlob, Outcome::Done)
    }
}

fn lines(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).unwrap();
    assert!(text.is_empty() || text.ends_with('\n'), "{text}");
    let parse = |line| serde_json::from_str(line).unwrap();
    let lines = text.lines().filter(|line| !line.is_empty());
    lines.map(parse).collect()
}

/// The numbers of the lines of one writer.
fn numbers(lines: &[Value], writer: &str) -> Vec<usize> {
    let is_of = |line: &&Value| line["subject"] == writer;
    let number = |line: &Value| line["request_id"].as_str().unwrap().parse().unwrap();
    lines.iter().filter(is_of).map(number).collect()
}

/// How many lines the others say are lost.
fn lost(lines: &[Value]) -> usize {
    let is_loss = |line: &&Value| line["event"] == "lines_lost";
    let count = |line: &Value| line["lost"].as_u64().unwrap() as usize;
    lines.iter().filter(is_loss).map(count).sum()
}

fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < Duration::from_secs(20), "never {what}");
        sleep(Duration::from_millis(10));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_tasks_write_whole_lines_each_in_its_order() {
    const WRITERS: usize = 8;
    const LINES: usize = 500;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    let (log, thread) = AuditLog::open(&path, REQUIRED).unwrap();
    let write = |writer: usize| {
        let log = log.clone();
        tokio::spawn(async move {
            for number in 0..LINES {
                log.record(numbered(&writer.to_string(), number)).await;
            }
        })
    };
    let tasks: Vec<_> = (0..WRITERS).map(write).collect();
    for task in tasks {
        task.await.unwrap();
    }
    assert!(
        tokio::task::spawn_blocking(move || log.sync())
            .await
            .unwrap()
    );
    let lines = lines(&path);
    assert_eq!(lines.len(), WRITERS * LINES);
    for writer in 0..WRITERS {
        let numbers = numbers(&lines, &writer.to_string());
        assert!(numbers.into_iter().eq(0..LINES));
    }
    drop(thread);
}

#[test]
fn the_end_waits_for_what_was_handed_over_and_a_new_log_goes_on_after_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    for start in [0, 1000] {
        let (log, thread) = AuditLog::open(&path, Settings::default()).unwrap();
        for number in start..start + 1000 {
            log.record_now(&numbered("a", number));
        }
        drop(thread);
    }
    assert!(numbers(&lines(&path), "a").into_iter().eq(0..2000));
}

#[test]
fn only_the_owner_may_read_a_new_file() {
    use std::os::unix::fs::PermissionsExt;

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    let (_log, thread) = AuditLog::open(&path, Settings::default()).unwrap();
    let mode = fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    drop(thread);
}

#[test]
fn a_log_that_cannot_be_opened_says_which_and_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("missing/audit.jsonl");
    let error = AuditLog::open(&path, Settings::default()).unwrap_err();
    let message = error.to_string();
    assert!(message.contains("missing/audit.jsonl"), "{message}");
    assert!(message.contains("its folder must be there"), "{message}");
}

#[test]
fn a_line_that_was_cut_by_a_crash_does_not_spoil_the_next_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    fs::write(&path, "{\"event\":\"push_b").unwrap();
    let (log, thread) = AuditLog::open(&path, Settings::default()).unwrap();
    log.record_now(&numbered("a", 0));
    log.record_now(&numbered("a", 1));
    drop(thread);
    let text = fs::read_to_string(&path).unwrap();
    let (torn, rest) = text.split_once('\n').unwrap();
    assert_eq!(torn, "{\"event\":\"push_b");
    fs::write(&path, rest).unwrap();
    assert_eq!(numbers(&lines(&path), "a"), [0, 1]);
}

/// From outside it cannot be seen whether a file was synced, but that it is said to be, and by when lines are written.
#[test]
fn lines_are_there_soon_without_being_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    let (log, thread) = AuditLog::open(&path, Settings::default()).unwrap();
    log.record_now(&numbered("a", 0));
    wait_until("written", || numbers(&lines(&path), "a") == [0]);
    assert!(log.sync());
    drop(thread);
    assert!(!log.sync(), "nobody is there any more");
}
