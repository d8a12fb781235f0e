use serde_json::{Value, json};

use super::Pusher;
use crate::caller::Request;
use crate::contents::Blob;
use crate::harness::{OCI_CONFIG, OCI_INDEX, OCI_LAYER, OCI_MANIFEST, digest};
use crate::ledger::{Manifest, Name, State};

/// How often a push begins again, when blobs were collected under it or requests not answered.
const ATTEMPTS: usize = 12;

impl Pusher<'_> {
    /// Pushes a new image, with a tag or without.
    pub(super) fn push_image(&mut self) {
        let repository = self.some_repository();
        self.push_new_image(&repository, None);
    }

    /// Pushes an image that refers to another manifest.
    pub(super) fn push_referrer(&mut self) {
        let ledger = &self.ledger;
        let is_wanted = |_: &Name, it: &Manifest| it.state == State::There && it.subject.is_none();
        if let Some(subject) = ledger.some(&mut self.random, is_wanted) {
            let descriptor = descriptor_of(&ledger.manifests[&subject]);
            self.push_new_image(&subject.repository.clone(), Some((subject, descriptor)));
        }
    }

    fn push_new_image(&mut self, repository: &str, subject: Option<(Name, Value)>) {
        self.images += 1;
        // No other client has it, and no other image of this one.
        let config = json!({ "client": self.number, "image": self.images });
        let config = Blob::text(config.to_string());
        let layers = self.layers.some(&mut self.random);
        let mut manifest = json!({
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": descriptor_of_blob(OCI_CONFIG, &config),
            "layers": layers.iter().map(|it| descriptor_of_blob(OCI_LAYER, it)).collect::<Vec<_>>(),
        });
        let mut subject_digest = None;
        if let Some((subject, descriptor)) = subject {
            manifest["subject"] = descriptor;
            manifest["artifactType"] = "application/vnd.example.note".into();
            subject_digest = Some(subject.reference);
        }
        let manifest = Manifest {
            media_type: OCI_MANIFEST,
            bytes: manifest.to_string().into_bytes(),
            blobs: [vec![config], layers].concat(),
            children: Vec::new(),
            subject: subject_digest,
            state: State::Unknown,
            is_settled: true,
        };
        self.push_new(repository, manifest);
    }

    /// Pushes an index of images that are there.
    pub(super) fn push_index(&mut self) {
        let repository = self.some_repository();
        let is_wanted = |name: &Name, it: &Manifest| {
            let is_image = it.media_type == OCI_MANIFEST;
            name.repository == repository && is_image && it.state == State::There
        };
        let mut children = Vec::new();
        for _ in 0..2 {
            children.extend(self.ledger.some(&mut self.random, is_wanted));
        }
        let Some(last) = children.last() else { return };
        let descriptors = children
            .iter()
            .map(|it| descriptor_of(&self.ledger.manifests[it]));
        let index = json!({
            "schemaVersion": 2,
            "mediaType": OCI_INDEX,
            "manifests": descriptors.collect::<Vec<_>>(),
            "annotations": { "client": format!("{} {} {}", self.number, self.images, last.reference) },
        });
        self.images += 1;
        let manifest = Manifest {
            media_type: OCI_INDEX,
            bytes: index.to_string().into_bytes(),
            blobs: Vec::new(),
            children: children.into_iter().map(|it| it.reference).collect(),
            subject: None,
            state: State::Unknown,
            is_settled: true,
        };
        self.push_new(&repository, manifest);
    }

    fn push_new(&mut self, repository: &str, manifest: Manifest) {
        let name = Name::new(repository, &digest(&manifest.bytes));
        self.ledger.manifests.insert(name.clone(), manifest);
        self.push(&name);
    }

    /// Pushes a manifest that is there already, with all its blobs, as a client does that builds the same again.
    pub(super) fn push_again(&mut self) {
        let is_wanted = |_: &Name, it: &Manifest| it.state == State::There;
        if let Some(name) = self.ledger.some(&mut self.random, is_wanted) {
            self.push(&name);
        }
    }

    fn push(&mut self, name: &Name) {
        let tag = self.some_tag(&name.repository);
        let is_tagged = !name.reference.ends_with(['0', '1', '2', '3']);
        let tag = is_tagged.then_some(tag);
        for _ in 0..ATTEMPTS {
            let was_there = self.ledger.manifests[name].state == State::There;
            if self.attempt(name, tag.as_ref()) || !self.findings.is_empty() {
                break;
            }
            // What it had not to push, it need not push again.
            if was_there {
                break;
            }
        }
        if self.ledger.manifests[name].state == State::Unknown {
            self.counts.given_up += 1;
            if self.ledger.manifests[name].is_settled {
                self.ledger.manifests.remove(name);
            }
        }
        self.give_up_doubtful_tags();
    }

    /// Whether the manifest was taken.
    fn attempt(&mut self, name: &Name, tag: Option<&Name>) -> bool {
        let manifest = self.ledger.manifests[name].clone();
        for blob in &manifest.blobs {
            if !self.provide(&name.repository, blob) {
                return false;
            }
        }
        let path = tag.unwrap_or(name).path();
        let answer = self.caller.ask(Request {
            headers: &[("content-type", manifest.media_type)],
            body: &manifest.bytes,
            ..Request::new("PUT", &path)
        });
        match answer {
            Ok(answer) if answer.status == 201 => {
                self.ledger.pushed(name, tag);
                self.counts.pushed += 1;
                true
            }
            // A blob was collected since it was pushed: there is no grace.
            Ok(answer) if is_refused_for_blobs(&answer) && !manifest.blobs.is_empty() => {
                if manifest.state == State::There {
                    let what = "a blob is missing that a manifest needs";
                    self.found(
                        &name.reference,
                        &format!("{what}: {name:?}: {}", answer.text()),
                    );
                }
                self.counts.refused += 1;
                false
            }
            Ok(answer) => {
                let what = format!("{name:?} was refused: {} {}", answer.status, answer.text());
                self.found(&name.reference, &what);
                false
            }
            Err(_) => {
                self.ledger.may_be_pushed(name, tag);
                false
            }
        }
    }
}

fn is_refused_for_blobs(answer: &crate::harness::Answer) -> bool {
    answer.status < 500 && answer.text().contains("MANIFEST_BLOB_UNKNOWN")
}

fn descriptor_of(manifest: &Manifest) -> Value {
    crate::harness::descriptor(manifest.media_type, &manifest.bytes)
}

fn descriptor_of_blob(media_type: &str, blob: &Blob) -> Value {
    json!({ "mediaType": media_type, "digest": blob.digest, "size": blob.length })
}
