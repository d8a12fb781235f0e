//! What the server writes down has no secrets in it.

use reqwest::blocking::Client;

use crate::authority::Authority;
use crate::world::{World, basic, token_path};

const PASSWORD: &str = "swordfish-for-the-log";
const WRONG: &str = "herring-for-the-log";

/// Uses a password, a refresh token, an access token and a robot's token in every way, and answers them all.
fn use_secrets(world: &World, robot: &str) -> Vec<String> {
    let right = basic("alice", PASSWORD);
    let wrong = basic("alice", WRONG);
    let mut secrets = vec![PASSWORD.to_owned(), WRONG.to_owned(), robot.to_owned()];
    let offline = format!(
        "{}&offline_token=true",
        token_path(&["repository:open/app:pull"])
    );
    for authorization in [&right, &wrong] {
        world.ask("GET", "/v2/", Some(authorization));
        let answer = world.ask("GET", &offline, Some(authorization));
        if answer.status == 200 {
            for name in ["token", "refresh_token"] {
                secrets.push(answer.json()[name].as_str().unwrap().to_owned());
            }
        }
        let (_, encoded) = authorization.split_once(' ').unwrap();
        secrets.push(encoded.trim_end_matches('=').to_owned());
    }
    let token = secrets[3].clone();
    let refresh = secrets[4].clone();
    world.ask(
        "GET",
        "/v2/open/app/tags/list",
        Some(&format!("Bearer {token}")),
    );
    world.ask("GET", "/v2/", Some(&format!("Bearer {token}x")));
    world.ask("GET", "/v2/", Some(&format!("Bearer {robot}")));
    world.ask("GET", "/v2/", Some(&format!("Bearer {robot}x")));
    world.ask("GET", "/v2/", Some(&basic("robot", robot)));
    world.ask("GET", "/v2/", Some(&format!("Digest {PASSWORD}")));
    let headers = [("content-type", "application/x-www-form-urlencoded")];
    for form in [
        format!("grant_type=password&username=alice&password={PASSWORD}&service=berth"),
        format!("grant_type=password&username=alice&password={WRONG}&service=berth"),
        format!("grant_type=refresh_token&refresh_token={refresh}&service=berth"),
        format!("grant_type=refresh_token&refresh_token={refresh}x&service=berth"),
    ] {
        world.send("POST", "/token", None, &headers, form.clone().into_bytes());
        // Whoever mistakes the method must not be betrayed.
        world.ask("GET", &format!("/token?{form}"), None);
        world.ask("PUT", &format!("/token?{form}"), None);
        world.ask("GET", &format!("/v2/?{form}"), None);
    }
    secrets
}

#[test]
fn a_log_of_everything_has_no_secrets() {
    let http_2 = Client::builder().http2_prior_knowledge().build().unwrap();
    no_secrets_are_logged(&[], [Client::new(), http_2]);
}

#[test]
fn a_log_of_everything_over_tls_has_no_secrets() {
    let authority = Authority::new();
    authority.write(&authority.server());
    let http_1 = authority.trusting().http1_only().build().unwrap();
    let http_2 = authority.trusting().build().unwrap();
    no_secrets_are_logged(&authority.options(), [http_1, http_2]);
}

fn no_secrets_are_logged(options: &[String], clients: [Client; 2]) {
    let audit = tempfile::tempdir().unwrap();
    let audit = audit.path().join("audit.jsonl");
    let mut arguments = vec!["--log", "trace", "--audit-log", audit.to_str().unwrap()];
    arguments.extend(options.iter().map(String::as_str));
    let mut world = World::start_with("", &arguments);
    world.command(&["user", "add", "alice", "--password-stdin"], PASSWORD);
    let robot = world.robot("ci", "open/**", "pull,push");
    let mut secrets = Vec::new();
    for client in clients {
        world.berth.client = client;
        secrets.extend(use_secrets(&world, &robot));
    }
    world.berth.terminate();
    let World {
        berth,
        folder: _folder,
    } = world;
    let (status, log) = berth.wait();
    assert!(status.success());
    let audit = std::fs::read_to_string(audit).unwrap();
    // It is a log of everything.
    assert!(
        log.contains("TRACE") && log.contains("\"identity\":\"alice\""),
        "{log}"
    );
    assert!(audit.contains("login_refused"));
    for secret in secrets {
        assert!(!log.contains(&secret), "{secret} is in the log");
        assert!(!audit.contains(&secret), "{secret} is in the audit log");
        // Nor the signature, by which a token would be one.
        if let Some((_, signature)) = secret.rsplit_once('.') {
            assert!(!log.contains(signature), "{signature} is in the log");
        }
    }
}
