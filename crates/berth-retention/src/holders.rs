use std::collections::{HashMap, VecDeque};

use berth_metadata::{ManifestEntry, TagEntry};
use berth_spec::Digest;

use crate::follower::{Followed, followed_as, followed_by};
use crate::plan::PlannedManifest;

/// Who holds the manifests of a repository.
pub(crate) struct Holders<'a> {
    manifests: Vec<Manifest<'a>>,
    numbers: HashMap<&'a Digest, usize>,
    followed: HashMap<Followed<'a>, usize>,
}

struct Manifest<'a> {
    entry: &'a ManifestEntry,
    /// How many times other manifests hold it.
    held: usize,
    /// The manifests that it holds.
    holds: Vec<usize>,
    followers: Vec<&'a TagEntry>,
    tagged: Tagged,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Tagged {
    /// By no tag that does not follow another manifest.
    Never,
    /// By tags that all go.
    Before,
    /// By a tag that stays.
    Still,
}

impl<'a> Holders<'a> {
    /// As if there were no tags.
    pub(crate) fn of_manifests(entries: &'a [ManifestEntry]) -> Self {
        let manifest = |entry| Manifest {
            entry,
            held: 0,
            holds: Vec::new(),
            followers: Vec::new(),
            tagged: Tagged::Never,
        };
        let numbered = || entries.iter().enumerate();
        let mut holders = Self {
            manifests: entries.iter().map(manifest).collect(),
            numbers: numbered()
                .map(|(number, entry)| (&entry.digest, number))
                .collect(),
            followed: numbered()
                .map(|(number, entry)| (followed_as(&entry.digest), number))
                .collect(),
        };
        for (number, entry) in numbered() {
            for child in &entry.children {
                holders.hold(Some(number), holders.number(child));
            }
            let subject = entry.subject.as_ref();
            let subject = subject.and_then(|subject| holders.number(subject));
            holders.hold(subject, Some(number));
        }
        holders
    }

    /// Notes that the manifest has a tag that stays.
    pub(crate) fn keep(&mut self, digest: &Digest) {
        if let Some(number) = self.number(digest) {
            self.manifests[number].tagged = Tagged::Still;
        }
    }

    /// Notes that the manifest has a tag that goes.
    pub(crate) fn untag(&mut self, digest: &Digest) {
        if let Some(number) = self.number(digest) {
            let tagged = &mut self.manifests[number].tagged;
            if *tagged == Tagged::Never {
                *tagged = Tagged::Before;
            }
        }
    }

    /// Notes that the tag goes with the manifest that it follows. Whether it follows one.
    pub(crate) fn follow(&mut self, tag: &'a TagEntry) -> bool {
        let followed = followed_by(&tag.tag);
        let Some(followed) = followed.and_then(|followed| self.followed.get(&followed).copied())
        else {
            return false;
        };
        let target = self.number(&tag.digest);
        if target == Some(followed) {
            return false;
        }
        self.manifests[followed].followers.push(tag);
        self.hold(Some(followed), target);
        true
    }

    /// The manifests that nothing holds when those before them are gone; of those that nothing ever
    /// held, only the abandoned ones. Manifests that hold each other in a circle, which only tags
    /// can bring about, stay.
    pub(crate) fn unheld(
        mut self,
        is_abandoned: impl Fn(&ManifestEntry) -> bool,
    ) -> Vec<PlannedManifest> {
        let goes_first = |manifest: &Manifest| match manifest.tagged {
            Tagged::Never => manifest.held == 0 && is_abandoned(manifest.entry),
            Tagged::Before => manifest.held == 0,
            Tagged::Still => false,
        };
        let numbers = 0..self.manifests.len();
        let mut going: VecDeque<(usize, u64)> = numbers
            .filter(|number| goes_first(&self.manifests[*number]))
            .map(|number| (number, 0))
            .collect();
        let mut planned = Vec::new();
        while let Some((number, generation)) = going.pop_front() {
            for held in std::mem::take(&mut self.manifests[number].holds) {
                let manifest = &mut self.manifests[held];
                manifest.held -= 1;
                if manifest.held == 0 && manifest.tagged != Tagged::Still {
                    going.push_back((held, generation + 1));
                }
            }
            planned.push(self.manifests[number].planned(generation));
        }
        planned
    }

    fn number(&self, digest: &Digest) -> Option<usize> {
        self.numbers.get(digest).copied()
    }

    fn hold(&mut self, holder: Option<usize>, held: Option<usize>) {
        if let (Some(holder), Some(held)) = (holder, held)
            && holder != held
        {
            self.manifests[holder].holds.push(held);
            self.manifests[held].held += 1;
        }
    }
}

impl Manifest<'_> {
    fn planned(&self, generation: u64) -> PlannedManifest {
        PlannedManifest {
            digest: self.entry.digest.clone(),
            size: self.entry.size,
            used_at: self.entry.used_at,
            generation,
            followers: self.followers.iter().copied().cloned().collect(),
        }
    }
}
