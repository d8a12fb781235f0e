use std::path::Path;

use serde_json::{Value, json};

use crate::harness::wait_until;
use crate::{add_token, beside_a_server_and_without, fails, json, run, succeeds, text};

/// The id of a token, which must look like one.
fn id_of(token: &str) -> &str {
    let (id, secret) = token
        .strip_prefix("berth_")
        .and_then(|rest| rest.split_once('_'))
        .unwrap_or_else(|| panic!("{token:?} is no token"));
    assert!(id.len() == 16 && id.bytes().all(|byte| byte.is_ascii_hexdigit()));
    let is_base64url = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    assert!(secret.len() == 43 && secret.bytes().all(is_base64url));
    id
}

fn listed(data: &Path) -> Vec<Value> {
    let mut listed = json(&["token", "list"], data);
    listed["tokens"].take().as_array().unwrap().clone()
}

#[test]
fn standard_output_gets_the_token_and_nothing_else() {
    beside_a_server_and_without(|data| {
        let add = [
            "token",
            "add",
            "ci",
            "--repository",
            "team/*",
            "--repository",
            "{a,b}/**",
            "--action",
            "push,pull",
            "--expires",
            "90d",
        ];
        let output = run(&add, data, "");
        assert!(output.status.success(), "{output:?}");
        let token = text(&output.stdout);
        let token = token.strip_suffix('\n').unwrap();
        let id = id_of(token);
        let said = text(&output.stderr);
        let told = format!("added the token ci with the id {id}, which expires 20");
        assert!(said.contains(&told), "{said}");
        assert!(said.contains("may pull,push in team/* {a,b}/**"), "{said}");
        assert!(!said.contains(token), "{said}");

        let tokens = listed(data);
        assert_eq!(tokens.len(), 1);
        assert_eq!(tokens[0]["id"], id);
        let grants = json!([{"repositories": ["team/*", "{a,b}/**"], "actions": ["pull", "push"]}]);
        assert_eq!(tokens[0]["grants"], grants);
        assert_eq!(tokens[0]["state"], "valid");
        let table = succeeds(&["token", "list"], data, "");
        assert!(table.contains("pull,push in team/* {a,b}/**"), "{table}");
    });
}

#[test]
fn as_json_the_token_is_part_of_what_came_of_it() {
    beside_a_server_and_without(|data| {
        let add = [
            "token",
            "add",
            "ci",
            "--repository",
            "**",
            "--action",
            "admin",
        ];
        let added = json(&add, data);
        let added = &added["token_added"];
        assert_eq!(added["id"], id_of(added["token"].as_str().unwrap()));
        assert_eq!(added["expires_at"], json!(null));
        let mut tokens = listed(data);
        assert_eq!(tokens.len(), 1);
        tokens[0]["token"] = added["token"].clone();
        assert_eq!(tokens[0], *added);
    });
}

#[test]
fn a_token_is_revoked_for_good_and_stays_listed() {
    beside_a_server_and_without(|data| {
        let first = add_token("ci", data);
        let add = [
            "token",
            "add",
            "ci",
            "--repository",
            "**",
            "--action",
            "pull",
        ];
        let said = fails(&add, data, "");
        assert!(said.contains("there is a token ci already"), "{said}");

        let said = succeeds(&["token", "revoke", "ci"], data, "");
        assert!(said.starts_with("revoked the token ci"), "{said}");
        for token in ["ci", id_of(&first), "never-added"] {
            let said = fails(&["token", "revoke", token], data, "");
            assert!(said.contains("there is no token"), "{said}");
        }
        // The name is free, and by its id the right one of the two goes.
        let second = add_token("ci", data);
        let other = add_token("another", data);
        succeeds(&["token", "remove", id_of(&second)], data, "");
        let states: Vec<(String, String)> = listed(data)
            .iter()
            .map(|token| {
                let text = |key: &str| token[key].as_str().unwrap().to_owned();
                (text("id"), text("state"))
            })
            .collect();
        let expected = [(&other, "valid"), (&first, "revoked"), (&second, "revoked")];
        let expected = expected.map(|(token, state)| (id_of(token).to_owned(), state.to_owned()));
        assert_eq!(states, expected);
        let table = succeeds(&["token", "list"], data, "");
        assert_eq!(table.matches("  revoked 20").count(), 2, "{table}");
    });
}

#[test]
fn the_list_tells_which_have_expired() {
    beside_a_server_and_without(|data| {
        let add = [
            "token",
            "add",
            "ci",
            "--repository",
            "**",
            "--action",
            "pull",
            "--expires",
            "1s",
        ];
        succeeds(&add, data, "");
        wait_until("it expires", || listed(data)[0]["state"] == "expired");
        // It has its name until it is revoked.
        let said = fails(&add, data, "");
        assert!(said.contains("berth token revoke"), "{said}");
    });
}

#[test]
fn a_token_whose_record_is_damaged_may_nothing_and_can_be_revoked() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    add_token("ci", &data);
    add_token("damaged", &data);
    let metadata = rusqlite::Connection::open(data.join("metadata.sqlite3")).unwrap();
    let damage = "UPDATE robot_tokens SET scope = '[{' WHERE name = 'damaged'";
    assert_eq!(metadata.execute(damage, []).unwrap(), 1);
    drop(metadata);
    let table = succeeds(&["token", "list"], &data, "");
    assert!(table.contains("pull in **\n"), "{table}");
    assert!(table.ends_with("  nothing\n"), "{table}");
    succeeds(&["token", "revoke", "damaged"], &data, "");
    assert_eq!(listed(&data)[1]["state"], "revoked");
}
