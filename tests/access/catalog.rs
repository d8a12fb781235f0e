use std::collections::BTreeSet;

use crate::world::{PASSWORD, World, basic};

/// All names that somebody is shown, page by page; what is in a page or its link is checked against what may be.
fn names(world: &World, caller: Option<&str>, n: usize, may_see: fn(&str) -> bool) -> Vec<String> {
    let mut names = Vec::new();
    let mut next = Some(format!("/v2/_catalog?n={n}"));
    while let Some(url) = next {
        let answer = world.ask("GET", &url, caller).is(200);
        let page = answer.json()["repositories"].as_array().unwrap().clone();
        next = answer.next();
        assert!(
            page.len() == n || next.is_none(),
            "a page is not full: {page:?}"
        );
        names.extend(page.iter().map(|name| name.as_str().unwrap().to_owned()));
        if let Some(url) = &next {
            let last = url.rsplit_once("last=").unwrap().1.replace("%2F", "/");
            assert_eq!(Some(&last), names.last());
        }
    }
    assert!(names.iter().all(|name| may_see(name)), "{names:?}");
    names
}

#[test]
fn the_catalog_shows_what_somebody_may_pull_in_full_pages() {
    let world = World::start();
    let mut all = BTreeSet::new();
    for number in 0..6 {
        for folder in ["team", "open", "public", "vault"] {
            let name = format!("{folder}/app{number}");
            world.push_blob(&name, b"content");
            all.insert(name);
        }
    }
    let of = |folders: &[&str]| -> Vec<String> {
        let is_of = |name: &&String| folders.iter().any(|folder| name.starts_with(folder));
        all.iter().filter(is_of).cloned().collect()
    };
    let named = |user| Some(basic(user, PASSWORD));
    for n in [1, 2, 5, 6, 7, 12, 100] {
        let anonymous = names(&world, None, n, |name| name.starts_with("public/"));
        assert_eq!(anonymous, of(&["public"]));
        let reader = named("reader");
        let found = names(&world, reader.as_deref(), n, |name| {
            !name.starts_with("vault/")
        });
        assert_eq!(found, of(&["team", "open", "public"]));
        let stranger = named("stranger");
        let found = names(&world, stranger.as_deref(), n, |name| {
            name.starts_with("open/") || name.starts_with("public/")
        });
        assert_eq!(found, of(&["open", "public"]));
        let root = named("root");
        assert_eq!(names(&world, root.as_deref(), n, |_| true).len(), all.len());
    }
    // A token for the list shows the same as the password.
    let bearer = world.bearer("stranger", &["registry:catalog:*"]);
    let found = names(&world, Some(&bearer), 3, |name| !name.starts_with("vault/"));
    assert_eq!(found, of(&["open", "public"]));
    // One that cannot pull sees nothing.
    let robot = format!("Bearer {}", world.robot("pusher", "**", "push"));
    assert!(names(&world, Some(&robot), 3, |_| false).is_empty());
    let robot = format!("Bearer {}", world.robot("puller", "vault/*", "pull"));
    let found = names(&world, Some(&robot), 4, |name| name.starts_with("vault/"));
    assert_eq!(found, of(&["vault"]));
}

#[test]
fn the_list_goes_on_after_a_name_that_is_hidden() {
    let world = World::start();
    for name in ["public/a", "vault/a", "vault/b"] {
        world.push_blob(name, b"content");
    }
    for last in ["public/a", "vault", "vault/a", "vault/aa"] {
        let answer = world
            .ask("GET", &format!("/v2/_catalog?last={last}"), None)
            .is(200);
        assert_eq!(
            answer.json()["repositories"].as_array().unwrap().len(),
            0,
            "{last}"
        );
        assert!(!answer.has("link"));
    }
}

#[test]
fn where_nobody_may_pull_anything_without_a_name_the_list_needs_one() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("berth.toml");
    std::fs::write(&file, "accounts = true\n").unwrap();
    let berth = crate::harness::Berth::start_with(&["--config", file.to_str().unwrap()]);
    let answer = berth.get("/v2/_catalog").fails_with(401, "UNAUTHORIZED");
    let challenge = answer.header("www-authenticate");
    assert!(
        challenge.ends_with(",scope=\"registry:catalog:*\""),
        "{challenge}"
    );
}
