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
    ] {
        let said = fails(arguments, &data, "correct horse\n");
        assert!(said.contains("there is no registry in"), "{said}");
        assert!(!data.exists());
    }
    add_user("alice", "correct horse", &data);
    assert_eq!(others_may(&data), 0);
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

/// Or the next backup would replace what was added.
#[test]
fn a_backup_that_gets_a_user_is_no_backup_any_more() {
    let server = Berth::start();
    add_user("alice", "correct horse", &server.data());
    let folder = tempfile::tempdir().unwrap();
    let backup = folder.path().join("backup");
    let back_up = ["backup", backup.to_str().unwrap()];
    succeeds(&back_up, &server.data(), "");
    json(&["user", "list"], &backup);
    succeeds(&back_up, &server.data(), "");
    add_user("bob", "battery staple", &backup);
    let said = fails(&back_up, &server.data(), "");
    assert!(said.contains(backup.to_str().unwrap()), "{said}");
    assert_eq!(json(&["user", "list"], &backup)["users"][1]["name"], "bob");
}
