//! What is refused before anything happens.

use crate::{fails, harness::Berth, json};

#[test]
fn names_that_would_be_misread_are_refused() {
    let server = Berth::start();
    let too_long = "a".repeat(129);
    for (name, why) in [
        ("a:b", "no :"),
        ("", "cannot be empty"),
        ("a\nb", "control characters"),
        (" alice", "space"),
        ("a*", "no *"),
        ("anonymous", "meaning of its own"),
        (&too_long, "at most 128 bytes"),
    ] {
        let add = ["user", "add", name, "--password-stdin"];
        let said = fails(&add, &server.data(), "correct horse\n");
        assert!(said.contains(why), "{said}");
    }
    let group = ["user", "add", "alice", "--group", "a:b", "--password-stdin"];
    assert!(fails(&group, &server.data(), "correct horse\n").contains("no :"));
    let users = json(&["user", "list"], &server.data());
    assert_eq!(users["users"], serde_json::json!([]));
}

#[test]
fn weak_passwords_are_refused() {
    let server = Berth::start();
    let add = ["user", "add", "alice", "--password-stdin"];
    let too_long = "x".repeat(1025);
    for (input, why) in [
        ("", "cannot be empty"),
        ("\n", "cannot be empty"),
        ("\ncorrect horse\n", "cannot be empty"),
        ("1234567\n", "at least 8 characters"),
        (&too_long, "at most 1024 bytes"),
    ] {
        let said = fails(&add, &server.data(), input);
        assert!(said.contains(why), "{said}");
    }
    // Standard input is read only if that is asked for.
    let said = fails(&["user", "add", "alice"], &server.data(), "correct horse\n");
    assert!(said.contains("--password-stdin"), "{said}");
    let users = json(&["user", "list"], &server.data());
    assert_eq!(users["users"], serde_json::json!([]));
}

#[test]
fn tokens_that_make_no_sense_are_refused() {
    let server = Berth::start();
    let add = |more: &[&str]| fails(&[&["token", "add"], more].concat(), &server.data(), "");
    for (more, why) in [
        (&["ci", "--action", "pull"][..], "--repository"),
        (&["ci", "--repository", "**"], "--action"),
        (&["ci", "--repository", "[", "--action", "pull"], "glob"),
        (
            &["ci", "--repository", "**", "--action", "pull,fly"],
            "\"fly\" is no action",
        ),
        (
            &["0123456789abcdef", "--repository", "**", "--action", "pull"],
            "an id",
        ),
        (&["a:b", "--repository", "**", "--action", "pull"], "no :"),
        (
            &[
                "ci",
                "--repository",
                "**",
                "--action",
                "pull",
                "--expires",
                "0s",
            ],
            "longer than nothing",
        ),
        (
            &[
                "ci",
                "--repository",
                "**",
                "--action",
                "pull",
                "--expires",
                "soon",
            ],
            "length of time",
        ),
    ] {
        let said = add(more);
        assert!(said.contains(why), "{said}");
    }
    let tokens = json(&["token", "list"], &server.data());
    assert_eq!(tokens["tokens"], serde_json::json!([]));
}
