//! Logs of other processes: this program, started once more to do one of the tests alone.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use berth_audit::{AuditLog, Settings};
use serde_json::Value;

use crate::{lines, lost, numbered, numbers};

/// Where the other process is to write; it is this process if there is such a variable.
const VARIABLE: &str = "AUDIT_LOG_OF_TEST";

fn path_of_child() -> Option<PathBuf> {
    std::env::var_os(VARIABLE).map(PathBuf::from)
}

/// This program, to do one test, by a shell that does something before.
fn child(before: &str, test: &str, path: &Path) -> Command {
    let program = std::env::current_exe().unwrap();
    let mut command = Command::new("sh");
    command
        .args(["-c", &format!("{before} exec \"$0\" \"$@\"")])
        .arg(program)
        .args(["--exact", test, "--nocapture"])
        .env(VARIABLE, path);
    command
}

#[test]
fn a_killed_process_has_written_what_it_says_it_has() {
    const SYNCED: usize = 1000;
    if let Some(path) = path_of_child() {
        let (log, _thread) = AuditLog::open(&path, Settings::default()).unwrap();
        for number in 0..SYNCED {
            log.record_now(&numbered("a", number));
        }
        assert!(log.sync());
        println!("\nsynced");
        for number in SYNCED.. {
            log.record_now(&numbered("a", number));
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    let test = "processes::a_killed_process_has_written_what_it_says_it_has";
    let mut process = child("", test, &path)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let said = BufReader::new(process.stdout.take().unwrap());
    assert!(said.lines().any(|line| line.unwrap() == "synced"));
    process.kill().unwrap();
    process.wait().unwrap();
    // The kernel may end in the middle of a write that goes to two pages; every other line is whole.
    let text = fs::read_to_string(&path).unwrap();
    let (whole, _) = text.rsplit_once('\n').unwrap();
    fs::write(&path, format!("{whole}\n")).unwrap();
    let lines = lines(&path);
    let numbers = numbers(&lines, "a");
    assert!(numbers.len() >= SYNCED, "{}", numbers.len());
    assert!(numbers.into_iter().take(SYNCED).eq(0..SYNCED));
}

/// A limit on the size of files cuts a write short, as the end of a disk does.
#[test]
fn a_write_that_was_cut_short_is_told_and_spoils_no_other_line() {
    const LINES: usize = 100;
    if let Some(path) = path_of_child() {
        let (log, thread) = AuditLog::open(&path, Settings::default()).unwrap();
        for number in 0..LINES {
            log.record_now(&numbered("a", number));
        }
        assert!(!log.sync());
        fs::rename(&path, path.with_extension("full")).unwrap();
        log.record_now(&numbered("a", LINES));
        assert!(log.sync());
        drop(thread);
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    let test = "processes::a_write_that_was_cut_short_is_told_and_spoils_no_other_line";
    let limited = child("trap '' XFSZ; ulimit -f 2 &&", test, &path).output();
    let limited = limited.unwrap();
    assert!(limited.status.success(), "{limited:?}");

    let full = path.with_extension("full");
    let text = fs::read_to_string(&full).unwrap();
    let (whole, torn) = text.rsplit_once('\n').unwrap();
    assert!(serde_json::from_str::<Value>(torn).is_err(), "{torn}");
    let kept = whole.lines().count();
    let new = lines(&path);
    assert_eq!(new[0]["event"], "lines_lost");
    assert_eq!(lost(&new) + kept, LINES);
    assert_eq!(numbers(&new, "a"), [LINES]);

    // Where the file is the same, the next line stands alone.
    let (log, thread) = AuditLog::open(&full, Settings::default()).unwrap();
    log.record_now(&numbered("a", kept));
    drop(thread);
    fs::write(
        &full,
        fs::read_to_string(&full)
            .unwrap()
            .replace(&format!("{torn}\n"), ""),
    )
    .unwrap();
    assert!(numbers(&lines(&full), "a").into_iter().eq(0..=kept));
}

#[test]
fn two_processes_write_whole_lines_to_one_file() {
    const LINES: usize = 2000;
    if let Some(path) = path_of_child() {
        let (log, thread) = AuditLog::open(&path, Settings::default()).unwrap();
        for number in 0..LINES {
            log.record_now(&numbered("child", number));
        }
        drop(thread);
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    let test = "processes::two_processes_write_whole_lines_to_one_file";
    let process = child("", test, &path).stdout(Stdio::null()).spawn();
    let (log, thread) = AuditLog::open(&path, Settings::default()).unwrap();
    for number in 0..LINES {
        log.record_now(&numbered("parent", number));
    }
    drop(thread);
    assert!(process.unwrap().wait().unwrap().success());
    let lines = lines(&path);
    for writer in ["parent", "child"] {
        assert!(numbers(&lines, writer).into_iter().eq(0..LINES), "{writer}");
    }
}
