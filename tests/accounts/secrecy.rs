//! Where passwords and secrets do not go.

use std::fs;
use std::path::Path;

use crate::harness::Berth;
use crate::{run, text};

const PASSWORDS: [&str; 2] = ["correct horse battery", "another horse battery"];

/// Does all that is done to accounts, and answers all that was said of it, but for the token, and the token.
fn everything(config: &Path, data: &Path) -> (String, String) {
    let mut said = String::new();
    let mut token = String::new();
    let add_token = [
        "token",
        "add",
        "ci",
        "--repository",
        "**",
        "--action",
        "pull",
    ];
    for (arguments, input) in [
        (
            &["user", "add", "alice", "--password-stdin"][..],
            PASSWORDS[0],
        ),
        (&["user", "add", "alice", "--password-stdin"], PASSWORDS[0]),
        (
            &["user", "password", "alice", "--password-stdin"],
            PASSWORDS[1],
        ),
        (
            &["user", "password", "bob", "--password-stdin"],
            PASSWORDS[1],
        ),
        (&add_token, ""),
        (&add_token, ""),
        (&["key", "rotate"], ""),
        (&["user", "list"], ""),
        (&["user", "list", "--json"], ""),
        (&["token", "list"], ""),
        (&["token", "list", "--json"], ""),
        (&["key", "list", "--json"], ""),
        (&["verify"], ""),
    ] {
        let with_config = [arguments, &["--config", config.to_str().unwrap()]].concat();
        let output = run(&with_config, data, &format!("{input}\n"));
        said += &text(&output.stderr);
        match token.is_empty() && arguments == add_token {
            true => token = text(&output.stdout).trim_end().to_owned(),
            false => said += &text(&output.stdout),
        }
    }
    assert!(said.contains("alice") && said.contains("ci"), "{said}");
    (said, token)
}

/// What is in any file below a folder.
fn is_in_files(folder: &Path, text: &str) -> bool {
    fs::read_dir(folder).unwrap().any(|entry| {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => is_in_files(&path, text),
            // A socket cannot be read.
            false => fs::read(&path).is_ok_and(|content| contains(&content, text)),
        }
    })
}

fn contains(content: &[u8], text: &str) -> bool {
    content
        .windows(text.len())
        .any(|window| window == text.as_bytes())
}

fn is_kept_secret(said: &str, token: &str, data: &Path) {
    let secret = secret_of(token);
    for hidden in [PASSWORDS[0], PASSWORDS[1], secret] {
        assert!(!said.contains(hidden), "{hidden} is in {said}");
        assert!(!is_in_files(data, hidden), "{hidden} is in a file");
    }
    for hidden in ["$argon2", "PRIVATE KEY"] {
        assert!(!said.contains(hidden), "{hidden} is in {said}");
        // That this looks where things are.
        assert!(is_in_files(data, hidden), "{hidden} is in no file");
    }
}

/// The part of a token that is secret.
fn secret_of(token: &str) -> &str {
    let secret = token.strip_prefix("berth_").map(|rest| &rest[17..]);
    secret.unwrap_or_else(|| panic!("{token:?} is no token"))
}

#[test]
fn nothing_secret_is_in_logs_lists_or_files() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("berth.toml");
    fs::write(&config, "log = \"trace\"\n").unwrap();

    let server = Berth::start_with(&["--log", "trace"]);
    let data = server.data();
    let (said, token) = everything(&config, &data);
    is_kept_secret(&said, &token, &data);
    // What it did not close is looked at, too.
    let mut server = server;
    server.kill();
    let log = server.log();
    assert!(log.contains("a user was added"), "{log}");
    is_kept_secret(&log, &token, &data);

    let data = folder.path().join("data");
    let (said, token) = everything(&config, &data);
    assert!(said.contains("a user was added"), "{said}");
    is_kept_secret(&said, &token, &data);
}
