//! Pages of the repositories that somebody may see are the same as if there were no others.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::sync::Arc;

use berth_metadata::{Blob, MemoryMetadata, MetadataStore};
use berth_registry::{MemoryBlobs, Registry, Settings};
use berth_spec::{Digest, RepositoryName};

/// More than are read from the store at a time.
const NUMBER: usize = 2500;

async fn registry() -> (Registry, Vec<RepositoryName>) {
    let metadata = Arc::new(MemoryMetadata::default());
    let blob = Blob::new(Digest::sha256(b""), 0);
    let names: Vec<RepositoryName> = (0..NUMBER)
        .map(|number| format!("a/{number:04}").parse().unwrap())
        .collect();
    for name in &names {
        metadata.link_blob(name, &blob, None).await.unwrap();
    }
    let blobs = Arc::new(MemoryBlobs::default());
    (Registry::new(metadata, blobs, Settings::default()), names)
}

fn number(name: &RepositoryName) -> usize {
    name.as_str()[2..].parse().unwrap()
}

#[tokio::test]
async fn pages_are_full_and_name_nothing_that_is_not_shown() {
    let (registry, names) = registry().await;
    let all = [String::new()];
    let shown: [fn(usize) -> bool; 7] = [
        |_| true,
        |_| false,
        |number| number == 0,
        |number| number == NUMBER - 1,
        |number| number % 7 == 3,
        |number| number == 999 || number == 1000,
        |number| number >= 1000,
    ];
    for (case, is_shown) in shown.into_iter().enumerate() {
        let expected: Vec<_> = names
            .iter()
            .filter(|name| is_shown(number(name)))
            .cloned()
            .collect();
        for limit in [1, 2, 399, 999, 1000, 1001, 2500, u32::MAX] {
            // Pages of one take a while.
            let most = if limit < 100 { 20 } else { usize::MAX };
            let (mut found, mut last, mut pages) = (Vec::new(), None::<String>, 0);
            loop {
                let page = registry
                    .repositories_where(last.as_deref(), Some(limit), &all, |name| {
                        is_shown(number(name))
                    })
                    .await
                    .unwrap();
                let is_full = page.repositories.len() == usize::try_from(limit).unwrap();
                assert!(is_full || !page.more, "case {case}, n={limit}");
                last = page.repositories.last().map(ToString::to_string);
                found.extend(page.repositories);
                pages += 1;
                if !page.more || pages == most {
                    let whole = if page.more {
                        found.len()
                    } else {
                        expected.len()
                    };
                    assert!(found == expected[..whole], "case {case}, n={limit}");
                    break;
                }
            }
        }
        let none = registry
            .repositories_where(None, Some(0), &all, |name| is_shown(number(name)))
            .await
            .unwrap();
        assert_eq!((none.repositories.len(), none.more), (0, false));
    }
}

#[tokio::test]
async fn a_page_goes_on_after_a_name_that_is_not_shown_or_not_there() {
    let (registry, names) = registry().await;
    let all = [String::new()];
    let page = |last| {
        registry.repositories_where(Some(last), Some(2), &all, |name| {
            number(name).is_multiple_of(2)
        })
    };
    for last in ["a/0003", "a/0003x"] {
        let found = page(last).await.unwrap();
        assert_eq!(found.repositories, [names[4].clone(), names[6].clone()]);
        assert!(found.more);
    }
    let end = page("b").await.unwrap();
    assert_eq!((end.repositories.len(), end.more), (0, false));
}

#[tokio::test]
async fn only_names_that_begin_as_is_said_are_looked_at() {
    let metadata = Arc::new(MemoryMetadata::default());
    let blob = Blob::new(Digest::sha256(b""), 0);
    let names = [
        "a", "a-b/c", "a/b", "a0/b", "aa", "b", "team-a/x", "team/a", "team/b", "team0", "teams/a",
        "z",
    ];
    for name in names {
        let name = name.parse().unwrap();
        metadata.link_blob(&name, &blob, None).await.unwrap();
    }
    let blobs = Arc::new(MemoryBlobs::default());
    let registry = Registry::new(metadata, blobs, Settings::default());
    let cases: [&[&str]; 9] = [
        &[""],
        &[],
        &["a"],
        &["a/", "team/"],
        &["a-b/", "b"],
        &["team"],
        &["team/", "team0"],
        &["0", "team/b", "zz"],
        &["z"],
    ];
    for prefixes in cases {
        let begins = |name: &&str| prefixes.iter().any(|prefix| name.starts_with(prefix));
        let expected: Vec<&str> = names.iter().copied().filter(begins).collect();
        let prefixes: Vec<String> = prefixes.iter().map(ToString::to_string).collect();
        for limit in [1, 2, 100] {
            let (mut found, mut last) = (Vec::new(), None::<String>);
            loop {
                let is_shown = |name: &RepositoryName| {
                    assert!(expected.contains(&name.as_str()), "{name} is looked at");
                    true
                };
                let page = registry
                    .repositories_where(last.as_deref(), Some(limit), &prefixes, is_shown)
                    .await
                    .unwrap();
                last = page.repositories.last().map(ToString::to_string);
                found.extend(page.repositories.iter().map(ToString::to_string));
                if !page.more {
                    break;
                }
            }
            assert_eq!(found, expected, "{prefixes:?}, n={limit}");
        }
    }
}
