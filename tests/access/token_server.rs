//! `/token`: the token server of the registry itself.

use reqwest::Method;
use serde_json::Value;

use crate::harness::{Answer, digest};
use crate::world::{PASSWORD, World, basic, token_path};

const FORM: &str = "application/x-www-form-urlencoded";

fn post(world: &World, form: &str) -> Answer {
    let headers = [("content-type", FORM)];
    world.send("POST", "/token", None, &headers, form.as_bytes().to_vec())
}

fn bearer(answer: &Answer) -> String {
    let answer = answer.json();
    assert_eq!(answer["token"], answer["access_token"]);
    format!("Bearer {}", answer["token"].as_str().unwrap())
}

#[test]
fn docker_gets_a_token_by_get() {
    let world = World::start();
    world.push_blob("team/app", b"content");
    let path =
        "/token?service=berth&scope=repository:team/app:pull&account=reader&client_id=docker";
    let answer = world.ask_as("reader", "GET", path).is(200);
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(answer.json()["expires_in"], 300);
    assert!(answer.json().get("refresh_token").is_none());
    let token = bearer(&answer);
    world.ask("GET", "/v2/", Some(&token)).is(200);
    world
        .ask("GET", "/v2/team/app/tags/list", Some(&token))
        .is(200);
}

#[test]
fn a_token_is_for_the_repositories_that_it_was_given_for() {
    let world = World::start();
    world.push_blob("team/app", b"content");
    world.push_blob("team/other", b"content");
    let token = world.bearer("deleter", &["repository:team/app:pull,delete"]);
    let path = format!("/v2/team/app/blobs/{}", digest(b"content"));
    world.ask("GET", &path, Some(&token)).is(200);
    for (method, path) in [
        ("GET", "/v2/team/other/tags/list"),
        ("GET", "/v2/team/none/tags/list"),
        ("POST", "/v2/team/app/blobs/uploads/"),
        ("DELETE", "/v2/team/other/manifests/v1"),
        ("GET", "/v2/_catalog"),
    ] {
        let answer = world
            .ask(method, path, Some(&token))
            .fails_with(401, "UNAUTHORIZED");
        let challenge = answer.header("www-authenticate");
        assert!(
            challenge.contains("error=\"insufficient_scope\""),
            "{path}: {challenge}"
        );
    }
    // No token gets another one.
    world
        .ask(
            "GET",
            &token_path(&["repository:team/other:pull"]),
            Some(&token),
        )
        .is(401);
}

#[test]
fn a_token_that_was_changed_is_none() {
    let world = World::start();
    let token = world.bearer("reader", &["repository:team/app:pull"]);
    let parts: Vec<&str> = token.split('.').collect();
    let [head, claims, signature] = parts[..] else {
        panic!("{} parts", parts.len())
    };
    let none = "Bearer eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0";
    let hmac = "Bearer eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9";
    let mut other: Vec<char> = claims.chars().collect();
    other[20] = if other[20] == 'A' { 'B' } else { 'A' };
    let other: String = other.into_iter().collect();
    for wrong in [
        format!("{none}.{claims}."),
        format!("{none}.{claims}.{signature}"),
        format!("{hmac}.{claims}.{signature}"),
        format!("{head}.{other}.{signature}"),
        format!("{head}.{claims}.{}", &signature[1..]),
        format!("{head}.{claims}"),
    ] {
        let answer = world
            .ask("GET", "/v2/", Some(&wrong))
            .fails_with(401, "UNAUTHORIZED");
        let challenge = answer.header("www-authenticate");
        assert!(challenge.contains("error=\"invalid_token\""), "{challenge}");
    }
    world.ask("GET", "/v2/", Some(&token)).is(200);
}

#[test]
fn clients_of_oauth_get_tokens_by_post() {
    let world = World::start();
    let form = format!(
        "grant_type=password&username=writer&password={PASSWORD}&service=berth&client_id=skopeo\
         &access_type=offline&scope=repository:team/app:pull,push+repository:team/b:pull"
    );
    let answer = post(&world, &form).is(200);
    assert_eq!(answer.header("cache-control"), "no-store");
    let token = bearer(&answer);
    world
        .ask("POST", "/v2/team/app/blobs/uploads/", Some(&token))
        .is(202);
    world
        .ask("POST", "/v2/team/b/blobs/uploads/", Some(&token))
        .is(401);
    let refresh = answer.json()["refresh_token"].as_str().unwrap().to_owned();
    let again = format!(
        "grant_type=refresh_token&refresh_token={refresh}&service=berth&client_id=skopeo\
         &scope=repository:team/b:push"
    );
    let token = bearer(&post(&world, &again).is(200));
    world
        .ask("POST", "/v2/team/b/blobs/uploads/", Some(&token))
        .is(202);
    // It is no access token, and an access token is no refresh token.
    world
        .ask("GET", "/v2/", Some(&format!("Bearer {refresh}")))
        .is(401);
    let wrong = again.replace(&refresh, token.strip_prefix("Bearer ").unwrap());
    assert_eq!(
        post(&world, &wrong).is(401).json()["error"],
        "invalid_grant"
    );
}

