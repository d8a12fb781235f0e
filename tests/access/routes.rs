use crate::harness::{Answer, Image, noise};
use crate::world::{PASSWORD, World, basic};

/// What becomes of a request: the status, with the code of an error.
fn outcome(method: &str, answer: &Answer) -> String {
    let status = answer.status;
    match status {
        200..=399 => status.to_string(),
        // There is no body to tell why.
        _ if method == "HEAD" => status.to_string(),
        _ => {
            let code = answer.json()["errors"][0]["code"].clone();
            format!("{status} {}", code.as_str().unwrap())
        }
    }
}

#[test]
fn every_route_for_everybody() {
    let world = World::start_with("tag_deletion = true", &[]);
    let image = Image::new(1);
    world.push("team/app", "v1", &image);
    world.push("public/app", "v1", &image);
    let robot = world.robot("ci", "team/app", "pull");
    let named = |user| Some(basic(user, PASSWORD));
    let callers = [
        ("anonymous", None),
        ("reader", named("reader")),
        ("writer", named("writer")),
        ("deleter", named("deleter")),
        ("admin", named("admin")),
        ("pusher", named("pusher")),
        ("eraser", named("eraser")),
        ("stranger", named("stranger")),
        ("robot", Some(format!("Bearer {robot}"))),
        ("robot by password", Some(basic("any", &robot))),
        (
            "writer with a token to pull",
            Some(world.bearer("writer", &["repository:team/app:pull"])),
        ),
        (
            "stranger with an empty token",
            Some(world.bearer("stranger", &["repository:team/app:pull,push"])),
        ),
    ];
    let manifest = image.digest();
    let blob = crate::harness::digest(&image.layer);
    let other = crate::harness::digest(&noise(9, 10));
    let session = "/v2/team/app/blobs/uploads/0b8d3a1e-6a5c-4f0e-9d54-5a7c3a1f2b4d";
    let finish = format!("{session}?digest={other}");
    // An upload that is under way in another repository is none here.
    let begun = world.ask_as("root", "POST", "/v2/vault/app/blobs/uploads/");
    let begun = begun.is(202).header("location").to_owned();
    let foreign = begun.replace("vault/app", "team/app");
    let finish_foreign = format!("{foreign}?digest={}", crate::harness::digest(b"{}"));
    let mount = format!("/v2/team/app/blobs/uploads/?mount={blob}&from=public/app");

    // In the order of the callers: how those answers go who may not do it, and how the others.
    let unknown = "401 UNAUTHORIZED";
    let denied = "403 DENIED";
    let hidden = "404 NAME_UNKNOWN";
    let pull = |done: &'static str, hidden: &'static str| {
        let head = done != "200 of HEAD";
        let (done, unknown) = if head {
            (done, unknown)
        } else {
            ("200", "401")
        };
        [
            unknown, done, done, done, done, hidden, hidden, hidden, done, done, done, hidden,
        ]
    };
    let push = |done| {
        [
            unknown, denied, done, done, done, done, denied, denied, denied, denied, unknown,
            denied,
        ]
    };
    let delete = |done| {
        [
            unknown, denied, denied, done, done, hidden, done, hidden, denied, denied, denied,
            hidden,
        ]
    };
    let all = |anonymous, done| {
        let mut all = [done; 12];
        all[0] = anonymous;
        all
    };
    let at = |rest: &str| format!("/v2/team/app/{rest}");
    let mut table = vec![
        ("GET", "/v2/".to_owned(), all(unknown, "200")),
        ("HEAD", "/v2/".to_owned(), all("401", "200")),
        ("GET", at("tags/list"), pull("200", hidden)),
        ("GET", at("manifests/v1"), pull("200", hidden)),
        ("HEAD", at("manifests/v1"), pull("200 of HEAD", "404")),
        (
            "GET",
            at(&format!("manifests/{manifest}")),
            pull("200", hidden),
        ),
        ("GET", at(&format!("blobs/{blob}")), pull("200", hidden)),
        (
            "HEAD",
            at(&format!("blobs/{blob}")),
            pull("200 of HEAD", "404"),
        ),
        (
            "GET",
            at(&format!("manifests/{other}")),
            pull("404 MANIFEST_UNKNOWN", hidden),
        ),
        (
            "GET",
            at(&format!("blobs/{other}")),
            pull("404 BLOB_UNKNOWN", hidden),
        ),
        // There are no referrers of what does not exist, says the specification.
        (
            "GET",
            at(&format!("referrers/{manifest}")),
            pull("200", "200"),
        ),
        ("PUT", at("manifests/v2"), push("400 MANIFEST_INVALID")),
        (
            "PUT",
            at(&format!("manifests/{other}")),
            push("400 DIGEST_INVALID"),
        ),
        ("POST", at("blobs/uploads/"), push("202")),
        (
            "POST",
            at(&format!("blobs/uploads/?digest={other}")),
            push("400 DIGEST_INVALID"),
        ),
        ("POST", mount, push("201")),
        ("GET", session.to_owned(), push("404 BLOB_UPLOAD_UNKNOWN")),
        ("PATCH", session.to_owned(), push("404 BLOB_UPLOAD_UNKNOWN")),
        ("PUT", finish, push("404 BLOB_UPLOAD_UNKNOWN")),
        (
            "DELETE",
            session.to_owned(),
            push("404 BLOB_UPLOAD_UNKNOWN"),
        ),
        ("DELETE", at("manifests/v9"), delete("404 MANIFEST_UNKNOWN")),
        (
            "DELETE",
            at(&format!("manifests/{other}")),
            delete("404 MANIFEST_UNKNOWN"),
        ),
        (
            "DELETE",
            at(&format!("blobs/{other}")),
            delete("404 BLOB_UNKNOWN"),
        ),
    ];
    for (method, path) in [
        ("GET", &foreign),
        ("PATCH", &foreign),
        ("PUT", &finish_foreign),
        ("DELETE", &foreign),
    ] {
        table.push((method, path.clone(), push("404 BLOB_UPLOAD_UNKNOWN")));
    }
    // Anonymous callers may pull something, and so may list that; the scope of a token must reach so far.
    let mut catalog = ["200"; 12];
    catalog[10] = unknown;
    catalog[11] = unknown;
    table.push(("GET", "/v2/_catalog".to_owned(), catalog));

    let mut wrong = Vec::new();
    for (method, path, expected) in &table {
        for ((caller, authorization), expected) in callers.iter().zip(expected) {
            let headers = [("content-type", "application/vnd.oci.image.manifest.v1+json")];
            let body = if *method == "PUT" {
                b"{}".to_vec()
            } else {
                Vec::new()
            };
            let answer = world.send(method, path, authorization.as_deref(), &headers, body);
            let outcome = outcome(method, &answer);
            if outcome != *expected {
                wrong.push(format!(
                    "{method} {path} as {caller}: {outcome}, not {expected}"
                ));
            }
            let challenges = answer.headers.get_all("www-authenticate").iter().count();
            assert_eq!(
                challenges,
                usize::from(answer.status == 401),
                "{method} {path} as {caller}"
            );
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let still = world.ask_as("root", "GET", &begun).is(204);
    assert_eq!(still.header("range"), "0-0");
}

#[test]
fn what_is_allowed_is_done() {
    let world = World::start_with("tag_deletion = true", &[]);
    let image = Image::new(1);
    world.push("team/app", "v1", &image);
    world.push("team/app", "v2", &image);
    let blob = crate::harness::digest(&image.layer);
    let delete = |path: String| world.ask_as("deleter", "DELETE", &path).is(202);
    delete("/v2/team/app/manifests/v2".to_owned());
    delete(format!("/v2/team/app/manifests/{}", image.digest()));
    delete(format!("/v2/team/app/blobs/{blob}"));
    let path = format!("/v2/team/app/blobs/{blob}");
    world
        .ask_as("reader", "GET", &path)
        .fails_with(404, "BLOB_UNKNOWN");
}

#[test]
fn an_administrator_may_move_and_delete_what_is_immutable_for_others() {
    let options = "[[immutable_tags]]\nrepositories = [\"team/**\"]\ntags = [\"v*\"]\n";
    let world = World::start_with(options, &["--tag-deletion", "true"]);
    let (one, two) = (Image::new(1), Image::new(2));
    world.push("team/app", "v1", &one);
    world.push("team/app", "next", &two);
    let path = "/v2/team/app/manifests/v1";
    let move_as = |user: &str| {
        let headers = [("content-type", crate::harness::OCI_MANIFEST)];
        let authorization = basic(user, PASSWORD);
        let manifest = two.manifest.clone();
        world.send("PUT", path, Some(&authorization), &headers, manifest)
    };
    move_as("writer").fails_with(403, "DENIED");
    world
        .ask_as("deleter", "DELETE", path)
        .fails_with(403, "DENIED");
    let now = |user| {
        let answer = world.ask_as(user, "GET", path).is(200);
        answer.header("docker-content-digest").to_owned()
    };
    assert_eq!(now("reader"), one.digest());
    move_as("admin").is(201);
    assert_eq!(now("reader"), two.digest());
    world.ask_as("admin", "DELETE", path).is(202);
    world.ask_as("reader", "GET", path).is(404);
}

#[test]
fn an_administrators_token_for_pushes_and_deletes_is_one_to_administer_with() {
    let options = "[[immutable_tags]]\nrepositories = [\"team/**\"]\ntags = [\"v*\"]\n";
    let world = World::start_with(options, &["--tag-deletion", "true"]);
    let (one, two) = (Image::new(1), Image::new(2));
    world.push("team/app", "v1", &one);
    world.push("team/app", "next", &two);
    let path = "/v2/team/app/manifests/v1";
    let put = |authorization: &str| {
        let headers = [("content-type", crate::harness::OCI_MANIFEST)];
        let manifest = two.manifest.clone();
        world.send("PUT", path, Some(authorization), &headers, manifest)
    };
    // As docker asks for them.
    let push = "repository:team/app:pull,push";
    let delete = "repository:team/app:delete";
    put(&world.bearer("writer", &[push])).fails_with(403, "DENIED");
    world
        .ask("DELETE", path, Some(&world.bearer("deleter", &[delete])))
        .fails_with(403, "DENIED");
    put(&world.bearer("admin", &[delete])).is(401);
    put(&world.bearer("admin", &[push])).is(201);
    let now = world.ask_as("reader", "GET", path).is(200);
    assert_eq!(now.header("docker-content-digest"), two.digest());
    let to_push = world.bearer("admin", &[push]);
    world.ask("DELETE", path, Some(&to_push)).is(401);
    world
        .ask("DELETE", path, Some(&world.bearer("admin", &[delete])))
        .is(202);
    world.ask_as("reader", "GET", path).is(404);
}

#[test]
fn anonymous_callers_may_do_what_a_rule_gives_everybody() {
    let world = World::start();
    let image = Image::new(1);
    world.push("public/app", "v1", &image);
    world
        .ask("GET", "/v2/public/app/manifests/v1", None)
        .is(200);
    let token = world
        .ask(
            "GET",
            "/token?service=berth&scope=repository:public/app:pull",
            None,
        )
        .is(200);
    let bearer = format!("Bearer {}", token.json()["token"].as_str().unwrap());
    world.ask("GET", "/v2/", Some(&bearer)).is(200);
    world
        .ask("GET", "/v2/public/app/manifests/v1", Some(&bearer))
        .is(200);
    world
        .ask("GET", "/v2/team/app/manifests/v1", Some(&bearer))
        .fails_with(401, "UNAUTHORIZED");
    world
        .ask("PUT", "/v2/public/app/manifests/v1", None)
        .fails_with(401, "UNAUTHORIZED");
    // Whoever presents something that is not good is not taken for nobody.
    for wrong in [
        basic("reader", "wrong"),
        "Bearer a.b.c".to_owned(),
        "Digest a".to_owned(),
    ] {
        world
            .ask("GET", "/v2/public/app/manifests/v1", Some(&wrong))
            .fails_with(401, "UNAUTHORIZED");
    }
}

#[test]
fn challenges_ask_for_what_is_needed() {
    let world = World::start();
    let digest = crate::harness::digest(b"");
    let uploads = "/v2/team/app/blobs/uploads/";
    let mount = format!("{uploads}?mount={digest}&from=public/app");
    for (method, path, scope) in [
        ("GET", "/v2/", None),
        (
            "GET",
            "/v2/team/app/tags/list",
            Some("repository:team/app:pull"),
        ),
        (
            "HEAD",
            "/v2/team/app/manifests/v1",
            Some("repository:team/app:pull"),
        ),
        (
            "PUT",
            "/v2/team/app/manifests/v1",
            Some("repository:team/app:pull,push"),
        ),
        ("POST", uploads, Some("repository:team/app:pull,push")),
        (
            "DELETE",
            "/v2/team/app/manifests/v1",
            Some("repository:team/app:delete"),
        ),
        (
            "POST",
            &mount,
            Some("repository:team/app:pull,push repository:public/app:pull"),
        ),
    ] {
        let answer = world.ask(method, path, None).is(401);
        let scope = scope.map_or(String::new(), |scope| format!(",scope=\"{scope}\""));
        let realm = format!("http://{}/token", world.berth.address);
        let expected = format!("Bearer realm=\"{realm}\",service=\"berth\"{scope}");
        assert_eq!(
            answer.header("www-authenticate"),
            expected,
            "{method} {path}"
        );
    }
    let narrow = world.bearer("writer", &["repository:team/app:pull"]);
    let answer = world
        .ask("POST", uploads, Some(&narrow))
        .fails_with(401, "UNAUTHORIZED");
    let challenge = answer.header("www-authenticate");
    assert!(
        challenge.ends_with(",error=\"insufficient_scope\""),
        "{challenge}"
    );
    let answer = world.ask("GET", "/v2/", Some("Bearer a.b.c")).is(401);
    let challenge = answer.header("www-authenticate");
    assert!(
        challenge.ends_with(",error=\"invalid_token\""),
        "{challenge}"
    );
}

#[test]
fn with_basic_challenges_there_is_no_token_server() {
    let world = World::start_with("challenge = \"basic\"", &[]);
    let answer = world
        .ask("GET", "/v2/team/app/tags/list", None)
        .fails_with(401, "UNAUTHORIZED");
    assert_eq!(
        answer.header("www-authenticate"),
        "Basic realm=\"berth\", charset=\"UTF-8\""
    );
    world.ask_as("reader", "GET", "/v2/").is(200);
    world
        .ask_as("reader", "GET", "/token?service=berth")
        .is(404);
}

#[test]
fn without_authentication_everybody_may_do_everything() {
    let berth = crate::harness::Berth::start();
    berth.get("/v2/").is(200);
    berth.get("/token").fails_with(404, "NAME_UNKNOWN");
    // Credentials that nobody asked for are not looked at.
    berth
        .send_with("GET", "/v2/", ("authorization", "Basic !"))
        .is(200);
}
