//! Pulls through a cache, and straight from the bucket.

use std::path::PathBuf;
use std::time::Duration;

use crate::harness::{Answer, Berth, Disk, Image, Push, client, digest, noise};
use crate::server::{Server, variables};
use crate::{STORAGE, refusal};

fn start_with(server: &Server, options: &[&str]) -> Berth {
    let options = [&STORAGE[..], options].concat();
    Berth::start_in(&variables(&server.endpoint()), &options)
}

/// What a client is answered that does not go where it is sent.
fn ask(berth: &Berth, method: &str, path: &str, headers: &[(&str, &str)], http_2: bool) -> Answer {
    let mut builder = client().redirect(reqwest::redirect::Policy::none());
    if http_2 {
        builder = builder.http2_prior_knowledge();
    }
    let url = format!("http://{}{path}", berth.address);
    let method = method.parse().unwrap();
    let mut request = builder.build().unwrap().request(method, url);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    Answer::of(request.send().unwrap())
}

/// What anybody is answered at a URL.
fn fetch(url: &str, headers: &[(&str, &str)]) -> Answer {
    let mut request = client().build().unwrap().get(url);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    Answer::of(request.send().unwrap())
}

/// The blobs in the cache of a server.
fn cached(berth: &Berth) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(berth.data().join("cache")).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    let is_blob = |path: &PathBuf| path.to_str().unwrap().contains("sha256-");
    paths.filter(is_blob).collect()
}

