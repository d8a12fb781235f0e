//! The lines that `strace -f -y -o FILE` writes.

use std::collections::HashMap;

use super::calls::{Act, Call};

/// How a line ends that was broken off because another thread had something to tell.
const UNFINISHED: &str = " <unfinished ...>";

/// The successful calls of a trace that matter for durability, in the order in which they ended.
pub(super) fn calls(trace: &str) -> Vec<Call> {
    let mut unfinished = HashMap::new();
    let mut calls = Vec::new();
    for (line, text) in (1..).zip(trace.lines()) {
        let Some((thread, text)) = text.split_once(' ') else {
            continue;
        };
        let text = text.trim_start();
        if let Some(start) = text.strip_suffix(UNFINISHED) {
            unfinished.insert(thread, (line, start));
            continue;
        }
        let (began, text) = match rest(text) {
            None => (line, text.to_owned()),
            Some(rest) => match unfinished.remove(thread) {
                Some((began, start)) => (began, format!("{start}{rest}")),
                None => continue,
            },
        };
        calls.extend(Act::read(&text).map(|act| Call {
            began,
            ended: line,
            act,
        }));
    }
    calls
}

/// Whether a trace tells of the end of a process, which comes after the ends of all its threads.
pub(super) fn has_end_of(process: u32, trace: &str) -> bool {
    let process = process.to_string();
    trace.lines().any(|line| {
        let mut words = line.split_whitespace();
        words.next() == Some(&process) && words.next() == Some("+++")
    })
}

/// `<... fsync resumed>) = 0`: what follows the part that was broken off.
fn rest(text: &str) -> Option<&str> {
    let (_, rest) = text.strip_prefix("<... ")?.split_once(" resumed>")?;
    Some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_that_was_broken_off_began_where_it_was_and_ended_where_it_resumed() {
        let calls = calls(
            "7   fdatasync(9</d/a> <unfinished ...>\n\
             815 fsync(10</d>)                = 0\n\
             7   <... fdatasync resumed>)     = 0\n\
             815 +++ exited with 0 +++\n",
        );
        let found: Vec<_> = calls
            .iter()
            .map(|call| (call.began, call.ended, &call.act))
            .collect();
        assert_eq!(
            found,
            [
                (2, 2, &Act::Sync("/d".to_owned())),
                (1, 3, &Act::Sync("/d/a".to_owned())),
            ]
        );
    }

    #[test]
    fn a_call_that_never_ended_is_none() {
        assert!(
            calls("7 fdatasync(9</d/a> <unfinished ...>\n7 +++ killed by SIGKILL +++\n").is_empty()
        );
        assert!(calls("7 fdatasync(9</d/a> <unfinished ...>) = ?\n").is_empty());
        assert!(calls("7 <... fdatasync resumed>) = 0\n").is_empty());
        assert!(calls("7\n\n").is_empty());
    }

    #[test]
    fn the_end_of_a_process_is_found_however_its_number_is_padded() {
        assert!(has_end_of(
            7,
            "17 +++ exited with 0 +++\n7     +++ exited with 0 +++\n"
        ));
        assert!(has_end_of(12345, "12345 +++ killed by SIGTERM +++\n"));
        assert!(!has_end_of(
            7,
            "17 +++ exited with 0 +++\n7     fsync(5</d>) = 0\n"
        ));
    }
}
