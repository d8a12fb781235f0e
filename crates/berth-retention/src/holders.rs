use std::collections::HashMap;

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
    /// Whether it stays until what goes with it may go.
    waits: bool,
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
            waits: false,
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

    /// Lets all that holds a manifest which was used lately stay as long as it does: otherwise nothing
    /// would hold that ever after.
    pub(crate) fn wait_for_all(&mut self, is_unused: impl Fn(&ManifestEntry) -> bool) {
        let may_go = |manifest: &Manifest| manifest.tagged != Tagged::Still;
        let going = self.going(|manifest| manifest.tagged == Tagged::Before, may_go);
        // What is held comes after all that hold it.
        for (number, _) in going.into_iter().rev() {
            let manifest = &self.manifests[number];
            let mut held = manifest.holds.iter();
            let waits = !is_unused(manifest.entry) || held.any(|held| self.manifests[*held].waits);
            self.manifests[number].waits = waits;
        }
    }

    /// Whether the manifest waits, and with it the tags that it has.
    pub(crate) fn waits(&self, digest: &Digest) -> bool {
        self.number(digest)
            .is_some_and(|number| self.manifests[number].waits)
    }

    /// The unused manifests that nothing holds when those before them are gone; those that nothing ever
    /// held only if `of_untagged`. Manifests that hold each other in a circle stay: tags can bring that
    /// about, and an index that lists its subject.
    pub(crate) fn unheld(
        &self,
        of_untagged: bool,
        is_unused: impl Fn(&ManifestEntry) -> bool,
    ) -> Vec<PlannedManifest> {
        let goes_first = |manifest: &Manifest| of_untagged || manifest.tagged == Tagged::Before;
        let may_go = |manifest: &Manifest| {
            manifest.tagged != Tagged::Still && !manifest.waits && is_unused(manifest.entry)
        };
        let going = self.going(goes_first, may_go).into_iter();
        going
            .map(|(number, generation)| self.manifests[number].planned(generation))
            .collect()
    }

    /// The manifests that go one after the other, each with its generation.
    fn going(
        &self,
        goes_first: impl Fn(&Manifest) -> bool,
        may_go: impl Fn(&Manifest) -> bool,
    ) -> Vec<(usize, u64)> {
        let mut holders: Vec<usize> = self.manifests.iter().map(|it| it.held).collect();
        let is_first =
            |manifest: &Manifest| manifest.held == 0 && goes_first(manifest) && may_go(manifest);
        let numbers = 0..self.manifests.len();
        let mut going: Vec<(usize, u64)> = numbers
            .filter(|number| is_first(&self.manifests[*number]))
            .map(|number| (number, 0))
            .collect();
        let mut done = 0;
        while let Some(&(number, generation)) = going.get(done) {
            done += 1;
            for held in self.manifests[number].holds.iter().copied() {
                holders[held] -= 1;
                if holders[held] == 0 && may_go(&self.manifests[held]) {
                    going.push((held, generation + 1));
                }
            }
        }
        going
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
