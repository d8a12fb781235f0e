use std::time::{Duration, SystemTime};

use secrecy::ExposeSecret;

use crate::{AccountStore, RobotTokenRecord, SigningKeyRecord, UserRecord};

/// Runs the suite of [`AccountStore`]. The store must be empty.
///
/// # Panics
/// When the implementation breaks the contract.
pub async fn account_store(store: &dyn AccountStore) {
    users_are_found_until_removed(store).await;
    a_name_is_one_users(store).await;
    a_password_is_changed_alone(store).await;
    users_come_in_pages_in_byte_order(store).await;
    a_robots_token_is_found_until_revoked(store).await;
    a_robots_name_is_free_when_its_token_is_revoked(store).await;
    robots_tokens_come_in_pages_by_id(store).await;
    the_newest_key_comes_first(store).await;
    a_key_that_comes_too_late_is_not_kept(store).await;
    old_keys_are_forgotten_but_for_the_newest(store).await;
}

/// So many milliseconds after the epoch, and some nanoseconds that no store keeps.
fn moment(milliseconds: u64) -> SystemTime {
    exactly(milliseconds) + Duration::from_nanos(123_456)
}

fn exactly(milliseconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_millis(milliseconds)
}

fn user(name: &str) -> UserRecord {
    UserRecord {
        name: name.to_owned(),
        password_hash: format!("hash of {name}").into(),
        groups: ["ops", "d\"ev", "ä"].map(str::to_owned).into(),
        created_at: moment(1000),
        expires_at: Some(moment(2000)),
    }
}

/// What a store answers for [`user`].
fn is_user(found: &UserRecord, name: &str) {
    let expected = user(name);
    assert_eq!(found.name, name);
    assert_eq!(
        found.password_hash.expose_secret(),
        expected.password_hash.expose_secret()
    );
    assert_eq!(found.groups, expected.groups);
    assert_eq!(found.created_at, exactly(1000));
    assert_eq!(found.expires_at, Some(exactly(2000)));
}

async fn users_are_found_until_removed(store: &dyn AccountStore) {
    assert!(store.user("found").await.unwrap().is_none());
    assert!(store.add_user(&user("found")).await.unwrap());
    is_user(&store.user("found").await.unwrap().unwrap(), "found");
    for other in ["foun", "found ", "Found", "f%", ""] {
        assert!(store.user(other).await.unwrap().is_none(), "{other}");
        assert!(!store.remove_user(other).await.unwrap(), "{other}");
    }
    assert!(store.remove_user("found").await.unwrap());
    assert!(!store.remove_user("found").await.unwrap());
    assert!(store.user("found").await.unwrap().is_none());
    let forever = UserRecord {
        groups: [].into(),
        expires_at: None,
        ..user("found")
    };
    assert!(store.add_user(&forever).await.unwrap());
    let found = store.user("found").await.unwrap().unwrap();
    assert_eq!((found.groups, found.expires_at), (forever.groups, None));
    assert!(store.remove_user("found").await.unwrap());
}

async fn a_name_is_one_users(store: &dyn AccountStore) {
    assert!(store.add_user(&user("taken")).await.unwrap());
    let second = UserRecord {
        password_hash: "another hash".into(),
        expires_at: None,
        ..user("taken")
    };
    assert!(!store.add_user(&second).await.unwrap());
    is_user(&store.user("taken").await.unwrap().unwrap(), "taken");
    assert!(store.remove_user("taken").await.unwrap());
}

async fn a_password_is_changed_alone(store: &dyn AccountStore) {
    let hash = "a new hash".into();
    assert!(!store.set_password_hash("changes", &hash).await.unwrap());
    assert!(store.user("changes").await.unwrap().is_none());
    for name in ["changes", "stays"] {
        assert!(store.add_user(&user(name)).await.unwrap());
    }
    assert!(store.set_password_hash("changes", &hash).await.unwrap());
    let changed = store.user("changes").await.unwrap().unwrap();
    assert_eq!(changed.password_hash.expose_secret(), "a new hash");
    let rest = UserRecord {
        password_hash: user("changes").password_hash,
        ..changed
    };
    is_user(&rest, "changes");
    is_user(&store.user("stays").await.unwrap().unwrap(), "stays");
    for name in ["changes", "stays"] {
        assert!(store.remove_user(name).await.unwrap());
    }
}

