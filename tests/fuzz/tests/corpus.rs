//! Every input that is kept, and every input that once failed, checked without libFuzzer.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};

use berth_fuzz::TARGETS;

#[test]
fn what_must_hold_holds_for_every_kept_input() {
    for (target, property) in TARGETS {
        let kept = files(&folder("corpus").join(target));
        assert!(!kept.is_empty(), "{target} has no corpus");
        for file in kept {
            check(&file, property);
        }
    }
}

#[test]
fn what_once_failed_does_not_fail_again() {
    for (target, property) in TARGETS {
        for file in files(&folder("regressions").join(target)) {
            check(&file, property);
        }
    }
}

/// Shown when the property does not hold.
fn check(file: &Path, property: fn(&[u8])) {
    println!("{}", file.display());
    property(&fs::read(file).unwrap());
}

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// None where there is no such folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten();
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}
