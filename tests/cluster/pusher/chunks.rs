use std::ops::Range;
use std::thread::sleep;
use std::time::{Duration, Instant};

use rand::RngExt;

use super::Pusher;
use crate::caller::{Request, Unanswered};
use crate::contents::Blob;

/// How long a session may be in the hands of a replica that was killed or stopped.
const PATIENCE: Duration = Duration::from_secs(25);

/// An upload in chunks.
struct Upload<'a> {
    session: String,
    blob: &'a Blob,
    bytes: Vec<u8>,
    /// How many bytes the registry has acknowledged.
    acknowledged: usize,
    /// How many bytes it may have.
    sent: usize,
    /// Whether it may be a blob already.
    may_be_finished: bool,
}

/// What became of a part of an upload.
enum Step {
    On,
    Done,
    Over,
}

impl Pusher<'_> {
    /// Pushes a blob in chunks, each to whatever replica the balancer takes, and goes on after chunks that were not answered.
    pub(super) fn push_in_chunks(&mut self, repository: &str, blob: &Blob) -> bool {
        let Some(session) = self.begin(repository) else {
            return false;
        };
        let mut upload = Upload {
            session,
            blob,
            bytes: blob.bytes(),
            acknowledged: 0,
            sent: 0,
            may_be_finished: false,
        };
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE {
            let step = match self.push_chunk(&mut upload) {
                Ok(step) => step,
                Err(Unanswered) => self.ask_how_far(repository, &mut upload),
            };
            match step {
                Step::On => {}
                Step::Done => return true,
                Step::Over => return false,
            }
        }
        false
    }

    fn push_chunk(&mut self, upload: &mut Upload<'_>) -> Result<Step, Unanswered> {
        let chunk = self.next_chunk(upload);
        let is_last = chunk.end == upload.bytes.len();
        let range = format!("{}-{}", chunk.start, chunk.end.saturating_sub(1));
        let with_range = [("content-range", range.as_str())];
        let (method, path) = match is_last {
            true => (
                "PUT",
                format!("{}?digest={}", upload.session, upload.blob.digest),
            ),
            false => ("PATCH", upload.session.clone()),
        };
        upload.sent = upload.sent.max(chunk.end);
        upload.may_be_finished |= is_last;
        let answer = self.caller.ask_for(
            PATIENCE,
            Request {
                method,
                path: &path,
                headers: if chunk.is_empty() { &[] } else { &with_range },
                body: &upload.bytes[chunk.clone()],
            },
        )?;
        match answer.status {
            201 if is_last => Ok(Step::Done),
            202 if !is_last => {
                upload.acknowledged = chunk.end;
                Ok(Step::On)
            }
            // Another replica is still at an earlier chunk, or is done with it only now.
            409 | 416 => {
                sleep(Duration::from_millis(200));
                Err(Unanswered)
            }
            404 if upload.may_be_finished => Ok(Step::Over),
            _ => {
                self.must_be(&answer, &[201, 202, 409, 416], &upload.session);
                Ok(Step::Over)
            }
        }
    }

    fn next_chunk(&mut self, upload: &Upload<'_>) -> Range<usize> {
        let (start, length) = (upload.acknowledged, upload.bytes.len());
        // One byte would look like none: both are `Range: 0-0`.
        let least = (start + 2).min(length);
        let end = match self.random.random_range(0..3) {
            0 => length,
            _ => self.random.random_range(least..=length),
        };
        start..end
    }

    /// Asks how many bytes an upload has, from where it then goes on.
    fn ask_how_far(&mut self, repository: &str, upload: &mut Upload<'_>) -> Step {
        let request = Request::new("GET", &upload.session);
        let Ok(answer) = self.caller.ask(request) else {
            return Step::On;
        };
        if answer.status == 404 && upload.may_be_finished {
            return match self.has(repository, upload.blob) {
                true => Step::Done,
                false => Step::Over,
            };
        }
        if !self.must_be(&answer, &[204], &upload.session) {
            return Step::Over;
        }
        let range = answer.header("range");
        let last: usize = range.split_once('-').unwrap().1.parse().unwrap();
        let offset = if last == 0 { 0 } else { last + 1 };
        if offset < upload.acknowledged || offset > upload.sent {
            let what = format!(
                "a session has {offset} bytes, of {} that were sent and {} that were acknowledged",
                upload.sent, upload.acknowledged
            );
            self.found(&upload.session, &what);
            return Step::Over;
        }
        self.counts.continued += 1;
        upload.acknowledged = offset;
        Step::On
    }
}
