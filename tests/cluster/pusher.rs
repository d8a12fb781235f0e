//! A client that pushes, deletes and pulls, and notes what it was answered.

mod blobs;
mod chunks;
mod deletions;
mod images;
mod pulls;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::caller::Caller;
use crate::contents::Layers;
use crate::ledger::{Ledger, Name, State};

/// The repository that all clients push to, beside their own.
const SHARED: &str = "cluster/shared";

/// How many manifests a client leaves there: so few that blobs become garbage.
const KEPT: usize = 12;

/// Tags that are moved again and again.
const TAGS: u32 = 4;

pub(crate) struct Pusher<'a> {
    number: u64,
    clients: u64,
    layers: &'a Layers,
    random: StdRng,
    caller: Caller,
    ledger: Ledger,
    /// How often the name of a tag was given up.
    given_up: BTreeMap<(String, u32), u32>,
    images: u32,
    counts: Counts,
    findings: Vec<String>,
}

/// How often something happened.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    pub(crate) pushed: usize,
    /// A blob was collected between its push and that of the manifest.
    pub(crate) refused: usize,
    /// Nothing came of a push.
    pub(crate) given_up: usize,
    pub(crate) mounted: usize,
    /// An upload went on after a chunk was not taken.
    pub(crate) continued: usize,
    pub(crate) deleted: usize,
    pub(crate) pulled: usize,
}

impl Counts {
    pub(crate) fn include(&mut self, others: Self) {
        self.pushed += others.pushed;
        self.refused += others.refused;
        self.given_up += others.given_up;
        self.mounted += others.mounted;
        self.continued += others.continued;
        self.deleted += others.deleted;
        self.pulled += others.pulled;
    }
}

/// What a client leaves.
pub(crate) struct Outcome {
    pub(crate) ledger: Ledger,
    pub(crate) counts: Counts,
    /// What was wrong, with what led to it.
    pub(crate) findings: Vec<String>,
    pub(crate) failures: BTreeMap<String, usize>,
    /// All its requests, and what became of them.
    pub(crate) history: Vec<String>,
}

impl<'a> Pusher<'a> {
    /// One of so many clients, whose requests go to an address.
    pub(crate) fn new(
        seed: u64,
        (number, clients): (u64, u64),
        layers: &'a Layers,
        address: &str,
    ) -> Self {
        Self {
            number,
            clients,
            layers,
            random: StdRng::seed_from_u64(seed ^ (number + 1).wrapping_mul(0x9e37_79b9)),
            caller: Caller::new(address),
            ledger: Ledger::default(),
            given_up: BTreeMap::new(),
            images: 0,
            counts: Counts::default(),
            findings: Vec::new(),
        }
    }

    /// Does what clients do, until it is told to stop or has found something wrong.
    pub(crate) fn run(mut self, stop: &AtomicBool) -> Outcome {
        while !stop.load(Ordering::Relaxed) && self.findings.is_empty() {
            self.step();
        }
        if !self.findings.is_empty() {
            stop.store(true, Ordering::Relaxed);
        }
        Outcome {
            failures: self.caller.failures().clone(),
            history: self.caller.into_history(),
            ledger: self.ledger,
            counts: self.counts,
            findings: self.findings,
        }
    }

    fn step(&mut self) {
        if self.ledger.count(State::There) > KEPT {
            self.delete_manifest();
        }
        match self.random.random_range(0..20) {
            0..=9 => self.push_image(),
            10 => self.push_index(),
            11 | 12 => self.push_referrer(),
            13 => self.push_again(),
            14 | 15 => self.delete_manifest(),
            16 => self.delete_tag(),
            17 => self.pull_deleted(),
            _ => self.pull(),
        }
    }

    /// The repository of a client.
    fn repository_of(number: u64) -> String {
        format!("cluster/{number}")
    }

    /// One of the repositories that this client pushes to.
    fn some_repository(&mut self) -> String {
        match self.random.random_range(0..3) {
            0 => SHARED.to_owned(),
            _ => Self::repository_of(self.number),
        }
    }

    /// A tag that this client may set: the shared repository has tags for each.
    fn some_tag(&mut self, repository: &str) -> Name {
        let slot = self.random.random_range(0..TAGS);
        let given_up = self.given_up.get(&(repository.to_owned(), slot));
        let tag = format!("{}-{slot}-{}", self.number, given_up.unwrap_or(&0));
        Name::new(repository, &tag)
    }

    /// Gives up the names of tags about which a request was not answered.
    fn give_up_doubtful_tags(&mut self) {
        for (name, tag) in &self.ledger.tags {
            let mut parts = name.reference.split('-').skip(1);
            let mut number = || parts.next().unwrap().parse::<u32>().unwrap();
            let (slot, generation) = (number(), number());
            let given_up = self
                .given_up
                .entry((name.repository.clone(), slot))
                .or_default();
            if !tag.possible.is_empty() && *given_up == generation {
                *given_up += 1;
            }
        }
    }

    /// Notes that something is wrong with what has this in its path.
    fn found(&mut self, part: &str, what: &str) {
        let history = self.caller.history_of(part);
        let last = history.len().saturating_sub(60);
        let history = history[last..].join("\n    ");
        self.findings
            .push(format!("client {}: {what}\n    {history}", self.number));
    }
}
