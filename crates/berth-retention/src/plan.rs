use std::time::{Duration, SystemTime};

use berth_metadata::{ManifestEntry, RepositoryContents, TagEntry};
use berth_spec::Digest;

use crate::CheckedRule;
use crate::checked::is_past;
use crate::holders::Holders;

/// What of a repository goes, by a rule.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// The tags that go for their age, in byte order.
    pub tags: Vec<TagEntry>,
    /// The manifests that go then, those that hold others first.
    pub manifests: Vec<PlannedManifest>,
}

/// A manifest that goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedManifest {
    /// Names it.
    pub digest: Digest,
    /// The size of its own bytes.
    pub size: u64,
    /// When it was last used. If it is used again, it stays.
    pub used_at: SystemTime,
    /// All that hold it have a lower one. So those of the same can go in any order.
    pub generation: u64,
    /// The tags that follow it, and go after it.
    pub followers: Vec<TagEntry>,
}

impl Plan {
    /// All tags that go.
    pub fn all_tags(&self) -> impl Iterator<Item = &TagEntry> {
        let followers = self
            .manifests
            .iter()
            .flat_map(|manifest| &manifest.followers);
        self.tags.iter().chain(followers)
    }
}

/// Plans what goes of a repository that the rule governs.
///
/// What holds a manifest is a tag, a manifest that lists it, and its subject, if that is in the
/// repository; and for what a follower tag points to (`sha256-<hex>`, with or without cosign's `.sig`,
/// `.att` or `.sbom`), the manifest of that digest. A manifest goes when all that held it go, and one that
/// nothing held goes by the rule's `untagged_after`.
///
/// None goes that was used lately: a client may have been told of it, and push what needs it next. Lately
/// is within `untagged_after`, after which it goes by itself. If the rule has none, it is within
/// `minimum_age`, and the tags and manifests that hold such a one stay as long as it does.
///
/// A follower tag goes with the manifest that it follows, unless it is protected. It is a tag like any
/// other if that manifest is not in the repository, or is the one that it points to.
pub fn plan(
    contents: &RepositoryContents,
    rule: &CheckedRule,
    minimum_age: Duration,
    now: SystemTime,
) -> Plan {
    let mut holders = Holders::of_manifests(&contents.manifests);
    let mut governed = Vec::new();
    for entry in &contents.tags {
        if rule.protects(&entry.tag) {
            holders.keep(&entry.digest);
        } else if holders.follow(entry) {
            continue;
        } else if rule.governs(&entry.tag) {
            governed.push(entry);
        } else {
            holders.keep(&entry.digest);
        }
    }
    // Of two that were set at the same time, the later one in byte order counts as the newer.
    governed.sort_unstable_by(|a, b| (b.updated_at, &b.tag).cmp(&(a.updated_at, &a.tag)));
    let mut tags = Vec::new();
    for (newer, entry) in governed.into_iter().enumerate() {
        if newer >= rule.keep_newest() && rule.is_old(entry.updated_at, now) {
            holders.untag(&entry.digest);
            tags.push(entry.clone());
        } else {
            holders.keep(&entry.digest);
        }
    }
    tags.sort_unstable_by(|a, b| a.tag.cmp(&b.tag));
    let unused_for = rule.untagged_after().unwrap_or(minimum_age);
    let is_unused = |manifest: &ManifestEntry| is_past(manifest.used_at, unused_for, now);
    let of_untagged = rule.untagged_after().is_some();
    if !of_untagged {
        holders.wait_for_all(is_unused);
        tags.retain(|entry| !holders.waits(&entry.digest));
    }
    Plan {
        tags,
        manifests: holders.unheld(of_untagged, is_unused),
    }
}
