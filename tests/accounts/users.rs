use std::path::Path;

use serde_json::json;

use crate::harness::wait_until;
use crate::{add_user, beside_a_server_and_without, fails, json, succeeds};

fn names(data: &Path) -> Vec<String> {
    let listed = json(&["user", "list"], data);
    let users = listed["users"].as_array().unwrap().iter();
    users
        .map(|user| user["name"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn users_are_listed_until_they_are_removed() {
    beside_a_server_and_without(|data| {
        let alice = [
            "user",
            "add",
            "alice",
            "--group",
            "ops",
            "--group",
            "dev",
            "--expires",
            "90d",
            "--password-stdin",
        ];
        let said = succeeds(&alice, data, "correct horse\n");
        assert!(
            said.starts_with("added the user alice, who expires 20"),
            "{said}"
        );
        add_user("Bob", "battery staple", data);
        let said = succeeds(
            &["user", "add", "carol@example.com", "--password-stdin"],
            data,
            "correct horse",
        );
        assert!(said.contains("does not expire"), "{said}");

        assert_eq!(names(data), ["Bob", "alice", "carol@example.com"]);
        let listed = json(&["user", "list"], data);
        let alice = &listed["users"][1];
        assert_eq!(alice["groups"], json!(["dev", "ops"]));
        assert_eq!(alice["state"], "valid");
        assert!(alice["expires_at"].as_str().unwrap().ends_with('Z'));
        assert_eq!(listed["users"][0]["expires_at"], json!(null));
        let table = succeeds(&["user", "list"], data, "");
        let lines: Vec<Vec<&str>> = table
            .lines()
            .map(|line| line.split_whitespace().collect())
            .collect();
        assert_eq!(lines[0], ["NAME", "EXPIRES", "ADDED", "GROUPS"]);
        assert_eq!(lines[1][..2], ["Bob", "never"]);
        assert_eq!((lines[2][0], lines[2][3]), ("alice", "dev,ops"));

        assert_eq!(
            succeeds(&["user", "remove", "alice"], data, ""),
            "removed the user alice\n"
        );
        succeeds(&["user", "revoke", "Bob"], data, "");
        assert_eq!(names(data), ["carol@example.com"]);
        // The name is free again.
        add_user("alice", "correct horse", data);
        assert_eq!(names(data), ["alice", "carol@example.com"]);
    });
}

#[test]
fn what_cannot_be_done_is_told_and_changes_nothing() {
    beside_a_server_and_without(|data| {
        add_user("alice", "correct horse", data);
        let before = hash_of_alice(data);
        let again = ["user", "add", "alice", "--password-stdin"];
        let said = fails(&again, data, "another horse\n");
        assert!(said.contains("there is a user alice already"), "{said}");
        for arguments in [
            &["user", "password", "bob", "--password-stdin"][..],
            &["user", "remove", "bob"],
            &["user", "remove", "Alice"],
        ] {
            let said = fails(arguments, data, "another horse\n");
            assert!(said.contains("there is no user"), "{said}");
            assert!(said.contains("berth user list"), "{said}");
        }
        assert_eq!(names(data), ["alice"]);
        assert_eq!(hash_of_alice(data), before);
    });
}

#[test]
fn a_password_is_changed_and_nothing_else() {
    beside_a_server_and_without(|data| {
        add_user("alice", "correct horse", data);
        let (before, listed) = (hash_of_alice(data), json(&["user", "list"], data));
        let arguments = ["user", "password", "alice", "--password-stdin"];
        let said = succeeds(&arguments, data, "battery staple\r\n");
        assert_eq!(said, "alice has another password\n");
        let after = hash_of_alice(data);
        assert!(after.starts_with("$argon2id$") && after != before);
        assert_eq!(json(&["user", "list"], data), listed);
    });
}

#[test]
fn the_list_tells_who_has_expired() {
    beside_a_server_and_without(|data| {
        let add = [
            "user",
            "add",
            "alice",
            "--expires",
            "1s",
            "--password-stdin",
        ];
        succeeds(&add, data, "correct horse\n");
        add_user("bob", "correct horse", data);
        let state = |user: usize| json(&["user", "list"], data)["users"][user]["state"].take();
        wait_until("alice expires", || state(0) == "expired");
        assert_eq!(state(1), "valid");
        let table = succeeds(&["user", "list"], data, "");
        let line = table
            .lines()
            .find(|line| line.starts_with("alice"))
            .unwrap();
        assert!(line.contains("  expired 20"), "{table}");
    });
}

fn hash_of_alice(data: &Path) -> String {
    let metadata = rusqlite::Connection::open(data.join("metadata.sqlite3")).unwrap();
    let query = "SELECT password_hash FROM users WHERE name = 'alice'";
    metadata.query_row(query, [], |row| row.get(0)).unwrap()
}
