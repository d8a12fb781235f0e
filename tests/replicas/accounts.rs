use std::io::Write;
use std::process::Stdio;

use reqwest::Method;
use serde_json::Value;

use crate::harness::{Answer, Berth, wait_until};
use crate::world::World;

const OPTIONS: [&str; 2] = ["--accounts", "true"];

/// What a replica answers to whoever shows this name and password.
fn login(replica: &Berth, name: &str, password: &str) -> u16 {
    let request = replica.request(Method::GET, "/v2/");
    let request = request.basic_auth(name, Some(password));
    request.send().unwrap().status().as_u16()
}

/// Runs a command that asks for a password.
fn with_password(world: &World, arguments: &[&str], password: &str) {
    let mut process = world
        .command(&[arguments, &["--password-stdin"]].concat())
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let mut input = process.stdin.take().unwrap();
    input.write_all(password.as_bytes()).unwrap();
    drop(input);
    assert!(process.wait().unwrap().success());
}

/// A token that a replica issues.
fn token(replica: &Berth, name: &str, password: &str) -> String {
    let path = "/token?service=berth&scope=repository:team/app:pull,push";
    let request = replica.request(Method::GET, path);
    let answer = Answer::of(request.basic_auth(name, Some(password)).send().unwrap());
    answer.is(200).json()["token"].as_str().unwrap().to_owned()
}

/// What a replica answers to whoever begins an upload with a token.
fn upload_with(replica: &Berth, token: &str) -> u16 {
    let request = replica.request(Method::POST, "/v2/team/app/blobs/uploads/");
    request.bearer_auth(token).send().unwrap().status().as_u16()
}

#[test]
fn what_is_done_to_accounts_counts_at_every_replica_at_once() {
    let world = World::new();
    let replicas = [world.start_with(&OPTIONS), world.start_with(&OPTIONS)];
    let all = |name: &str, password: &str| {
        let answers = replicas.each_ref().map(|it| login(it, name, password));
        assert_eq!(answers[0], answers[1]);
        answers[0]
    };
    assert_eq!(all("alice", "correct horse"), 401);
    with_password(&world, &["user", "add", "alice"], "correct horse");
    // Now each of them has found it right, and remembers that.
    assert_eq!(all("alice", "correct horse"), 200);
    with_password(&world, &["user", "password", "alice"], "battery staple");
    assert_eq!(all("alice", "correct horse"), 401);
    assert_eq!(all("alice", "battery staple"), 200);
    world.run(&["user", "remove", "alice"]);
    assert_eq!(all("alice", "battery staple"), 401);

    let add = ["token", "add", "ci", "--repository", "team/*"];
    let robot = world.run(&[&add[..], &["--action", "push", "--json"]].concat());
    let robot: Value = serde_json::from_str(&robot).unwrap();
    let robot = robot["token_added"]["token"].as_str().unwrap();
    for replica in &replicas {
        assert_eq!(upload_with(replica, robot), 202);
    }
    world.run(&["token", "revoke", "ci"]);
    for replica in &replicas {
        assert_eq!(upload_with(replica, robot), 401);
    }
}

#[test]
fn a_token_of_one_replica_is_good_at_the_others() {
    let world = World::new();
    with_password(&world, &["user", "add", "alice"], "correct horse");
    let (one, other) = (world.start_with(&OPTIONS), world.start_with(&OPTIONS));
    // The first makes the key; the other has never seen it.
    for (issuer, verifier) in [(&one, &other), (&other, &one)] {
        let token = token(issuer, "alice", "correct horse");
        assert_eq!(upload_with(verifier, &token), 202);
        assert_eq!(upload_with(issuer, &token), 202);
    }
    let keys: Value = serde_json::from_str(&world.run(&["key", "list", "--json"])).unwrap();
    assert_eq!(keys["keys"].as_array().unwrap().len(), 1, "{keys}");
    // What a new one signs is known as well: the older one is forgotten, so it signs at once.
    world.run(&["key", "rotate", "--forget-older"]);
    let third = world.start_with(&OPTIONS);
    let token = token(&third, "alice", "correct horse");
    for replica in [&one, &other] {
        // They ask for an unknown key once in two seconds.
        wait_until("the new key is known", || {
            upload_with(replica, &token) == 202
        });
    }
}
