use std::path::Path;

use crate::{add_user, beside_a_server_and_without, json, succeeds};

/// The ids of all keys, of which the last must be the only one that signs: all of them are too new for every server to know
/// them.
fn keys(data: &Path) -> Vec<String> {
    let listed = json(&["key", "list"], data);
    let keys = listed["keys"].as_array().unwrap();
    let last = keys.len().saturating_sub(1);
    let ids = keys.iter().enumerate().map(|(position, key)| {
        assert_eq!(key["signs"], position == last, "{listed}");
        assert!(key["created_at"].as_str().unwrap().starts_with("20"));
        key["id"].as_str().unwrap().to_owned()
    });
    ids.collect()
}

#[test]
fn a_key_signs_until_servers_know_the_next_and_goes_only_when_told() {
    beside_a_server_and_without(|data| {
        add_user("alice", "correct horse", data);
        assert_eq!(keys(data), [""; 0]);
        let first = json(&["key", "rotate"], data)["key_rotated"]["id"].take();
        assert_eq!(keys(data), [first.as_str().unwrap()]);
        let second = json(&["key", "rotate"], data)["key_rotated"]["id"].take();
        let both = [&second, &first].map(|id| id.as_str().unwrap());
        assert_eq!(keys(data), both);
        let table = succeeds(&["key", "list"], data, "");
        let lines: Vec<&str> = table.lines().collect();
        assert!(lines[1].starts_with(both[0]) && lines[1].ends_with("verifies"));
        assert!(lines[2].starts_with(both[1]) && lines[2].ends_with("signs"));
        assert!(!table.contains("PRIVATE"), "{table}");

        let said = succeeds(&["key", "rotate", "--forget-older"], data, "");
        assert!(said.contains("older keys forgotten: 2"), "{said}");
        let left = keys(data);
        assert_eq!(left.len(), 1);
        assert!(!both.contains(&left[0].as_str()));
    });
}

/// As when a key was made or stolen while the clock was ahead.
#[test]
fn a_key_of_the_future_is_forgotten_too() {
    beside_a_server_and_without(|data| {
        add_user("alice", "correct horse", data);
        succeeds(&["key", "rotate"], data, "");
        let metadata = rusqlite::Connection::open(data.join("metadata.sqlite3")).unwrap();
        let ahead = "UPDATE signing_keys SET created_at = created_at + 1000000000";
        assert_eq!(metadata.execute(ahead, []).unwrap(), 1);
        drop(metadata);
        let stolen = keys(data);
        let rotated = json(&["key", "rotate", "--forget-older"], data);
        assert_eq!(rotated["key_rotated"]["forgotten"], 1);
        let left = keys(data);
        assert_eq!(left.len(), 1);
        assert_ne!(left, stolen);
    });
}
