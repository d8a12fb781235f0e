//! What is true of every plan.
#![allow(clippy::unwrap_used)]

mod oracle;

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime};

use berth_metadata::{ManifestEntry, RepositoryContents, TagEntry};
use berth_retention::{CheckedRule, Plan, Rule, plan};
use berth_spec::{Digest, Tag};
use oracle::{Gone, Oracle};
use proptest::prelude::*;

// Few of each, so that they meet.
const MANIFESTS: u8 = 8;
const TIMES: u64 = 6;
const MINIMUM_AGE: Duration = Duration::from_secs(3);
const NAMES: [&str; 7] = [
    "v1",
    "v2",
    "v3",
    "nightly-1",
    "nightly-2",
    "nightly-3",
    "latest",
];
const PATTERNS: [&str; 7] = ["*", "v*", "nightly-*", "latest", "v1", "sha256-*", "none"];
const SUFFIXES: [&str; 4] = ["", ".sig", ".att", ".sbom"];

fn digest(number: u8) -> Digest {
    Digest::sha256(&[number])
}

fn time(number: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1000 + number)
}

fn now() -> SystemTime {
    time(TIMES)
}

/// In circles too, which no digests allow: a plan must come to an end all the same.
fn manifests() -> impl Strategy<Value = Vec<ManifestEntry>> {
    let numbers = 0..MANIFESTS;
    let manifest = (
        prop::option::weighted(0.4, numbers.clone()),
        prop::collection::btree_set(numbers.clone(), 0..3),
        0..TIMES,
    );
    let present = prop::collection::btree_map(numbers, manifest, 0..usize::from(MANIFESTS));
    present.prop_map(|present| {
        let entry =
            |(number, (subject, children, used_at)): (u8, (Option<u8>, BTreeSet<u8>, u64))| {
                ManifestEntry {
                    digest: digest(number),
                    size: u64::from(number),
                    used_at: time(used_at),
                    subject: subject.map(digest),
                    children: children.into_iter().map(digest).collect(),
                }
            };
        present.into_iter().map(entry).collect()
    })
}

/// As digests make it: what is held has the lower number.
fn without_circles(mut manifests: Vec<ManifestEntry>) -> Vec<ManifestEntry> {
    let number = |digest: &Digest| (0..MANIFESTS).find(|number| self::digest(*number) == *digest);
    for manifest in &mut manifests {
        let own = number(&manifest.digest);
        manifest.children.retain(|child| number(child) < own);
        manifest.subject = manifest
            .subject
            .take()
            .filter(|subject| number(subject) > own);
    }
    manifests
}

fn tag_names() -> impl Strategy<Value = String> {
    let follower = (0..MANIFESTS, prop::sample::select(&SUFFIXES[..]))
        .prop_map(|(number, suffix)| format!("sha256-{}{suffix}", digest(number).hex()));
    prop_oneof![
        2 => prop::sample::select(&NAMES[..]).prop_map(ToOwned::to_owned),
        1 => follower,
    ]
}

fn contents(manifests: Vec<ManifestEntry>) -> impl Strategy<Value = RepositoryContents> {
    let count = manifests.len();
    let tags =
        prop::collection::btree_map(tag_names(), (any::<prop::sample::Index>(), 0..TIMES), 0..10);
    tags.prop_map(move |tags| {
        let entry = |(name, (target, updated_at)): (String, (prop::sample::Index, u64))| TagEntry {
            tag: name.parse().unwrap(),
            digest: manifests[target.index(count)].digest.clone(),
            updated_at: time(updated_at),
        };
        let tags = tags.into_iter().filter(|_| count > 0);
        RepositoryContents {
            tags: tags.map(entry).collect(),
            manifests: manifests.clone(),
        }
    })
}

fn any_contents() -> impl Strategy<Value = RepositoryContents> {
    let acyclic = manifests().prop_map(without_circles);
    prop_oneof![1 => manifests(), 3 => acyclic].prop_flat_map(contents)
}

fn rules() -> impl Strategy<Value = Rule> {
    let patterns = |counts| {
        let some = prop::collection::vec(prop::sample::select(&PATTERNS[..]), counts);
        some.prop_map(|patterns| {
            patterns
                .into_iter()
                .map(ToOwned::to_owned)
                .collect::<Vec<_>>()
        })
    };
    let age = || prop::option::of((1..TIMES).prop_map(Duration::from_secs));
    (
        patterns(1..3),
        patterns(0..2),
        prop::option::of(1u64..4),
        age(),
        age(),
    )
        .prop_map(|(tags, protect, keep_newest, older_than, untagged_after)| {
            let limited = keep_newest.is_some() || older_than.is_some();
            Rule {
                tags: if limited { tags } else { Vec::new() },
                protect,
                keep_newest,
                older_than,
                untagged_after,
                ..Rule::default()
            }
        })
}

fn planned(contents: &RepositoryContents, rule: &Rule) -> Plan {
    plan(
        contents,
        &CheckedRule::new(1, rule.clone()).unwrap(),
        MINIMUM_AGE,
        now(),
    )
}

