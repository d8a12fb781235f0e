use crate::harness::{Answer, Berth, Push, digest, noise};

const LENGTH: usize = 700_000;

/// A registry, the path of a blob, and its bytes.
fn stored() -> (Berth, String, Vec<u8>) {
    let berth = Berth::start();
    let content = noise(2, LENGTH);
    let digest = berth.push_blob("pull/blob", &content);
    (berth, format!("/v2/pull/blob/blobs/{digest}"), content)
}

fn range(berth: &Berth, path: &str, range: &str) -> Answer {
    berth.send_with("GET", path, ("range", range))
}

#[test]
fn a_blob_comes_whole_with_all_that_caches_need() {
    let (berth, path, content) = stored();
    let pulled = berth.get(&path).is(200);
    assert!(pulled.body == content);
    let head = berth.head(&path).is(200);
    assert!(head.body.is_empty());
    for answer in [pulled, head] {
        let digest = digest(&content);
        assert_eq!(answer.header("docker-content-digest"), digest);
        assert_eq!(answer.header("etag"), format!("\"{digest}\""));
        assert_eq!(answer.header("content-length"), LENGTH.to_string());
        assert_eq!(answer.header("content-type"), "application/octet-stream");
        assert_eq!(answer.header("accept-ranges"), "bytes");
        assert!(answer.header("cache-control").contains("immutable"));
    }
}

#[test]
fn single_open_and_suffix_ranges_are_served() {
    let (berth, path, content) = stored();
    for (asked, start, end) in [
        ("bytes=0-0", 0, 1),
        ("bytes=10-19", 10, 20),
        ("bytes=262143-262144", 262_143, 262_145),
        ("bytes=100-", 100, LENGTH),
        ("bytes=-100", LENGTH - 100, LENGTH),
        ("bytes=-9999999", 0, LENGTH),
        ("bytes=600000-99999999999999999999", 600_000, LENGTH),
    ] {
        let answer = range(&berth, &path, asked).is(206);
        assert!(answer.body == content[start..end], "{asked}");
        let held = format!("bytes {start}-{}/{LENGTH}", end - 1);
        assert_eq!(answer.header("content-range"), held);
        assert_eq!(answer.header("content-length"), (end - start).to_string());
    }
}

#[test]
fn a_range_that_the_blob_does_not_have_is_refused_with_its_size() {
    let (berth, path, _) = stored();
    for asked in [
        format!("bytes={LENGTH}-"),
        "bytes=-0".to_owned(),
        "bytes=9-5".to_owned(),
    ] {
        let answer = range(&berth, &path, &asked).fails_with(416, "SIZE_INVALID");
        assert_eq!(answer.header("content-range"), format!("bytes */{LENGTH}"));
    }
}

#[test]
fn ranges_that_are_not_understood_are_ignored() {
    let (berth, path, content) = stored();
    for asked in ["lines=1-2", "bytes=0-1,5-6", "bytes=a-b", "nonsense"] {
        assert!(
            range(&berth, &path, asked).is(200).body == content,
            "{asked}"
        );
    }
}

#[test]
fn a_range_counts_only_if_if_range_names_this_content() {
    let (berth, path, content) = stored();
    let ask = |tag: &str| {
        let request = berth.request(reqwest::Method::GET, &path);
        let request = request.header("range", "bytes=0-9").header("if-range", tag);
        Answer::of(request.send().unwrap())
    };
    let tag = format!("\"{}\"", digest(&content));
    assert_eq!(ask(&tag).is(206).body, content[..10]);
    assert_eq!(ask("\"other\"").is(200).body.len(), LENGTH);
    assert_eq!(
        ask("Tue, 24 Nov 2026 00:00:00 GMT").is(200).body.len(),
        LENGTH
    );
}

#[test]
fn whoever_has_the_blob_is_told_so() {
    let (berth, path, content) = stored();
    let tag = format!("\"{}\"", digest(&content));
    for method in ["GET", "HEAD"] {
        for value in [
            tag.clone(),
            format!("W/{tag}"),
            format!("\"x\", {tag}"),
            "*".to_owned(),
        ] {
            let answer = berth
                .send_with(method, &path, ("if-none-match", &value))
                .is(304);
            assert!(answer.body.is_empty());
            assert_eq!(answer.header("etag"), tag);
        }
    }
    berth
        .send_with("GET", &path, ("if-none-match", "\"x\""))
        .is(200);
}

#[test]
fn a_blob_is_readable_only_through_a_repository_linked_to_it() {
    let (berth, path, content) = stored();
    let digest = digest(&content);
    berth.push_blob("other", b"something else");
    berth
        .get(&format!("/v2/other/blobs/{digest}"))
        .fails_with(404, "BLOB_UNKNOWN");
    berth.head(&format!("/v2/other/blobs/{digest}")).is(404);
    berth
        .get(&format!("/v2/nowhere/blobs/{digest}"))
        .fails_with(404, "NAME_UNKNOWN");
    berth.get(&path).is(200);
}

#[test]
fn the_empty_blob_is_a_blob() {
    let berth = Berth::start();
    let path = format!("/v2/a/blobs/{}", berth.push_blob("a", b""));
    assert_eq!(berth.get(&path).is(200).header("content-length"), "0");
    assert_eq!(berth.head(&path).is(200).header("content-length"), "0");
    let answer = range(&berth, &path, "bytes=0-0").fails_with(416, "SIZE_INVALID");
    assert_eq!(answer.header("content-range"), "bytes */0");
}

#[test]
fn malformed_digests_are_refused() {
    let berth = Berth::start();
    berth.push_blob("a", b"");
    for digest in [
        "sha256",
        "sha256:",
        "sha256:abc",
        "md5:d41d8cd98f00b204e9800998ecf8427e",
        "latest",
    ] {
        berth
            .get(&format!("/v2/a/blobs/{digest}"))
            .fails_with(400, "DIGEST_INVALID");
    }
    let upper = digest(b"").to_uppercase().replace("SHA256", "sha256");
    berth
        .get(&format!("/v2/a/blobs/{upper}"))
        .fails_with(400, "DIGEST_INVALID");
}

#[cfg(target_os = "linux")]
#[test]
fn a_blob_that_only_the_disk_has_comes_whole() {
    let berth = Berth::start();
    let content = noise(7, 5_000_000);
    let digest = berth.push_blob("cold", &content);
    let hex = digest.trim_start_matches("sha256:");
    let path = berth.data().join("blobs/sha256").join(&hex[..2]).join(hex);
    let file = std::fs::File::open(path).unwrap();
    for range in ["bytes=0-", "bytes=1000001-4999998"] {
        rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed).unwrap();
        let path = format!("/v2/cold/blobs/{digest}");
        let answer = berth.send_with("GET", &path, ("range", range)).is(206);
        let expected = match range {
            "bytes=0-" => &content[..],
            _ => &content[1_000_001..4_999_999],
        };
        assert!(answer.body == expected, "{range} differs");
    }
}
