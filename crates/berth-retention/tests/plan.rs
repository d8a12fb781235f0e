//! What goes of a repository, case by case.
#![allow(clippy::unwrap_used)]

use std::time::{Duration, SystemTime};

use berth_metadata::{ManifestEntry, RepositoryContents, TagEntry};
use berth_retention::{CheckedRule, Plan, Rule, plan};
use berth_spec::Digest;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + 20_000 * DAY
}

fn digest(name: &str) -> Digest {
    Digest::sha256(name.as_bytes())
}

/// A repository that is put together manifest by manifest, tag by tag.
#[derive(Default)]
struct Repository(RepositoryContents);

impl Repository {
    /// A manifest with these children, last used so many days ago.
    fn manifest(mut self, name: &str, children: &[&str], days: u32) -> Self {
        self.0.manifests.push(ManifestEntry {
            digest: digest(name),
            size: 1,
            used_at: now() - days * DAY,
            subject: None,
            children: children.iter().map(|name| digest(name)).collect(),
        });
        self
    }

    fn referrer(self, name: &str, subject: &str) -> Self {
        let mut with = self.manifest(name, &[], 1);
        if let Some(manifest) = with.0.manifests.last_mut() {
            manifest.subject = Some(digest(subject));
        }
        with
    }

    /// A tag that was set so many days ago.
    fn tag(mut self, tag: &str, name: &str, days: u32) -> Self {
        self.0.tags.push(TagEntry {
            tag: tag.parse().unwrap(),
            digest: digest(name),
            updated_at: now() - days * DAY,
        });
        self
    }

    /// A manifest and a tag of the same name, both so old.
    fn tagged(self, name: &str, days: u32) -> Self {
        self.manifest(name, &[], days).tag(name, name, days)
    }

    fn plan(&self, rule: &str) -> Plan {
        let rule: Rule = toml::from_str(rule).unwrap();
        plan(&self.0, &CheckedRule::new(1, rule).unwrap(), DAY, now())
    }

    /// Checks what goes by a rule.
    fn goes(&self, rule: &str, tags: &[&str], manifests: &[&str]) {
        let plan = self.plan(rule);
        let gone: Vec<_> = plan.all_tags().map(|entry| entry.tag.as_str()).collect();
        assert_eq!(gone, tags, "tags by {rule}");
        let gone: Vec<_> = plan.manifests.iter().map(|entry| &entry.digest).collect();
        let expected: Vec<_> = manifests.iter().map(|name| digest(name)).collect();
        assert_eq!(
            gone,
            expected.iter().collect::<Vec<_>>(),
            "manifests by {rule}"
        );
    }
}

fn follower(name: &str, suffix: &str) -> String {
    format!("sha256-{}{suffix}", digest(name).hex())
}

#[test]
fn without_limits_nothing_goes() {
    let repository = Repository::default()
        .tagged("v1", 900)
        .manifest("old", &[], 900);
    repository.goes("", &[], &[]);
    repository.goes("protect = [\"v*\"]", &[], &[]);
}

#[test]
fn number_and_age_decide_alone_or_together() {
    let repository = Repository::default()
        .tagged("n1", 50)
        .tagged("n2", 40)
        .tagged("n3", 30)
        .tagged("n4", 1)
        .tagged("v1", 99);
    let with = |limits: &str| format!("tags = [\"n*\"]\n{limits}");
    let gone = ["n1", "n2", "n3"];
    repository.goes(&with("keep_newest = 1"), &gone, &gone);
    repository.goes(&with("keep_newest = 3"), &gone[..1], &gone[..1]);
    repository.goes(&with("keep_newest = 9"), &[], &[]);
    repository.goes(&with("older_than = \"40d\""), &gone[..2], &gone[..2]);
    repository.goes(
        &with("keep_newest = 1\nolder_than = \"40d\""),
        &gone[..2],
        &gone[..2],
    );
    repository.goes(
        &with("keep_newest = 3\nolder_than = \"1d\""),
        &gone[..1],
        &gone[..1],
    );
}

