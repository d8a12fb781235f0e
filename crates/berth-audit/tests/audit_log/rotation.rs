use std::fs;

use berth_audit::{AuditLog, Settings};

use crate::{lines, numbered, numbers, wait_until};

#[test]
fn after_a_rename_lines_go_to_a_new_file_and_none_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    let (log, thread) = AuditLog::open(&path, Settings::default()).unwrap();
    let mut number = 0;
    for turn in 0..5 {
        for _ in 0..100 {
            log.record_now(&numbered("a", number));
            number += 1;
        }
        // The file may not have all of them yet: they go to it, or to the next one.
        fs::rename(&path, folder.path().join(turn.to_string())).unwrap();
        wait_until("a new file", || path.exists());
    }
    drop(thread);
    let files = (0..5).map(|turn| folder.path().join(turn.to_string()));
    let all = files.chain([path]).flat_map(|file| lines(&file));
    let all: Vec<_> = all.collect();
    assert!(numbers(&all, "a").into_iter().eq(0..number));
}

#[test]
fn a_line_after_the_rename_is_in_the_new_file() {
    let folder = tempfile::tempdir().unwrap();
    let (path, old) = (folder.path().join("audit.jsonl"), folder.path().join("old"));
    let (log, thread) = AuditLog::open(&path, Settings::default()).unwrap();
    log.record_now(&numbered("a", 0));
    assert!(log.sync());
    fs::rename(&path, &old).unwrap();
    log.record_now(&numbered("a", 1));
    assert!(log.sync());
    assert_eq!(numbers(&lines(&old), "a"), [0]);
    assert_eq!(numbers(&lines(&path), "a"), [1]);
    fs::remove_file(&path).unwrap();
    log.record_now(&numbered("a", 2));
    assert!(log.sync());
    assert_eq!(numbers(&lines(&path), "a"), [2]);
    drop(thread);
}

#[test]
fn a_file_that_was_cut_to_nothing_is_written_from_its_start() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    let (log, thread) = AuditLog::open(&path, Settings::default()).unwrap();
    log.record_now(&numbered("a", 0));
    assert!(log.sync());
    fs::write(&path, "").unwrap();
    log.record_now(&numbered("a", 1));
    drop(thread);
    assert_eq!(numbers(&lines(&path), "a"), [1]);
}

#[test]
fn a_log_can_be_reopened_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let (path, old) = (folder.path().join("audit.jsonl"), folder.path().join("old"));
    let (log, thread) = AuditLog::open(&path, Settings::default()).unwrap();
    fs::rename(&path, old).unwrap();
    log.reopen();
    assert!(log.sync());
    assert!(path.exists());
    drop(thread);
}

#[test]
fn where_there_cannot_be_a_new_file_the_old_one_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let (logs, moved) = (folder.path().join("logs"), folder.path().join("moved"));
    fs::create_dir(&logs).unwrap();
    let path = logs.join("audit.jsonl");
    let (log, thread) = AuditLog::open(&path, Settings::default()).unwrap();
    fs::rename(&logs, &moved).unwrap();
    log.record_now(&numbered("a", 0));
    assert!(log.sync());
    assert_eq!(numbers(&lines(&moved.join("audit.jsonl")), "a"), [0]);
    fs::create_dir(&logs).unwrap();
    log.record_now(&numbered("a", 1));
    assert!(log.sync());
    assert_eq!(numbers(&lines(&path), "a"), [1]);
    drop(thread);
}
