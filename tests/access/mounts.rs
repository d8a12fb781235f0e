use crate::harness::Answer;
use crate::world::{PASSWORD, World, basic};

fn mount(world: &World, caller: &str, to: &str, digest: &str, from: Option<&str>) -> Answer {
    let from = from.map_or(String::new(), |from| format!("&from={from}"));
    let path = format!("/v2/{to}/blobs/uploads/?mount={digest}{from}");
    world.ask("POST", &path, Some(caller))
}

#[test]
fn a_mount_needs_push_where_it_goes_and_pull_where_it_comes_from() {
    let world = World::start();
    let content = world.push_blob("vault/app", b"content");
    let open = world.push_blob("open/app", b"of all");
    let writer = basic("writer", PASSWORD);
    // It quietly becomes an upload, as if the blob were not there.
    for from in [
        Some("vault/app"),
        Some("vault/none"),
        Some("team/none"),
        None,
    ] {
        let answer = mount(&world, &writer, "team/app", &content, from).is(202);
        assert!(answer.has("docker-upload-uuid"), "{from:?}");
    }
    let path = format!("/v2/team/app/blobs/{content}");
    world.ask_as("reader", "GET", &path).is(404);
    mount(&world, &writer, "team/app", &open, None).is(202);
    mount(&world, &writer, "team/app", &open, Some("open/app")).is(201);
    world
        .ask_as("reader", "GET", &format!("/v2/team/app/blobs/{open}"))
        .is(200);
    // Who may pull from everywhere need not say where the blob is.
    let root = basic("root", PASSWORD);
    mount(&world, &root, "team/b", &content, None).is(201);
    // To where one may not push, nothing is mounted.
    let reader = basic("reader", PASSWORD);
    mount(&world, &reader, "team/c", &open, Some("open/app")).fails_with(403, "DENIED");
    let stranger = basic("stranger", PASSWORD);
    mount(&world, &stranger, "team/c", &open, Some("open/app")).fails_with(403, "DENIED");
}

#[test]
fn a_token_must_reach_to_where_the_blob_comes_from() {
    let world = World::start();
    let open = world.push_blob("open/app", b"of all");
    let target = "repository:team/app:pull,push";
    let narrow = world.bearer("writer", &[target]);
    mount(&world, &narrow, "team/app", &open, Some("open/app")).is(202);
    mount(&world, &narrow, "team/app", &open, None).is(202);
    let wide = world.bearer("writer", &[target, "repository:open/app:pull"]);
    mount(&world, &wide, "team/app", &open, Some("open/app")).is(201);
    let root = world.bearer("root", &[target]);
    mount(&world, &root, "team/app", &open, None).is(202);
}