#[test]
fn the_protected_are_not_counted() {
    let repository = Repository::default()
        .tagged("n1", 3)
        .tagged("n2", 2)
        .tagged("n3", 1);
    let rule = "tags = [\"n*\"]\nprotect = [\"n3\", \"n1\"]\nkeep_newest = 1";
    repository.goes(rule, &[], &[]);
    let rule = "tags = [\"n*\"]\nprotect = [\"n2\"]\nkeep_newest = 1";
    repository.goes(rule, &["n1"], &["n1"]);
}

#[test]
fn of_tags_set_at_once_the_last_by_name_are_the_newest() {
    let repository = Repository::default()
        .tagged("a", 5)
        .tagged("b", 5)
        .tagged("c", 5);
    repository.goes("tags = [\"*\"]\nkeep_newest = 1", &["a", "b"], &["a", "b"]);
}

#[test]
fn another_tag_keeps_a_manifest() {
    let repository = Repository::default().tagged("n1", 9).tag("v1", "n1", 9);
    repository.goes("tags = [\"n*\"]\nolder_than = \"1d\"", &["n1"], &[]);
    repository.goes(
        "tags = [\"*\"]\nolder_than = \"1d\"",
        &["n1", "v1"],
        &["n1"],
    );
}

#[test]
fn untagged_manifests_go_by_their_own_age_only() {
    let repository = Repository::default()
        .manifest("young", &[], 1)
        .manifest("old", &[], 9)
        .manifest("index", &["child"], 9)
        .manifest("child", &[], 99)
        .referrer("lost", "nowhere")
        .tagged("v1", 99);
    repository.goes("untagged_after = \"9d\"", &[], &["old", "index", "child"]);
    repository.goes("tags = [\"none\"]\nkeep_newest = 1", &[], &[]);
}

#[test]
fn what_only_the_deleted_held_goes_at_once() {
    let repository = Repository::default()
        .manifest("index", &["amd64", "shared"], 1)
        .manifest("amd64", &[], 1)
        .manifest("shared", &[], 1)
        .manifest("other", &["shared"], 1)
        .referrer("signature", "index")
        .referrer("signature of it", "signature")
        .referrer("sbom", "amd64")
        .referrer("sbom of shared", "shared")
        .tag("n1", "index", 9)
        .tag("v1", "other", 9);
    let gone = ["index", "amd64", "signature", "sbom", "signature of it"];
    repository.goes("tags = [\"n*\"]\nolder_than = \"9d\"", &["n1"], &gone);
}

/// A client has just pushed an image of an index again, and pushes the next index soon.
#[test]
fn what_was_used_lately_stays_with_all_that_it_holds() {
    let repository = Repository::default()
        .manifest("index", &["arm64", "amd64"], 9)
        .manifest("arm64", &["of arm64"], 0)
        .manifest("of arm64", &[], 9)
        .referrer("signature", "arm64")
        .manifest("amd64", &[], 9)
        .tag("n1", "index", 9);
    let rule = "tags = [\"n*\"]\nolder_than = \"9d\"";
    repository.goes(rule, &[], &[]);
    let with = format!("{rule}\nuntagged_after = \"1d\"");
    repository.goes(&with, &["n1"], &["index", "amd64"]);
}

/// `stable` has just moved off.
#[test]
fn a_tag_stays_with_a_manifest_that_was_used_lately() {
    let repository = Repository::default()
        .manifest("image", &[], 0)
        .tag("n1", "image", 9)
        .tagged("stable", 0);
    let rule = "tags = [\"n*\"]\nolder_than = \"9d\"";
    repository.goes(rule, &[], &[]);
    repository.goes(&format!("{rule}\nuntagged_after = \"1h\""), &["n1"], &[]);
    let held = repository.tag("v1", "image", 0);
    held.goes(rule, &["n1"], &[]);
}

#[test]
fn what_is_used_at_this_moment_goes_if_no_age_is_asked_for() {
    let repository = Repository::default()
        .manifest("image", &[], 0)
        .tag("n1", "image", 9);
    let rule: Rule = toml::from_str("tags = [\"n*\"]\nolder_than = \"9d\"").unwrap();
    let rule = CheckedRule::new(1, rule).unwrap();
    let goes = |minimum_age| {
        plan(&repository.0, &rule, minimum_age, now())
            .manifests
            .len()
    };
    assert_eq!(
        (goes(Duration::ZERO), goes(Duration::from_millis(1))),
        (1, 0)
    );
}