async fn users_come_in_pages_in_byte_order(store: &dyn AccountStore) {
    let in_order = ["B", "a", "a-b", "a_b", "ab", "ä"];
    for name in ["ab", "ä", "a_b", "B", "a", "a-b"] {
        assert!(store.add_user(&user(name)).await.unwrap());
    }
    let names = async |last: Option<&str>, limit| -> Vec<String> {
        let users = store.users(last, limit).await.unwrap();
        users.into_iter().map(|user| user.name).collect()
    };
    assert_eq!(names(None, 10).await, in_order);
    assert_eq!(names(None, 2).await, in_order[..2]);
    assert_eq!(names(Some("a"), 2).await, in_order[2..4]);
    assert_eq!(names(Some("a."), 10).await, in_order[3..]);
    assert_eq!(names(Some("ä"), 10).await, [""; 0]);
    assert_eq!(names(None, 0).await, [""; 0]);
    is_user(&store.users(None, 1).await.unwrap()[0], "B");
    for name in in_order {
        assert!(store.remove_user(name).await.unwrap());
    }
}

fn token(id: &str, name: &str) -> RobotTokenRecord {
    RobotTokenRecord {
        id: id.to_owned(),
        name: name.to_owned(),
        secret_hash: format!("hash of {id}").into(),
        scope: format!("what {id} may do: \"\u{1}'"),
        created_at: moment(1000),
        expires_at: Some(moment(2000)),
        revoked_at: None,
    }
}

fn is_token(found: &RobotTokenRecord, id: &str, name: &str) {
    let expected = token(id, name);
    assert_eq!((found.id.as_str(), found.name.as_str()), (id, name));
    assert_eq!(
        found.secret_hash.expose_secret(),
        expected.secret_hash.expose_secret()
    );
    assert_eq!(found.scope, expected.scope);
    assert_eq!(found.created_at, exactly(1000));
    assert_eq!(found.expires_at, Some(exactly(2000)));
}

async fn listed(store: &dyn AccountStore, id: &str) -> RobotTokenRecord {
    let tokens = store.robot_tokens(None, 100).await.unwrap();
    let mut tokens = tokens.into_iter();
    tokens.find(|token| token.id == id).unwrap()
}

async fn a_robots_token_is_found_until_revoked(store: &dyn AccountStore) {
    assert!(store.robot_token("found-1").await.unwrap().is_none());
    assert!(
        store
            .add_robot_token(&token("found-1", "found"))
            .await
            .unwrap()
    );
    for found in [
        store.robot_token("found-1").await.unwrap().unwrap(),
        store.robot_token_named("found").await.unwrap().unwrap(),
        listed(store, "found-1").await,
    ] {
        is_token(&found, "found-1", "found");
        assert_eq!(found.revoked_at, None);
    }
    // An id is no name, and a name no id.
    assert!(store.robot_token("found").await.unwrap().is_none());
    assert!(store.robot_token_named("found-1").await.unwrap().is_none());
    assert!(
        !store
            .revoke_robot_token("found", moment(1500))
            .await
            .unwrap()
    );

    assert!(
        store
            .revoke_robot_token("found-1", moment(1500))
            .await
            .unwrap()
    );
    assert!(store.robot_token("found-1").await.unwrap().is_none());
    assert!(store.robot_token_named("found").await.unwrap().is_none());
    let again = store.revoke_robot_token("found-1", moment(1600));
    assert!(!again.await.unwrap());
    let revoked = listed(store, "found-1").await;
    is_token(&revoked, "found-1", "found");
    assert_eq!(revoked.revoked_at, Some(exactly(1500)));
}

async fn a_robots_name_is_free_when_its_token_is_revoked(store: &dyn AccountStore) {
    let add = async |id: &str, name: &str| store.add_robot_token(&token(id, name)).await.unwrap();
    assert!(add("name-1", "name").await);
    assert!(!add("name-2", "name").await, "the name is taken");
    assert!(!add("name-1", "other").await, "the id is taken");
    let named = async || store.robot_token_named("name").await.unwrap();
    is_token(&named().await.unwrap(), "name-1", "name");
    assert!(store.robot_token_named("other").await.unwrap().is_none());

    for (number, id) in ["name-1", "name-2", "name-3"].iter().enumerate() {
        assert_eq!(add(id, "name").await, number > 0);
        is_token(&named().await.unwrap(), id, "name");
        let revoked = store.revoke_robot_token(id, moment(1500)).await;
        assert!(revoked.unwrap());
        assert!(named().await.is_none());
        assert!(!add(id, "name").await, "the id is taken for good");
    }
    // One that is revoked before it is kept takes no name.
    let revoked = RobotTokenRecord {
        revoked_at: Some(moment(1)),
        ..token("name-4", "name")
    };
    assert!(add("name-5", "name").await);
    assert!(store.add_robot_token(&revoked).await.unwrap());
    is_token(&named().await.unwrap(), "name-5", "name");
    assert!(store.robot_token("name-4").await.unwrap().is_none());
    assert_eq!(listed(store, "name-4").await.revoked_at, Some(exactly(1)));
}

