use rand::seq::IteratorRandom;

use super::Pusher;
use crate::caller::{Request, Unanswered};
use crate::contents::Blob;
use crate::harness::{Answer, digest};
use crate::ledger::{Manifest, Name, State};

impl Pusher<'_> {
    /// Pulls a manifest that is there, by a tag or by its digest, and all its blobs.
    pub(super) fn pull(&mut self) {
        self.pull_a_tag();
        let is_there = |_: &Name, it: &Manifest| it.state == State::There;
        let Some(name) = self.ledger.some(&mut self.random, is_there) else {
            return;
        };
        let manifest = self.ledger.manifests[&name].clone();
        let Ok(answer) = self.get(&name.path()) else {
            return;
        };
        if self.must_be(&answer, &[200], &name.reference) && answer.body != manifest.bytes {
            self.found(&name.reference, &format!("{name:?} has other bytes"));
        }
        for blob in &manifest.blobs {
            self.pull_blob(&name, blob);
        }
        self.counts.pulled += 1;
    }

    fn pull_blob(&mut self, needed_by: &Name, blob: &Blob) {
        let path = format!("/v2/{}/blobs/{}", needed_by.repository, blob.digest);
        let Ok(answer) = self.get(&path) else { return };
        if self.must_be(&answer, &[200], &blob.digest) && digest(&answer.body) != blob.digest {
            self.found(&blob.digest, &format!("{path} has other bytes"));
        }
    }

    fn pull_a_tag(&mut self) {
        let name = self.ledger.tags.keys().choose(&mut self.random);
        let Some(name) = name.cloned() else { return };
        let Ok(answer) = self.get(&name.path()) else {
            return;
        };
        if !self.must_be(&answer, &[200, 404], &name.path()) {
            return;
        }
        let found = (answer.status == 200).then(|| digest(&answer.body));
        let tag = &self.ledger.tags[&name];
        if !tag.may_be(&found) {
            let what = format!("{name:?} leads to {found:?}, and should be {tag:?}");
            self.found(&name.path(), &what);
        }
    }

    /// Looks for a manifest that was deleted.
    pub(super) fn pull_deleted(&mut self) {
        let is_gone = |_: &Name, it: &Manifest| it.state == State::Gone;
        let Some(name) = self.ledger.some(&mut self.random, is_gone) else {
            return;
        };
        if let Ok(answer) = self.get(&name.path()) {
            self.must_be(&answer, &[404], &name.reference);
        }
    }

    fn get(&mut self, path: &str) -> Result<Answer, Unanswered> {
        self.caller.ask(Request::new("GET", path))
    }
}