fn until_cached(berth: &Berth, number: usize) {
    for _ in 0..1000 {
        if cached(berth).len() == number {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("{:?} is in the cache", cached(berth));
}

#[test]
fn what_is_cached_is_pulled_without_the_bucket() {
    let server = Server::start();
    let berth = start_with(&server, &["--blob-cache", "20MiB"]);
    let image = Image::new(1);
    berth.push("team/app", "v1", &image).is(201);
    let large = noise(2, 3_000_000);
    let large_blob = format!("/v2/team/app/blobs/{}", berth.push_blob("team/app", &large));
    let layer = format!("/v2/team/app/blobs/{}", digest(&image.layer));
    let uncached = format!("/v2/team/app/blobs/{}", digest(&image.config));
    // Pushing and asking bring nothing into the cache.
    berth.head(&layer).is(200);
    assert_eq!(cached(&berth).len(), 0);
    assert!(berth.get(&large_blob).is(200).body == large);
    assert_eq!(berth.get(&layer).is(200).body, image.layer);
    until_cached(&berth, 2);
    let berth = berth.kill_and_restart();
    drop(server);
    assert!(berth.get(&large_blob).is(200).body == large);
    assert!(ask(&berth, "GET", &large_blob, &[], true).is(200).body == large);
    let part = berth.send_with("GET", &large_blob, ("range", "bytes=1000000-1999999"));
    assert!(part.is(206).body == large[1_000_000..2_000_000]);
    assert_eq!(berth.get(&layer).is(200).body, image.layer);
    berth.get(&uncached).is(500);
    // That a blob is there, only the bucket knows; and what a repository has, only the metadata.
    berth.head(&layer).is(500);
    let elsewhere = layer.replace("team/app", "team/other");
    berth.get(&elsewhere).is(404);
}

/// In a folder on a disk that is smaller than the limit.
#[test]
fn a_full_disk_of_the_cache_keeps_nobody_from_pulling() {
    let server = Server::start();
    let place = tempfile::tempdir().unwrap();
    let disk = Disk::mount(place.path(), 4);
    let options = [
        &STORAGE[..],
        &["--blob-cache", "1GiB", "--blob-cache-folder"],
        &[place.path().to_str().unwrap()],
    ]
    .concat();
    let variables = variables(&server.endpoint());
    let berth = Berth::start_under_in(&disk.enter(), &variables, &options);
    let contents = [1, 2, 3].map(|seed| noise(seed, 3_000_000));
    let digests = contents
        .each_ref()
        .map(|content| berth.push_blob("team/app", content));
    for _ in 0..3 {
        for (content, digest) in contents.iter().zip(&digests) {
            let blob = format!("/v2/team/app/blobs/{digest}");
            assert!(berth.get(&blob).is(200).body == *content);
        }
    }
    berth.terminate();
    let (status, log) = berth.wait();
    assert!(status.success());
    assert!(log.contains("the cache cannot be written"), "{log}");
}

#[test]
fn a_large_blob_is_pulled_from_the_bucket() {
    let server = Server::start();
    let berth = start_with(
        &server,
        &["--blob-redirect", "1MiB", "--blob-cache", "20MiB"],
    );
    let (large, small) = (noise(1, 3_000_000), noise(2, 100_000));
    let large_blob = format!("/v2/team/app/blobs/{}", berth.push_blob("team/app", &large));
    let small_blob = format!("/v2/team/app/blobs/{}", berth.push_blob("team/app", &small));
    for http_2 in [false, true] {
        let answer = ask(&berth, "GET", &large_blob, &[], http_2).is(307);
        let url = answer.header("location");
        assert!(url.starts_with(&server.endpoint()), "{url}");
        assert!(fetch(url, &[]).is(200).body == large);
        let range = [("range", "bytes=1000000-1999999")];
        let answer = ask(&berth, "GET", &large_blob, &range, http_2).is(307);
        let part = fetch(answer.header("location"), &range).is(206);
        assert!(part.body == large[1_000_000..2_000_000]);
        let head = ask(&berth, "HEAD", &large_blob, &[], http_2).is(200);
        assert_eq!(head.header("content-length"), "3000000");
        let answer = ask(&berth, "GET", &small_blob, &[], http_2).is(200);
        assert!(answer.body == small);
    }
    // As clients do it.
    assert!(berth.get(&large_blob).is(200).body == large);
    let signature = "X-Amz-Signature";
    let answer = ask(&berth, "GET", &large_blob, &[], false).is(307);
    assert!(answer.header("location").contains(signature));
    until_cached(&berth, 1);
    berth.terminate();
    let (status, log) = berth.wait();
    assert!(status.success());
    assert!(!log.contains(signature), "{log}");
}

#[test]
fn a_url_ends_and_is_for_one_blob() {
    let server = Server::start();
    let options = ["--blob-redirect", "all", "--blob-redirect-lifetime", "1s"];
    let berth = start_with(&server, &options);
    let (one, other) = (noise(1, 1000), noise(2, 1000));
    let [one, other] = [one, other].map(|content| berth.push_blob("team/app", &content));
    let url_of = |digest: &str| {
        let blob = format!("/v2/team/app/blobs/{digest}");
        let answer = ask(&berth, "GET", &blob, &[], false).is(307);
        answer.header("location").to_owned()
    };
    let (url, other_url) = (url_of(&one), url_of(&other));
    let path = |url: &str| url.split('?').next().unwrap().to_owned();
    fetch(&url.replace(&path(&url), &path(&other_url)), &[]).is(403);
    fetch(&path(&url), &[]).is(403);
    std::thread::sleep(Duration::from_secs(3));
    fetch(&url, &[]).is(403);
}

#[test]
fn who_may_not_pull_is_sent_nowhere() {
    let server = Server::start();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("berth.toml");
    let rules = "accounts = true\nblob_redirect = \"all\"\n\
        [[rule]]\nrepositories = [\"public/**\"]\nwho = [\"anonymous\"]\nactions = [\"pull\", \"push\"]\n";
    std::fs::write(&file, rules).unwrap();
    let options = ["--insecure-listen", "--config", file.to_str().unwrap()];
    let berth = start_with(&server, &options);
    let digest = berth.push_blob("public/app", &noise(1, 1000));
    let public = format!("/v2/public/app/blobs/{digest}");
    ask(&berth, "GET", &public, &[], false).is(307);
    let hidden = format!("/v2/secret/app/blobs/{digest}");
    let answer = ask(&berth, "GET", &hidden, &[], false).is(401);
    assert!(!answer.has("location"));
    let unknown = public.replace("public/app", "public/other");
    assert!(
        !ask(&berth, "GET", &unknown, &[], false)
            .is(404)
            .has("location")
    );
}

#[test]
fn options_that_need_a_bucket_say_so() {
    let mut berth = Berth::start();
    berth.kill();
    for option in ["--blob-cache=1GiB", "--blob-redirect=all"] {
        let said = refusal(berth.command().arg(option));
        assert!(said.contains("is for blobs in a bucket"), "{said}");
    }
}
