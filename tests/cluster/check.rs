use std::collections::BTreeSet;
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::caller::{Caller, Request};
use crate::harness::{Answer, digest};
use crate::ledger::{Ledger, Manifest, Name, State};

/// How long a replica may need to answer right after its start.
const PATIENCE: Duration = Duration::from_secs(30);

/// What is wrong with what a replica answers, against what clients were answered.
pub(crate) fn check(address: &str, ledger: &Ledger) -> Vec<String> {
    let mut check = Check {
        caller: Caller::new(address),
        ledger,
        whole: BTreeSet::new(),
        findings: Vec::new(),
    };
    for (name, manifest) in &ledger.manifests {
        check.manifest(name, manifest);
    }
    for name in ledger.tags.keys() {
        check.tag(name);
    }
    check.findings
}

struct Check<'a> {
    caller: Caller,
    ledger: &'a Ledger,
    /// The blobs that were read, by the paths of their repositories.
    whole: BTreeSet<String>,
    findings: Vec<String>,
}

impl Check<'_> {
    fn manifest(&mut self, name: &Name, manifest: &Manifest) {
        let answer = self.get(&name.path());
        let expected: &[u16] = match manifest.state {
            State::There => &[200],
            State::Gone => &[404],
            // One that was taken must be whole all the same.
            State::Unknown => &[200, 404],
        };
        if !expected.contains(&answer.status) {
            let (state, status) = (manifest.state, answer.status);
            self.found(&format!("{name:?} is {state:?} and answered with {status}"));
        }
        if answer.status != 200 {
            return;
        }
        if answer.body != manifest.bytes {
            self.found(&format!("{name:?} has other bytes"));
        }
        for blob in &manifest.blobs {
            self.blob(name, &blob.digest);
        }
        for child in &manifest.children {
            let answer = self.get(&name.beside(child).path());
            if answer.status != 200 {
                self.found(&format!(
                    "{name:?} is an index of {child}, which is not there"
                ));
            }
        }
        if manifest.state == State::There {
            self.subject(name, manifest);
        }
    }

    fn blob(&mut self, needed_by: &Name, blob: &str) {
        let path = format!("/v2/{}/blobs/{blob}", needed_by.repository);
        if !self.whole.insert(path.clone()) {
            return;
        }
        let answer = self.get(&path);
        if answer.status != 200 {
            let status = answer.status;
            self.found(&format!(
                "{path}, which {needed_by:?} needs, is answered with {status}"
            ));
        } else if digest(&answer.body) != blob {
            self.found(&format!("{path} has other bytes"));
        }
    }

    /// A manifest is told of by that to which it refers.
    fn subject(&mut self, name: &Name, manifest: &Manifest) {
        let Some(subject) = &manifest.subject else {
            return;
        };
        let path = format!("/v2/{}/referrers/{subject}", name.repository);
        let list = self.get(&path);
        let referrers: Value = serde_json::from_slice(&list.body).unwrap_or_default();
        let referrers = referrers["manifests"].as_array();
        let is_told = |it: &Value| it["digest"] == name.reference.as_str();
        if !referrers.is_some_and(|referrers| referrers.iter().any(is_told)) {
            self.found(&format!("{name:?} is not told of at {path}"));
        }
    }

    fn tag(&mut self, name: &Name) {
        let answer = self.get(&name.path());
        let found = match answer.status {
            404 => None,
            _ => Some(digest(&answer.body)),
        };
        let tag = &self.ledger.tags[name];
        if !tag.may_be(&found) {
            self.found(&format!(
                "{name:?} leads to {found:?}, and should be {tag:?}"
            ));
        }
    }

    /// Everything runs now, so there must be an answer.
    fn get(&mut self, path: &str) -> Answer {
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE {
            if let Ok(answer) = self.caller.ask_for(PATIENCE, Request::new("GET", path)) {
                return answer;
            }
            sleep(Duration::from_millis(100));
        }
        panic!("{path} is not answered: {:?}", self.caller.failures());
    }

    fn found(&mut self, what: &str) {
        self.findings.push(what.to_owned());
    }
}
