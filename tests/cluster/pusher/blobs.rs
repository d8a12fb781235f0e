use rand::RngExt;

use super::Pusher;
use crate::caller::Request;
use crate::contents::Blob;
use crate::harness::Answer;

const LARGE: usize = 1_000_000;

impl Pusher<'_> {
    /// Sees to it that a repository has a blob, in one of the ways that clients do. `false` if nothing came of it.
    pub(super) fn provide(&mut self, repository: &str, blob: &Blob) -> bool {
        if self.random.random_range(0..4) > 0 && self.has(repository, blob) {
            return true;
        }
        // What is large, few send in one piece.
        let most = if blob.length > LARGE { 9 } else { 5 };
        match self.random.random_range(0..most) {
            0 => self.mount(repository, blob),
            1 | 2 => self.push_at_once(repository, blob),
            3 => self.push_in_two(repository, blob),
            _ => self.push_in_chunks(repository, blob),
        }
    }

    pub(super) fn has(&mut self, repository: &str, blob: &Blob) -> bool {
        let path = format!("/v2/{repository}/blobs/{}", blob.digest);
        let Ok(answer) = self.caller.ask(Request::new("HEAD", &path)) else {
            return false;
        };
        self.must_be(&answer, &[200, 404], &blob.digest);
        answer.status == 200
    }

    fn mount(&mut self, repository: &str, blob: &Blob) -> bool {
        let other = self.random.random_range(0..self.clients);
        let from = Self::repository_of(other);
        let digest = &blob.digest;
        let path = format!("/v2/{repository}/blobs/uploads/?mount={digest}&from={from}");
        let Ok(answer) = self.caller.ask(Request::new("POST", &path)) else {
            return false;
        };
        match answer.status {
            201 => {
                self.counts.mounted += 1;
                true
            }
            202 => self.finish(answer.header("location"), blob),
            _ => self.must_be(&answer, &[201, 202], digest),
        }
    }

    fn push_at_once(&mut self, repository: &str, blob: &Blob) -> bool {
        let path = format!("/v2/{repository}/blobs/uploads/?digest={}", blob.digest);
        let answer = self.caller.ask(Request {
            body: &blob.bytes(),
            ..Request::new("POST", &path)
        });
        answer.is_ok_and(|answer| self.must_be(&answer, &[201], &blob.digest))
    }

    fn push_in_two(&mut self, repository: &str, blob: &Blob) -> bool {
        match self.begin(repository) {
            Some(session) => self.finish(&session, blob),
            None => false,
        }
    }

    /// Begins an upload session, and answers its path.
    pub(super) fn begin(&mut self, repository: &str) -> Option<String> {
        let path = format!("/v2/{repository}/blobs/uploads/");
        let answer = self.caller.ask(Request::new("POST", &path)).ok()?;
        let is_begun = self.must_be(&answer, &[202], &path);
        is_begun.then(|| answer.header("location").to_owned())
    }

    /// Sends a blob whole to a session that has nothing of it.
    fn finish(&mut self, session: &str, blob: &Blob) -> bool {
        let path = format!("{session}?digest={}", blob.digest);
        let answer = self.caller.ask(Request {
            body: &blob.bytes(),
            ..Request::new("PUT", &path)
        });
        answer.is_ok_and(|answer| self.must_be(&answer, &[201], session))
    }

    /// Whether an answer has one of these statuses. Any other is wrong.
    pub(super) fn must_be(&mut self, answer: &Answer, statuses: &[u16], part: &str) -> bool {
        let is_right = statuses.contains(&answer.status);
        if !is_right {
            let what = format!(
                "{} instead of {statuses:?}: {}",
                answer.status,
                answer.text()
            );
            self.found(part, &what);
        }
        is_right
    }
}