async fn robots_tokens_come_in_pages_by_id(store: &dyn AccountStore) {
    let ids = async |last: Option<&str>, limit| -> Vec<String> {
        let tokens = store.robot_tokens(last, limit).await.unwrap();
        tokens.into_iter().map(|token| token.id).collect()
    };
    for id in ["page-c", "page-A", "page-b"] {
        let token = token(id, id);
        assert!(store.add_robot_token(&token).await.unwrap());
    }
    let revoked = store.revoke_robot_token("page-b", moment(1500)).await;
    assert!(revoked.unwrap());
    assert_eq!(
        ids(Some("page"), 10).await,
        ["page-A", "page-b", "page-c"],
        "revoked ones too"
    );
    assert_eq!(ids(Some("page"), 2).await, ["page-A", "page-b"]);
    assert_eq!(ids(Some("page-A"), 1).await, ["page-b"]);
    assert_eq!(ids(Some("page-c"), 10).await, [""; 0]);
    let all = ids(None, 100).await;
    assert!(all.is_sorted(), "{all:?}");
    assert_eq!(ids(None, 2).await, all[..2]);
}

fn key(id: &str, made_at: SystemTime) -> SigningKeyRecord {
    SigningKeyRecord {
        id: id.to_owned(),
        private_key: format!("-----BEGIN {id}-----\n").into(),
        created_at: made_at,
    }
}

async fn key_ids(store: &dyn AccountStore) -> Vec<String> {
    let keys = store.signing_keys().await.unwrap();
    keys.into_iter().map(|key| key.id).collect()
}

async fn the_newest_key_comes_first(store: &dyn AccountStore) {
    let never = SystemTime::now();
    assert!(store.signing_keys().await.unwrap().is_empty());
    assert_eq!(store.forget_signing_keys(never).await.unwrap(), 0);
    for (id, made_at) in [("b", 20), ("d", 10), ("a", 30), ("c", 20)] {
        let key = key(id, moment(made_at));
        assert!(store.add_signing_key(&key, never).await.unwrap());
    }
    let keys = store.signing_keys().await.unwrap();
    let ids: Vec<&str> = keys.iter().map(|key| key.id.as_str()).collect();
    assert_eq!(ids, ["a", "c", "b", "d"]);
    assert_eq!(keys[0].created_at, exactly(30));
    assert_eq!(
        keys[0].private_key.expose_secret(),
        key("a", never).private_key.expose_secret()
    );
}

async fn a_key_that_comes_too_late_is_not_kept(store: &dyn AccountStore) {
    // The newest was made at 30.
    let add = async |id: &str, unless_since: u64| {
        let key = key(id, moment(40));
        let added = store.add_signing_key(&key, exactly(unless_since));
        added.await.unwrap()
    };
    for unless_since in [0, 10, 29] {
        assert!(!add("late", unless_since).await, "{unless_since}");
    }
    assert!(!add("a", 100).await, "the id is taken");
    assert_eq!(key_ids(store).await, ["a", "c", "b", "d"]);
    assert!(add("in time", 30).await);
    assert!(!add("late", 30).await);
    assert_eq!(key_ids(store).await, ["in time", "a", "c", "b", "d"]);
}

async fn old_keys_are_forgotten_but_for_the_newest(store: &dyn AccountStore) {
    let forget = async |before: u64| store.forget_signing_keys(exactly(before)).await.unwrap();
    assert_eq!(forget(10).await, 0);
    assert_eq!(forget(21).await, 3);
    assert_eq!(key_ids(store).await, ["in time", "a"]);
    assert_eq!(forget(1000).await, 1);
    assert_eq!(forget(1000).await, 0);
    assert_eq!(key_ids(store).await, ["in time"]);
    // One that was made in the same millisecond, and has the last id, is the newest now.
    let newest = key("later", moment(40));
    assert!(store.add_signing_key(&newest, exactly(40)).await.unwrap());
    assert_eq!(forget(1000).await, 1);
    assert_eq!(key_ids(store).await, ["later"]);
}
