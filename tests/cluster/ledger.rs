use std::collections::{BTreeMap, BTreeSet};

use rand::rngs::StdRng;
use rand::seq::IteratorRandom;

use crate::contents::Blob;

/// What a client was answered, of names that nobody else uses.
#[derive(Default)]
pub(crate) struct Ledger {
    pub(crate) manifests: BTreeMap<Name, Manifest>,
    pub(crate) tags: BTreeMap<Name, Tag>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Name {
    pub(crate) repository: String,
    /// A tag or a digest.
    pub(crate) reference: String,
}

impl Name {
    pub(crate) fn new(repository: &str, reference: &str) -> Self {
        Self {
            repository: repository.to_owned(),
            reference: reference.to_owned(),
        }
    }

    /// Another one in the same repository.
    pub(crate) fn beside(&self, reference: &str) -> Self {
        Self::new(&self.repository, reference)
    }

    pub(crate) fn path(&self) -> String {
        format!("/v2/{}/manifests/{}", self.repository, self.reference)
    }
}

/// A manifest that was pushed, or may have been.
#[derive(Clone)]
pub(crate) struct Manifest {
    pub(crate) media_type: &'static str,
    pub(crate) bytes: Vec<u8>,
    pub(crate) blobs: Vec<Blob>,
    /// The manifests that it is an index of.
    pub(crate) children: Vec<String>,
    /// The manifest that it refers to.
    pub(crate) subject: Option<String>,
    pub(crate) state: State,
    /// Whether all requests about it were answered. One that was not may be carried out at any time, if the replica that has it was
    /// stopped: so nothing is concluded, and nothing else is asked for.
    pub(crate) is_settled: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    There,
    Gone,
    Unknown,
}

/// What a tag may lead to; nothing, if there is no tag.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tag {
    pub(crate) acknowledged: Option<String>,
    /// What was asked for and not answered. Such a tag is not changed any more.
    pub(crate) possible: BTreeSet<Option<String>>,
}

impl Tag {
    pub(crate) fn may_be(&self, found: &Option<String>) -> bool {
        self.acknowledged == *found || self.possible.contains(found)
    }
}

impl Ledger {
    /// A manifest of this kind.
    pub(crate) fn some(
        &self,
        random: &mut StdRng,
        is_wanted: impl Fn(&Name, &Manifest) -> bool,
    ) -> Option<Name> {
        let manifests = self.manifests.iter();
        let wanted = manifests.filter(|(name, manifest)| is_wanted(name, manifest));
        wanted.choose(random).map(|(name, _)| name.clone())
    }

    /// How many manifests are in a state.
    pub(crate) fn count(&self, state: State) -> usize {
        let states = self.manifests.values().map(|manifest| manifest.state);
        states.filter(|found| *found == state).count()
    }

    /// Whether an index may have this manifest.
    pub(crate) fn has_parent(&self, name: &Name) -> bool {
        self.manifests.iter().any(|(parent, manifest)| {
            parent.repository == name.repository
                && manifest.state != State::Gone
                && manifest.children.contains(&name.reference)
        })
    }

    /// A manifest was pushed with this tag, or with none.
    pub(crate) fn pushed(&mut self, name: &Name, tag: Option<&Name>) {
        self.manifests.get_mut(name).unwrap().state = State::There;
        if let Some(tag) = tag {
            let digest = Some(name.reference.clone());
            self.tags.entry(tag.clone()).or_default().acknowledged = digest;
        }
    }

    /// The push of a manifest was not answered.
    pub(crate) fn may_be_pushed(&mut self, name: &Name, tag: Option<&Name>) {
        self.manifests.get_mut(name).unwrap().is_settled = false;
        if let Some(tag) = tag {
            let possible = &mut self.tags.entry(tag.clone()).or_default().possible;
            possible.insert(Some(name.reference.clone()));
        }
    }

    /// A manifest was deleted, and its tags with it.
    pub(crate) fn deleted(&mut self, name: &Name) {
        self.manifests.get_mut(name).unwrap().state = State::Gone;
        for tag in self.tags_of(name) {
            tag.acknowledged = None;
        }
    }

    /// The deletion of a manifest was not answered.
    pub(crate) fn may_be_deleted(&mut self, name: &Name) {
        let manifest = self.manifests.get_mut(name).unwrap();
        manifest.state = State::Unknown;
        manifest.is_settled = false;
        for tag in self.tags_of(name) {
            tag.possible.insert(None);
        }
    }

    fn tags_of(&mut self, name: &Name) -> impl Iterator<Item = &mut Tag> {
        self.tags.iter_mut().filter_map(|(tag, state)| {
            let leads_here = tag.repository == name.repository
                && state.acknowledged.as_ref() == Some(&name.reference);
            leads_here.then_some(state)
        })
    }

    /// Takes in what another client was answered, who uses other names.
    pub(crate) fn extend(&mut self, other: Self) {
        self.manifests.extend(other.manifests);
        self.tags.extend(other.tags);
    }
}
