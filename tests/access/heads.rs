use crate::harness::Connection;
use crate::world::{PASSWORD, World, basic};

/// The head of the answer to a request of these lines.
fn answer_to(world: &World, request: &str, headers: &[&str]) -> (u16, String) {
    let mut connection = Connection::open(&world.berth);
    let mut head = format!("{request} HTTP/1.1\r\n");
    for header in headers {
        head.push_str(&format!("{header}\r\n"));
    }
    connection.write(head + "Connection: close\r\n\r\n");
    connection.answer_head()
}

#[test]
fn a_path_that_leads_elsewhere_leads_nowhere() {
    let world = World::start();
    world.push_blob("vault/app", b"content");
    world.push_blob("team/app", b"content");
    let reader = format!("Authorization: {}", basic("reader", PASSWORD));
    for name in [
        "team/../vault/app",
        "team/%2e%2e/vault/app",
        "team/%2E%2E%2fvault/app",
        "team//vault/app",
        "./vault/app",
        "team/app/../../vault/app",
        "%2fvault/app",
        "vault%00/app",
        "team/..%5cvault/app",
    ] {
        let request = format!("GET /v2/{name}/tags/list");
        let (status, _) = answer_to(&world, &request, &["Host: a", &reader]);
        assert!(status == 400 || status == 404, "{name}: {status}");
    }
    // Percent-encoding is decoded before it is decided.
    for name in ["vault%2Fapp", "v%61ult/app"] {
        let request = format!("GET /v2/{name}/tags/list");
        let (status, _) = answer_to(&world, &request, &["Host: a", &reader]);
        assert_eq!(status, 404, "{name}");
        let root = format!("Authorization: {}", basic("root", PASSWORD));
        let (status, _) = answer_to(&world, &request, &["Host: a", &root]);
        assert_eq!(status, 200, "{name}");
    }
    // `/token` is a path of its own.
    for path in ["/token/", "/v2/../token", "//token", "/Token", "/v2/token"] {
        let (status, _) = answer_to(&world, &format!("GET {path}"), &["Host: a"]);
        assert_eq!(status, 404, "{path}");
    }
}

#[test]
fn a_host_cannot_write_into_a_challenge() {
    let world = World::start();
    let realm = |headers: &[&str]| {
        let (status, head) = answer_to(&world, "GET /v2/", headers);
        assert_eq!(status, 401, "{head}");
        assert!(!head.contains("evil"), "{head}");
        let realm = head.split_once("realm=\"").unwrap().1;
        realm.split_once('"').unwrap().0.to_owned()
    };
    let own = format!("http://{}/token", world.berth.address);
    assert_eq!(
        realm(&["Host: registry:5000"]),
        "http://registry:5000/token"
    );
    for host in [
        "Host: a\",scope=\"evil",
        "Host: evil/path",
        "Host: user@evil",
        "Host: evil evil",
        "Host: <evil>",
    ] {
        assert_eq!(realm(&[host]), own, "{host}");
    }
    // Nobody is a trusted proxy.
    for header in [
        "X-Forwarded-Host: evil",
        "X-Forwarded-Proto: evil",
        "Forwarded: host=evil;proto=https",
        "X-Forwarded-For: evil",
    ] {
        assert_eq!(realm(&["Host: registry", header]), "http://registry/token");
    }
    let (status, _) = answer_to(
        &world,
        "GET /v2/",
        &["Host: a", "Authorization: Basic YTpi\rX: y"],
    );
    assert_eq!(status, 400);
}

#[test]
fn of_two_credentials_none_counts() {
    let world = World::start();
    let reader = format!("Authorization: {}", basic("reader", PASSWORD));
    let root = format!("Authorization: {}", basic("root", PASSWORD));
    for headers in [[reader.as_str(), &root], [&root, &root]] {
        let (status, _) = answer_to(&world, "GET /v2/", &["Host: a", headers[0], headers[1]]);
        assert_eq!(status, 401);
    }
}

#[test]
fn a_body_that_is_refused_is_not_waited_for() {
    let world = World::start();
    let mut connection = Connection::open(&world.berth);
    connection.head(
        "PUT /v2/team/app/manifests/v1",
        &[("Content-Length", "1000"), ("Expect", "100-continue")],
    );
    // Without asking for the body.
    assert_eq!(connection.answer_head().0, 401);
    let mut connection = Connection::open(&world.berth);
    connection.head(
        "POST /v2/team/app/blobs/uploads/",
        &[("Content-Length", "5")],
    );
    assert_eq!(connection.answer().0, 401);
    // The connection goes on once the body has come.
    connection.write("hello");
    connection.head("GET /v2/", &[]);
    assert_eq!(connection.answer_head().0, 401);
}
