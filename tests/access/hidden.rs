//! A repository that somebody may not see answers as one that does not exist.

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::json;

use crate::harness::{Answer, Image, OCI_MANIFEST, digest, noise};
use crate::world::{PASSWORD, World, basic};

/// Names of one length, so that only the name differs.
const THERE: &str = "vault/there";
const NOT_THERE: &str = "vault/empty";
const VISIBLE: &str = "open1/empty";

const RULES: &str = r#"
[[rule]]
repositories = ["open1/**"]
who = ["stranger", "eraser"]
actions = ["pull", "push", "delete"]

[[rule]]
repositories = ["vault/**"]
who = ["eraser"]
actions = ["delete"]
"#;

/// What stands in a repository that holds something.
struct Stored {
    manifest: String,
    blob: String,
    other: String,
}

/// A request, whose path has `NAME` for the repository.
#[derive(Debug)]
struct Request {
    method: &'static str,
    path: String,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
}

fn pick<'a>(random: &mut StdRng, from: &[&'a str]) -> &'a str {
    from[random.random_range(0..from.len())]
}

impl Request {
    fn random(random: &mut StdRng, stored: &Stored) -> Self {
        let Stored {
            manifest,
            blob,
            other,
        } = stored;
        let reference = pick(random, &["v1", "v9", manifest, other, ".bad", "sha256:00"]);
        let blob = pick(random, &[blob, other, manifest, "sha256:zz"]);
        let page = pick(
            random,
            &["", "?n=0", "?n=1", "?n=abc", "?last=a", "?n=2&last=v1"],
        );
        let kind = pick(
            random,
            &["", "?artifactType=a/b", "?artifactType=", "?last=x"],
        );
        let start = pick(
            random,
            &[
                "",
                "?mount=BLOB",
                "?mount=BLOB&from=open1/empty",
                "?digest=BLOB",
            ],
        );
        let session = "0b8d3a1e-6a5c-4f0e-9d54-5a7c3a1f2b4d";
        let rest = match random.random_range(0..7) {
            0 | 1 => format!("manifests/{reference}"),
            2 | 3 => format!("blobs/{blob}"),
            4 => format!("tags/list{page}"),
            5 => format!(
                "referrers/{}{kind}",
                pick(random, &[manifest, other, "bad"])
            ),
            _ => match random.random_range(0..2) {
                0 => format!("blobs/uploads/{}", start.replace("BLOB", other)),
                _ => format!("blobs/uploads/{session}?digest={other}"),
            },
        };
        let method = [
            "GET", "GET", "HEAD", "DELETE", "DELETE", "PUT", "POST", "PATCH",
        ][random.random_range(0..8)];
        let tag = |digest: &str| format!("\"{digest}\"");
        let mut headers = vec![("content-type", OCI_MANIFEST.to_owned())];
        for name in ["if-match", "if-none-match", "range", "if-range"] {
            let value = match random.random_range(0..8) {
                0 => tag(manifest),
                1 => tag(&stored.blob),
                2 => "*".to_owned(),
                3 => "bytes=0-1".to_owned(),
                _ => continue,
            };
            headers.push((name, value));
        }
        Self {
            method,
            path: format!("/v2/NAME/{rest}"),
            headers,
            body: vec![b' '; random.random_range(0..2) * 10],
        }
    }

    /// What is answered about a repository, without what is never the same.
    fn shown(&self, world: &World, name: &str, caller: Option<&str>) -> String {
        let path = self.path.replace("NAME", name);
        let headers: Vec<(&str, &str)> = self
            .headers
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        let answer = world.send(self.method, &path, caller, &headers, self.body.clone());
        shown(&answer, name)
    }
}

fn shown(answer: &Answer, name: &str) -> String {
    let headers: Vec<String> = answer
        .headers
        .iter()
        .filter(|(name, _)| !["date", "x-request-id"].contains(&name.as_str()))
        .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
        .collect();
    let body = String::from_utf8(answer.body.clone()).unwrap();
    let all = format!("{}\n{}\n\n{body}", answer.status, headers.join("\n"));
    let all = all.replace(name, "NAME");
    // The id of a new upload session is a new one.
    match answer.headers.get("docker-upload-uuid") {
        Some(id) => all.replace(id.to_str().unwrap(), "ID"),
        None => all,
    }
}

fn stored(world: &World) -> Stored {
    let image = Image::new(1);
    world.push(THERE, "v1", &image);
    world.push(THERE, "v2", &Image::new(2));
    let referrer = Image::with(
        3,
        &json!({ "subject": image.descriptor(), "artifactType": "a/b" }),
    );
    world.push(THERE, "v3", &referrer);
    Stored {
        manifest: image.digest(),
        blob: digest(&image.layer),
        other: digest(&noise(7, 7)),
    }
}

fn nothing_can_be_told_apart(seed: u64, tag_deletion: bool) {
    let options = format!("tag_deletion = {tag_deletion}");
    let world = World::start_with(&format!("{options}\n{RULES}"), &[]);
    let stored = stored(&world);
    let stranger = basic("stranger", PASSWORD);
    let eraser = basic("eraser", PASSWORD);
    let bearer = world.bearer("stranger", &["repository:vault/there:pull,push,delete"]);
    // The token that stands for the same one, and may be used where the other is allowed.
    let wide = world.bearer("stranger", &["repository:open1/empty:pull,push,delete"]);
    let mut random = StdRng::seed_from_u64(seed);
    let (mut compared, mut not_found) = (0, 0);
    for _ in 0..400 {
        let request = Request::random(&mut random, &stored);
        let callers = [
            (None, None),
            (Some(&stranger), Some(&stranger)),
            (Some(&eraser), Some(&eraser)),
            (Some(&bearer), Some(&wide)),
        ];
        for (number, (caller, who_may)) in callers.into_iter().enumerate() {
            // Who may delete is told what there is to delete.
            if number == 2 && request.method == "DELETE" {
                continue;
            }
            let caller = caller.map(String::as_str);
            let there = request.shown(&world, THERE, caller);
            let not_there = request.shown(&world, NOT_THERE, caller);
            assert_eq!(there, not_there, "{request:?} {number}");
            let is_hidden = !there.starts_with("401") && !there.starts_with("403");
            if is_hidden && number > 0 {
                let who_may = who_may.map(String::as_str);
                let visible = request.shown(&world, VISIBLE, who_may);
                assert_eq!(there, visible, "{request:?} {number}");
                compared += 1;
                not_found += usize::from(there.starts_with("404"));
            }
        }
    }
    // The comparison is worth something.
    assert!(compared > 300 && not_found > 100, "{compared} {not_found}");
    // Nothing of that has changed anything.
    let root = basic("root", PASSWORD);
    for rest in ["manifests/v1", "manifests/v2", "manifests/v3"] {
        world
            .ask("GET", &format!("/v2/{THERE}/{rest}"), Some(&root))
            .is(200);
    }
    let blob = format!("/v2/{THERE}/blobs/{}", stored.blob);
    world.ask("GET", &blob, Some(&root)).is(200);
}

#[test]
fn nothing_can_be_told_apart_where_tags_can_be_deleted() {
    nothing_can_be_told_apart(1, true);
}

#[test]
fn nothing_can_be_told_apart_where_they_cannot() {
    nothing_can_be_told_apart(2, false);
}