#[test]
fn refusals_are_in_the_form_of_the_question() {
    let world = World::start();
    let wrong = basic("reader", "wrong");
    let answer = world
        .ask("GET", "/token?service=berth", Some(&wrong))
        .fails_with(401, "UNAUTHORIZED");
    assert_eq!(
        answer.header("www-authenticate"),
        "Basic realm=\"berth\", charset=\"UTF-8\""
    );
    assert_eq!(answer.header("cache-control"), "no-store");
    for (form, status, error) in [
        (
            "grant_type=password&username=reader&password=wrong&service=berth",
            401,
            "invalid_grant",
        ),
        (
            "grant_type=password&username=reader&service=berth",
            400,
            "invalid_request",
        ),
        (
            "grant_type=authorization_code&service=berth",
            400,
            "unsupported_grant_type",
        ),
        (
            "grant_type=refresh_token&refresh_token=a.b.c&service=berth",
            401,
            "invalid_grant",
        ),
        ("", 400, "invalid_request"),
        (
            "service=a&service=b&grant_type=password",
            400,
            "invalid_request",
        ),
    ] {
        let answer = post(&world, form).is(status);
        assert_eq!(answer.json()["error"], error, "{form}");
        assert_eq!(answer.header("cache-control"), "no-store");
        assert!(
            !answer.json()["error_description"]
                .as_str()
                .unwrap()
                .is_empty()
        );
    }
    let json = [("content-type", "application/json")];
    let answer = world
        .send("POST", "/token", None, &json, b"{}".to_vec())
        .is(400);
    assert_eq!(answer.json()["error"], "invalid_request");
    let long = format!("grant_type=password&username={}", "a".repeat(70_000));
    assert_eq!(
        post(&world, &long).is(400).json()["error"],
        "invalid_request"
    );
    world
        .ask("GET", "/token?service=other", None)
        .fails_with(400, "UNSUPPORTED");
    for method in ["HEAD", "PUT", "DELETE", "PATCH", "OPTIONS"] {
        let answer = world.ask(method, "/token", None).is(405);
        assert_eq!(answer.header("allow"), "GET, POST", "{method}");
    }
}

#[test]
fn wrong_passwords_are_tried_so_often_and_no_more() {
    let world = World::start();
    let path = token_path(&[]);
    let wrong = |number: usize| basic("reader", &format!("wrong{number}"));
    let tried: Vec<u16> = (0..14)
        .map(|number| {
            let path = if number % 2 == 0 { "/v2/" } else { &path };
            world.ask("GET", path, Some(&wrong(number))).status
        })
        .collect();
    assert_eq!(tried[..10], [401; 10]);
    assert!(tried[10..].contains(&429), "{tried:?}");
    let refused = world.ask("GET", &path, Some(&wrong(99)));
    let refused = refused.fails_with(429, "TOOMANYREQUESTS");
    assert!(refused.header("retry-after").parse::<u64>().unwrap() > 0);
    // Somebody else can log in.
    world.ask_as("writer", "GET", "/v2/").is(200);
}

#[test]
fn whoever_was_let_in_lately_stays_so_whatever_others_at_the_address_try() {
    let world = World::start();
    let robot = world.robot("ci", "**", "pull");
    let path = token_path(&[]);
    let form = format!("grant_type=password&username=writer&password={PASSWORD}&service=berth");
    world.ask_as("writer", "GET", "/v2/").is(200);
    world.ask("GET", "/v2/", Some(&basic("x", &robot))).is(200);
    let tried: Vec<u16> = (0..40)
        .map(|number| basic(&format!("user{number}"), "wrong"))
        .map(|wrong| world.ask("GET", "/v2/", Some(&wrong)).status)
        .collect();
    assert_eq!(tried.last(), Some(&429), "{tried:?}");
    world.ask_as("writer", "GET", "/v2/").is(200);
    world.ask_as("writer", "GET", &path).is(200);
    post(&world, &form).is(200);
    world.ask("GET", "/v2/", Some(&basic("x", &robot))).is(200);
    let bearer = format!("Bearer {robot}");
    world.ask("GET", "/v2/", Some(&bearer)).is(200);
    // Nobody is let in for the name, nor by a password that was not seen before.
    world
        .ask("GET", "/v2/", Some(&basic("writer", "wrong")))
        .is(429);
    world.ask_as("reader", "GET", "/v2/").is(429);
}

#[test]
fn headers_that_cannot_be_read_are_tries_too() {
    let world = World::start();
    let tried: Vec<u16> = (0..14)
        .map(|_| world.ask("GET", "/v2/", Some("Basic !")).status)
        .collect();
    assert_eq!(tried[..10], [401; 10]);
    assert!(tried[10..].contains(&429), "{tried:?}");
    world.ask_as("writer", "GET", "/v2/").is(200);
}

#[test]
fn scopes_that_nobody_has_are_left_out() {
    let world = World::start();
    let scopes = [
        "repository:vault/app:pull",
        "repository:team/app:pull,push,delete",
        "other:a:b",
    ];
    let answer = world.ask_as("writer", "GET", &token_path(&scopes)).is(200);
    let claims = claims(answer.json()["token"].as_str().unwrap());
    let access = serde_json::json!([
        { "type": "repository", "name": "team/app", "actions": ["pull", "push"] }
    ]);
    assert_eq!(claims["access"], access);
    assert_eq!(claims["aud"], "berth");
    assert_eq!(claims["sub"], "writer");
}

fn claims(token: &str) -> Value {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    let claims = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).unwrap()).unwrap()
}

#[test]
fn it_answers_over_http_2_too() {
    let mut world = World::start();
    world.berth.client = reqwest::blocking::Client::builder()
        .http2_prior_knowledge()
        .build()
        .unwrap();
    let realm = format!("http://{}/token", world.berth.address);
    let answer = Answer::of(world.berth.request(Method::GET, "/v2/").send().unwrap()).is(401);
    let challenge = answer.header("www-authenticate");
    assert!(
        challenge.contains(&format!("realm=\"{realm}\"")),
        "{challenge}"
    );
    let token = world.bearer("reader", &["repository:team/app:pull"]);
    world.ask("GET", "/v2/", Some(&token)).is(200);
}
