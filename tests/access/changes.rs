//! Whoever is out is out, and whoever has a new password has a new one.

use std::fs;
use std::time::Duration;

use crate::harness::{Answer, wait_until};
use crate::world::{HASH, PASSWORD, World, basic, token_path};

fn add(world: &World, user: &str, password: &str, more: &[&str]) {
    let words = ["user", "add", user, "--password-stdin"];
    world.command(&[&words[..], more].concat(), password);
}

#[test]
fn a_password_file_that_changes_is_read_again() {
    let world = World::start();
    world.ask_as("reader", "GET", "/v2/").is(200);
    world.ask_as("newcomer", "GET", "/v2/").is(401);
    let path = world.folder.path().join("passwords");
    let passwords = fs::read_to_string(&path).unwrap();
    let others: String = passwords
        .lines()
        .filter(|line| !line.starts_with("reader:"))
        .map(|line| format!("{line}\n"))
        .collect();
    fs::write(&path, format!("{others}newcomer:{HASH}\n")).unwrap();
    wait_until("the new password file", || {
        world.ask_as("newcomer", "GET", "/v2/").status == 200
    });
    world.ask_as("reader", "GET", "/v2/").is(401);
    world.ask_as("writer", "GET", "/v2/").is(200);
    // Nobody gets in while it cannot be read, and nobody is thrown out.
    fs::write(&path, "nonsense").unwrap();
    std::thread::sleep(Duration::from_secs(4));
    world.ask_as("newcomer", "GET", "/v2/").is(200);
    world.ask_as("reader", "GET", "/v2/").is(401);
}

#[test]
fn a_new_password_takes_the_place_of_the_old_one_and_ends_refresh_tokens() {
    let world = World::start();
    add(&world, "alice", "correct horse", &[]);
    let old = basic("alice", "correct horse");
    world.ask("GET", "/v2/", Some(&old)).is(200);
    let offline = format!("{}&offline_token=true", token_path(&[]));
    let refresh = |authorization: &str| {
        let answer = world.ask("GET", &offline, Some(authorization)).is(200);
        answer.json()["refresh_token"].as_str().unwrap().to_owned()
    };
    let before = refresh(&old);
    refreshed(&world, &before).is(200);
    world.command(
        &["user", "password", "alice", "--password-stdin"],
        "battery staple",
    );
    world
        .ask("GET", "/v2/", Some(&old))
        .fails_with(401, "UNAUTHORIZED");
    let new = basic("alice", "battery staple");
    world.ask("GET", "/v2/", Some(&new)).is(200);
    refreshed(&world, &before).is(401);
    let after = refresh(&new);
    refreshed(&world, &after).is(200);
    world.command(&["user", "remove", "alice"], "");
    world
        .ask("GET", "/v2/", Some(&new))
        .fails_with(401, "UNAUTHORIZED");
    refreshed(&world, &after).is(401);
}

fn refreshed(world: &World, token: &str) -> Answer {
    let form = format!("grant_type=refresh_token&refresh_token={token}&service=berth");
    let headers = [("content-type", "application/x-www-form-urlencoded")];
    world.send("POST", "/token", None, &headers, form.into_bytes())
}

#[test]
fn a_robot_whose_token_is_revoked_is_out() {
    let world = World::start();
    world.push_blob("vault/app", b"content");
    let token = world.robot("ci", "vault/*", "pull");
    let (by_token, by_password) = (format!("Bearer {token}"), basic("ci", &token));
    for authorization in [&by_token, &by_password] {
        world
            .ask("GET", "/v2/vault/app/tags/list", Some(authorization))
            .is(200);
        world
            .ask("POST", "/v2/vault/app/blobs/uploads/", Some(authorization))
            .is(403);
    }
    world.command(&["token", "revoke", "ci"], "");
    for authorization in [&by_token, &by_password] {
        world
            .ask("GET", "/v2/vault/app/tags/list", Some(authorization))
            .is(401);
        world
            .ask("GET", &token_path(&[]), Some(authorization))
            .is(401);
    }
}

#[test]
fn accounts_and_tokens_end_when_their_time_is_over() {
    let world = World::start();
    add(&world, "guest", "for a moment", &["--expires", "4s"]);
    let words = [
        "token",
        "add",
        "brief",
        "--repository",
        "**",
        "--action",
        "pull",
    ];
    let token = world.command(&[&words[..], &["--expires", "4s"]].concat(), "");
    let guest = basic("guest", "for a moment");
    let brief = format!("Bearer {token}");
    world.ask("GET", "/v2/", Some(&guest)).is(200);
    world.ask("GET", "/v2/", Some(&brief)).is(200);
    wait_until("the end of the account", || {
        world.ask("GET", "/v2/", Some(&guest)).status == 401
    });
    wait_until("the end of the token", || {
        world.ask("GET", "/v2/", Some(&brief)).status == 401
    });
}

#[test]
fn accounts_make_a_server_ask_who_everybody_is() {
    use crate::harness::Berth;

    let berth = Berth::start();
    berth.get("/v2/").is(200);
    let folder = tempfile::tempdir().unwrap();
    let mut world = World { berth, folder };
    add(&world, "alice", "correct horse", &[]);
    world.berth = world.berth.kill_and_restart();
    world
        .ask("GET", "/v2/", None)
        .fails_with(401, "UNAUTHORIZED");
    let alice = basic("alice", "correct horse");
    world.ask("GET", "/v2/", Some(&alice)).is(200);
    // Without rules, whoever has a name may do everything but what is the owner's.
    world.push_as(&alice, "any/app", b"content");
    world.ask("GET", "/v2/_catalog", Some(&alice)).is(200);
    world
        .ask("GET", "/v2/any/app/tags/list", None)
        .fails_with(401, "UNAUTHORIZED");
    world
        .ask("GET", "/v2/", Some(&basic("reader", PASSWORD)))
        .fails_with(401, "UNAUTHORIZED");
}
