//! A repository that somebody may not see answers over HTTP/2 as one that does not exist.

use reqwest::blocking::Client;
use reqwest::{Method, Version};

use crate::harness::{Image, OCI_MANIFEST, client, digest};
use crate::world::{PASSWORD, World, basic};

/// Names of one length, so that only the name differs.
const THERE: &str = "vault/there";
const NOT_THERE: &str = "vault/empty";

/// What a stranger is answered, without what is never the same.
fn shown(world: &World, client: &Client, name: &str, method: &str, rest: &str) -> String {
    let url = format!("http://{}/v2/{name}/{rest}", world.berth.address);
    let method = Method::from_bytes(method.as_bytes()).unwrap();
    let answer = client
        .request(method, url)
        .header("authorization", basic("stranger", PASSWORD))
        .header("content-type", OCI_MANIFEST)
        .send()
        .unwrap();
    assert_eq!(answer.version(), Version::HTTP_2);
    let mut headers: Vec<String> = answer
        .headers()
        .iter()
        .filter(|(name, _)| *name != "date" && *name != "x-request-id")
        .map(|(name, value)| format!("{name}: {value:?}"))
        .collect();
    headers.sort();
    let status = answer.status();
    let body = answer.text().unwrap();
    format!("{status}\n{}\n{body}", headers.join("\n")).replace(name, "NAME")
}

#[test]
fn what_is_hidden_is_as_if_it_were_not_there() {
    let world = World::start();
    let image = Image::new(1);
    world.push(THERE, "v1", &image);
    let client = client().http2_prior_knowledge().build().unwrap();
    let (manifest, layer) = (digest(&image.manifest), digest(&image.layer));
    let session = "blobs/uploads/0b8d3a1e-6a5c-4f0e-9d54-5a7c3a1f2b4d";
    for (method, rest) in [
        ("GET", "manifests/v1"),
        ("HEAD", "manifests/v1"),
        ("GET", &format!("manifests/{manifest}")),
        ("HEAD", &format!("manifests/{manifest}")),
        ("DELETE", &format!("manifests/{manifest}")),
        ("DELETE", "manifests/v1"),
        ("PUT", "manifests/v1"),
        ("GET", &format!("blobs/{layer}")),
        ("HEAD", &format!("blobs/{layer}")),
        ("DELETE", &format!("blobs/{layer}")),
        ("GET", "tags/list"),
        ("GET", &format!("referrers/{manifest}")),
        ("POST", "blobs/uploads/"),
        ("GET", session),
        ("PATCH", session),
        ("DELETE", session),
    ] {
        let there = shown(&world, &client, THERE, method, rest);
        let not_there = shown(&world, &client, NOT_THERE, method, rest);
        assert_eq!(there, not_there, "{method} {rest}");
    }
    // It is there for those who may see it.
    let path = format!("/v2/{THERE}/manifests/v1");
    world.ask_as("root", "GET", &path).is(200);
}