fn gone(plan: &Plan) -> Gone {
    Gone {
        tags: plan.all_tags().map(|entry| entry.tag.clone()).collect(),
        manifests: plan
            .manifests
            .iter()
            .map(|entry| entry.digest.clone())
            .collect(),
    }
}

fn left(contents: &RepositoryContents, gone: &Gone) -> RepositoryContents {
    let mut left = contents.clone();
    left.tags.retain(|entry| !gone.tags.contains(&entry.tag));
    left.manifests
        .retain(|entry| !gone.manifests.contains(&entry.digest));
    left
}

/// All that tags lead to: the children of what they lead to, and what names it as its subject. What is
/// not there leads nowhere.
fn reachable(contents: &RepositoryContents, tags: &[TagEntry]) -> BTreeSet<Digest> {
    let mut reached = BTreeSet::new();
    let mut next: Vec<Digest> = tags.iter().map(|entry| entry.digest.clone()).collect();
    while let Some(digest) = next.pop() {
        let is_there = contents
            .manifests
            .iter()
            .any(|entry| entry.digest == digest);
        if !is_there || !reached.insert(digest.clone()) {
            continue;
        }
        for manifest in &contents.manifests {
            if manifest.digest == digest {
                next.extend(manifest.children.iter().cloned());
            }
            if manifest.subject.as_ref() == Some(&digest) {
                next.push(manifest.digest.clone());
            }
        }
    }
    reached
}

/// Deletes in the order of the plan, by what a store demands of each.
fn delete(contents: &RepositoryContents, plan: &Plan) -> Result<(), TestCaseError> {
    let mut left = contents.clone();
    let untag = |left: &mut RepositoryContents, tags: &[TagEntry]| {
        left.tags.retain(|entry| !tags.contains(entry));
    };
    untag(&mut left, &plan.tags);
    for generation in plan.manifests.chunk_by(|a, b| a.generation == b.generation) {
        for going in generation {
            let digest = &going.digest;
            prop_assert!(left.tags.iter().all(|entry| entry.digest != *digest));
            let has = |other: &Digest| left.manifests.iter().any(|entry| entry.digest == *other);
            for entry in &left.manifests {
                let is_going = entry.digest == *digest;
                prop_assert!(is_going || !entry.children.contains(digest));
                let subject = entry.subject.as_ref().filter(|subject| *subject != digest);
                prop_assert!(!is_going || !subject.is_some_and(has));
            }
        }
        for going in generation {
            left.manifests.retain(|entry| entry.digest != going.digest);
            untag(&mut left, &going.followers);
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn a_plan_is_what_the_oracle_says(contents in any_contents(), rule in rules()) {
        let oracle = Oracle { contents: &contents, rule: &rule, minimum_age: MINIMUM_AGE, now: now() };
        prop_assert_eq!(gone(&planned(&contents, &rule)), oracle.gone());
    }

    #[test]
    fn what_a_tag_that_stays_leads_to_stays(contents in any_contents(), rule in rules()) {
        let gone = gone(&planned(&contents, &rule));
        let left = left(&contents, &gone);
        let reachable = reachable(&contents, &left.tags);
        prop_assert!(reachable.is_disjoint(&gone.manifests));
    }

    #[test]
    fn what_is_protected_stays(contents in any_contents(), rule in rules()) {
        let gone = gone(&planned(&contents, &rule));
        let oracle = Oracle { contents: &contents, rule: &rule, minimum_age: MINIMUM_AGE, now: now() };
        let is_protected = |name: &Tag| {
            let entry = contents.tags.iter().find(|entry| entry.tag == *name).unwrap();
            oracle.is_protected(entry)
        };
        prop_assert!(!gone.tags.iter().any(is_protected));
    }

    #[test]
    fn what_was_used_lately_stays(contents in any_contents(), rule in rules()) {
        let age = rule.untagged_after.unwrap_or(MINIMUM_AGE);
        let plan = planned(&contents, &rule);
        prop_assert!(plan.manifests.iter().all(|entry| entry.used_at + age <= now()));
    }

    /// What no rule would ever look at again.
    #[test]
    fn nothing_is_left_without_a_holder(contents in any_contents(), rule in rules()) {
        let rule = Rule { untagged_after: None, ..rule };
        let left = left(&contents, &gone(&planned(&contents, &rule)));
        let is_held = |contents: &RepositoryContents, digest: &Digest| {
            let oracle = Oracle {
                contents,
                rule: &rule,
                minimum_age: MINIMUM_AGE,
                now: now(),
            };
            oracle.is_held(digest)
        };
        for manifest in &left.manifests {
            let was_held = is_held(&contents, &manifest.digest);
            prop_assert!(!was_held || is_held(&left, &manifest.digest));
        }
    }

    #[test]
    fn nothing_is_left_to_do(contents in any_contents(), rule in rules()) {
        let gone = gone(&planned(&contents, &rule));
        let again = planned(&left(&contents, &gone), &rule);
        prop_assert_eq!(again, Plan::default());
    }

    #[test]
    fn a_plan_can_be_done_in_its_order(contents in any_contents(), rule in rules()) {
        delete(&contents, &planned(&contents, &rule))?;
    }
}
