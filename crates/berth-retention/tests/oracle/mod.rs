//! What goes of a repository, found out slowly: by looking at everything again and again.

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime};

use berth_metadata::{ManifestEntry, RepositoryContents, TagEntry};
use berth_retention::Rule;
use berth_spec::{Digest, Tag};

/// The tags and the manifests that go.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Gone {
    pub(crate) tags: BTreeSet<Tag>,
    pub(crate) manifests: BTreeSet<Digest>,
}

pub(crate) struct Oracle<'a> {
    pub(crate) contents: &'a RepositoryContents,
    pub(crate) rule: &'a Rule,
    pub(crate) minimum_age: Duration,
    pub(crate) now: SystemTime,
}

/// A pattern of these tests is a text, or the begin of one with a `*`.
fn matches(patterns: &[String], tag: &Tag) -> bool {
    patterns
        .iter()
        .any(|pattern| match pattern.strip_suffix('*') {
            Some(begin) => tag.as_str().starts_with(begin),
            None => tag.as_str() == pattern,
        })
}

impl Oracle<'_> {
    pub(crate) fn gone(&self) -> Gone {
        let waiting = match self.rule.untagged_after {
            Some(_) => BTreeSet::new(),
            None => self.waiting(),
        };
        let may_go = |manifest: &ManifestEntry| {
            self.is_unused(manifest) && !waiting.contains(&manifest.digest)
        };
        self.gone_of(&waiting, may_go)
    }

    /// Whether the manifest has a tag, or another one holds it.
    pub(crate) fn is_held(&self, digest: &Digest) -> bool {
        let mut tags = self.contents.tags.iter();
        let mut manifests = self.contents.manifests.iter();
        let manifest = manifests.find(|manifest| manifest.digest == *digest);
        tags.any(|tag| tag.digest == *digest)
            || manifest.is_some_and(|manifest| !self.holders(manifest).is_empty())
    }

    /// Those that would go, were it not for some that were used lately: these, and what holds them.
    fn waiting(&self) -> BTreeSet<Digest> {
        let going = self.gone_of(&BTreeSet::new(), |_| true).manifests;
        let mut waiting = BTreeSet::new();
        for manifest in &self.contents.manifests {
            if going.contains(&manifest.digest) && !self.is_unused(manifest) {
                self.wait(manifest, &going, &mut waiting);
            }
        }
        waiting
    }

    fn wait(
        &self,
        manifest: &ManifestEntry,
        going: &BTreeSet<Digest>,
        waiting: &mut BTreeSet<Digest>,
    ) {
        if !waiting.insert(manifest.digest.clone()) {
            return;
        }
        let holders = self.holders(manifest);
        for holder in &self.contents.manifests {
            if holders.contains(&holder.digest) && going.contains(&holder.digest) {
                self.wait(holder, going, waiting);
            }
        }
    }

    /// What goes if of the manifests only those may, and the tags of some stay.
    fn gone_of(
        &self,
        with_tags: &BTreeSet<Digest>,
        may_go: impl Fn(&ManifestEntry) -> bool,
    ) -> Gone {
        let mut gone = Gone::default();
        for tag in self.aging() {
            if self.goes_for_its_age(tag) && !with_tags.contains(&tag.digest) {
                gone.tags.insert(tag.tag.clone());
            }
        }
        while let Some(manifest) = self.next(&gone, &may_go) {
            gone.manifests.insert(manifest.digest.clone());
            for tag in &self.contents.tags {
                if self.followed(tag) == Some(&manifest.digest) {
                    gone.tags.insert(tag.tag.clone());
                }
            }
        }
        gone
    }

    fn is_unused(&self, manifest: &ManifestEntry) -> bool {
        let age = self.rule.untagged_after.unwrap_or(self.minimum_age);
        manifest.used_at + age <= self.now
    }

    pub(crate) fn is_protected(&self, tag: &TagEntry) -> bool {
        matches(&self.rule.protect, &tag.tag)
    }

    fn aging(&self) -> Vec<&TagEntry> {
        let ages = |tag: &&TagEntry| {
            let governed = matches(&self.rule.tags, &tag.tag);
            governed && !self.is_protected(tag) && self.followed(tag).is_none()
        };
        self.contents.tags.iter().filter(ages).collect()
    }

    fn goes_for_its_age(&self, tag: &TagEntry) -> bool {
        let time = |tag: &TagEntry| (tag.updated_at, tag.tag.clone());
        let aging = self.aging().into_iter();
        let newer = aging.filter(|other| time(other) > time(tag)).count() as u64;
        let is_new = self.rule.keep_newest.is_some_and(|count| newer < count);
        let is_young = self
            .rule
            .older_than
            .is_some_and(|age| tag.updated_at + age > self.now);
        !is_new && !is_young
    }

    /// The manifest of the repository that a tag follows.
    fn followed(&self, tag: &TagEntry) -> Option<&Digest> {
        let follows = |digest: &&Digest| {
            let stem = digest.as_str().replace(':', "-");
            let suffixes = ["", ".sig", ".att", ".sbom"];
            let named = suffixes.map(|suffix| format!("{stem}{suffix}"));
            named.iter().any(|name| name == tag.tag.as_str())
        };
        let digests = self
            .contents
            .manifests
            .iter()
            .map(|manifest| &manifest.digest);
        let followed = digests.into_iter().find(follows)?;
        (*followed != tag.digest && !self.is_protected(tag)).then_some(followed)
    }

    /// A manifest that goes when those are gone.
    fn next(&self, gone: &Gone, may_go: impl Fn(&ManifestEntry) -> bool) -> Option<&ManifestEntry> {
        self.contents.manifests.iter().find(|manifest| {
            let tags = self.contents.tags.iter();
            let mut pointing = tags.filter(|tag| tag.digest == manifest.digest);
            let (was_tagged, is_tagged) = (
                pointing.clone().next().is_some(),
                pointing.any(|tag| !gone.tags.contains(&tag.tag)),
            );
            let holders = self.holders(manifest);
            let is_held = !holders.is_subset(&gone.manifests);
            let was_held = !holders.is_empty();
            let may_be_first = self.rule.untagged_after.is_some();
            let is_left = !gone.manifests.contains(&manifest.digest);
            let is_free = !is_tagged && !is_held && (was_tagged || was_held || may_be_first);
            is_left && is_free && may_go(manifest)
        })
    }

    /// The manifests that hold one, whether by themselves or by a tag that follows them.
    fn holders(&self, manifest: &ManifestEntry) -> BTreeSet<Digest> {
        let holds = |holder: &&ManifestEntry| {
            let follow = |tag: &&TagEntry| self.followed(tag) == Some(&holder.digest);
            let mut following = self.contents.tags.iter().filter(follow);
            holder.digest != manifest.digest
                && (holder.children.contains(&manifest.digest)
                    || manifest.subject.as_ref() == Some(&holder.digest)
                    || following.any(|tag| tag.digest == manifest.digest))
        };
        let holders = self.contents.manifests.iter().filter(holds);
        holders.map(|holder| holder.digest.clone()).collect()
    }
}