#[test]
fn an_index_that_lists_its_subject_stays_with_it() {
    let mut repository = Repository::default()
        .manifest("index", &["image"], 9)
        .manifest("image", &[], 9)
        .tag("n1", "index", 9);
    repository.0.manifests[0].subject = Some(digest("image"));
    let rule = "tags = [\"n*\"]\nolder_than = \"9d\"\nuntagged_after = \"1d\"";
    repository.goes(rule, &["n1"], &[]);
}

#[test]
fn a_tag_that_stays_keeps_a_referrer_without_its_subject() {
    let repository = Repository::default()
        .manifest("image", &[], 1)
        .referrer("signature", "image")
        .tag("n1", "image", 9)
        .tag("v1-signature", "signature", 9);
    repository.goes("tags = [\"n*\"]\nolder_than = \"9d\"", &["n1"], &["image"]);
}

#[test]
fn follower_tags_go_with_what_they_follow() {
    let (signature, list) = (follower("image", ".sig"), follower("image", ""));
    let repository = Repository::default()
        .manifest("image", &[], 1)
        .manifest("signature", &[], 1)
        .manifest("list", &["listed"], 1)
        .referrer("listed", "image")
        .tag("n1", "image", 9)
        .tag(&list, "list", 99)
        .tag(&signature, "signature", 99);
    let everything = "tags = [\"*\"]\nolder_than = \"10d\"";
    repository.goes(everything, &[], &[]);
    let gone = ["n1", &list, &signature];
    let older = "tags = [\"*\"]\nolder_than = \"9d\"";
    repository.goes(older, &gone, &["image", "list", "signature", "listed"]);
    let protected = format!("{older}\nprotect = [\"*.sig\"]");
    repository.goes(&protected, &gone[..2], &["image", "list", "listed"]);
}

#[test]
fn a_follower_of_nothing_is_a_tag_like_any_other() {
    let (orphan, own) = (follower("nowhere", ".sig"), follower("image", ""));
    let repository = Repository::default()
        .manifest("signature", &[], 1)
        .manifest("image", &[], 1)
        .tag(&orphan, "signature", 9)
        .tag(&own, "image", 9);
    repository.goes("untagged_after = \"1s\"", &[], &[]);
    let rule = "tags = [\"sha256-*\"]\nolder_than = \"9d\"";
    let mut tags = [orphan.as_str(), own.as_str()];
    tags.sort_unstable();
    repository.goes(rule, &tags, &["signature", "image"]);
}

#[test]
fn tags_that_follow_each_other_keep_what_they_point_to() {
    let repository = Repository::default()
        .manifest("one", &[], 9)
        .manifest("two", &[], 9)
        .tag(&follower("one", ""), "two", 9)
        .tag(&follower("two", ""), "one", 9);
    repository.goes(
        "tags = [\"*\"]\nolder_than = \"1d\"\nuntagged_after = \"1d\"",
        &[],
        &[],
    );
}

/// Would not end in any reasonable time, or overflow the stack, if a plan looked at everything for
/// each, or one by one into the depth.
#[test]
fn a_hundred_thousand_tags_are_planned() {
    const COUNT: u32 = 50_000;
    let mut repository = Repository::default();
    for number in 0..COUNT {
        let name = format!("n{number}");
        let chained = Some(digest(&format!("c{}", number + 1))).filter(|_| number + 1 < COUNT);
        repository = repository.tagged(&name, 9 + number % 99);
        repository.0.manifests.push(ManifestEntry {
            digest: digest(&format!("c{number}")),
            size: 1,
            used_at: now() - 9 * DAY,
            subject: chained,
            children: Vec::new(),
        });
        repository = repository.manifest(&format!("s{number}"), &[], 9).tag(
            &follower(&name, ".sig"),
            &format!("s{number}"),
            0,
        );
    }
    let plan = repository.plan("tags = [\"*\"]\nkeep_newest = 10\nuntagged_after = \"9d\"");
    assert_eq!(plan.tags.len() as u32, COUNT - 10);
    assert_eq!(plan.all_tags().count() as u32, 2 * (COUNT - 10));
    assert_eq!(plan.manifests.len() as u32, 3 * COUNT - 20);
}
