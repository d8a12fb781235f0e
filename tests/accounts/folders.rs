//! Which folders accounts are kept in, who may read them, and where else they go.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::harness::Berth;
use crate::{add_token, add_user, fails, json, succeeds};

fn all_accounts(data: &Path) -> [serde_json::Value; 3] {
    ["user", "token", "key"].map(|what| json(&[what, "list"], data))
}

/// What group and others may do with the metadata.
fn others_may(data: &Path) -> u32 {
    let metadata = fs::metadata(data.join("metadata.sqlite3")).unwrap();
    metadata.permissions().mode() & 0o077
}

#[test]
fn the_first_account_makes_a_registry_and_a_list_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    for arguments in [
        &["user", "list"][..],
        &["user", "remove", "alice"],
        &["user", "password", "alice", "--password-stdin"],
        &["token", "list"],
        &["token", "revoke", "ci"],
        &["key", "list"],
        &["key", "rotate"],
    ] {
        let said = fails(arguments, &data, "correct horse\n");
        assert!(said.contains("there is no registry in"), "{said}");
        assert!(!data.exists());
    }
    let add = ["user", "add", "alice", "--password-stdin"];
    let said = succeeds(&add, &data, "correct horse\n");
    let note = format!("there was no registry in {}, and a new one", data.display());
    assert!(said.contains(&note), "{said}");
    assert_eq!(others_may(&data), 0);
    let mode = fs::metadata(&data).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
    let said = succeeds(&["user", "remove", "alice"], &data, "");
    assert!(!said.contains("there was no registry"), "{said}");
    add_user("alice", "correct horse", &data);
    let users = json(&["user", "list"], &data);
    assert_eq!(users["users"][0]["name"], "alice");
}

#[test]
fn accounts_are_there_after_a_restart_and_in_a_backup() {
    let server = Berth::start();
    add_user("alice", "correct horse", &server.data());
    add_token("ci", &server.data());
    succeeds(&["token", "revoke", "ci"], &server.data(), "");
    add_token("ci", &server.data());
    succeeds(&["key", "rotate"], &server.data(), "");
    let before = all_accounts(&server.data());
    let server = server.kill_and_restart();
    assert_eq!(all_accounts(&server.data()), before);

    let folder = tempfile::tempdir().unwrap();
    let [backup, restored] = ["backup", "restored"].map(|name| folder.path().join(name));
    let backup_text = backup.to_str().unwrap();
    succeeds(&["backup", backup_text], &server.data(), "");
    succeeds(&["restore", backup_text], &restored, "");
    assert_eq!(all_accounts(&restored), before);
    for data in [&server.data(), &backup, &restored] {
        assert_eq!(others_may(data), 0, "{}", data.display());
    }
}

#[test]
fn as_json_a_new_registry_is_told_too() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let add = ["token", "add", "ci", "--repository", "**", "--action"];
    let added = json(&[&add[..], &["pull"]].concat(), &data);
    let note = added["notes"][0].as_str().unwrap();
    assert!(note.contains("there was no registry in"), "{added}");
}

/// The next backup would replace what was added.
#[test]
fn a_backup_gets_no_user_and_stays_a_backup() {
    let server = Berth::start();
    add_user("alice", "correct horse", &server.data());
    let folder = tempfile::tempdir().unwrap();
    let backup = folder.path().join("backup");
    let back_up = ["backup", backup.to_str().unwrap()];
    succeeds(&back_up, &server.data(), "");
    json(&["user", "list"], &backup);
    for change in [
        &["user", "add", "bob", "--password-stdin"][..],
        &["user", "remove", "alice"],
        &["key", "rotate"],
    ] {
        let said = fails(change, &backup, "battery staple\n");
        assert!(said.contains("is a backup"), "{said}");
    }
    let users = json(&["user", "list"], &backup);
    assert_eq!(users["users"].as_array().unwrap().len(), 1);
    succeeds(&back_up, &server.data(), "");
}
