use rand::seq::IteratorRandom;

use super::Pusher;
use crate::caller::Request;
use crate::ledger::{Manifest, Name, State};

impl Pusher<'_> {
    /// Deletes a manifest, unless an index needs it.
    pub(super) fn delete_manifest(&mut self) {
        let ledger = &self.ledger;
        let is_wanted = |name: &Name, it: &Manifest| {
            it.state == State::There && it.is_settled && !ledger.has_parent(name)
        };
        let Some(name) = ledger.some(&mut self.random, is_wanted) else {
            return;
        };
        match self.caller.ask(Request::new("DELETE", &name.path())) {
            Ok(answer) => {
                if self.must_be(&answer, &[202], &name.reference) {
                    self.ledger.deleted(&name);
                    self.counts.deleted += 1;
                }
            }
            Err(_) => self.ledger.may_be_deleted(&name),
        }
        self.give_up_doubtful_tags();
    }

    /// Deletes a tag.
    pub(super) fn delete_tag(&mut self) {
        let is_there = |tag: &&Name| {
            let state = &self.ledger.tags[*tag];
            state.acknowledged.is_some() && state.possible.is_empty()
        };
        let tags = self.ledger.tags.keys().filter(is_there);
        let Some(name) = tags.choose(&mut self.random).cloned() else {
            return;
        };
        let answer = self.caller.ask(Request::new("DELETE", &name.path()));
        let is_deleted = answer.map(|answer| self.must_be(&answer, &[202], &name.path()));
        let tag = self.ledger.tags.get_mut(&name).unwrap();
        match is_deleted {
            Ok(true) => tag.acknowledged = None,
            Ok(false) => {}
            Err(_) => {
                tag.possible.insert(None);
            }
        }
        self.give_up_doubtful_tags();
    }
}
