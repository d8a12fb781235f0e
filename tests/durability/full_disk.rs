use crate::harness::{Berth, Image, OCI_MANIFEST, Push, digest, noise};

const MIB: usize = 1024 * 1024;

/// A client sees 507 and the error `UNKNOWN` for what has no room, and every pull goes on. What was
/// acknowledged is there after a kill, and a server starts on a full disk.
#[test]
fn pushes_are_refused_and_pulls_go_on() {
    let berth = Berth::start_on_a_disk_of(12);
    let image = Image::new(1);
    berth.push("disk", "v1", &image);
    let mut stored = vec![(digest(&image.layer), image.layer.clone())];
    let refused = (0..20)
        .map(|seed| noise(100 + seed, MIB))
        .find_map(|content| {
            let digest = digest(&content);
            let path = format!("/v2/disk/blobs/uploads/?digest={digest}");
            let request = berth.request(reqwest::Method::POST, &path);
            let answer = crate::harness::Answer::of(request.body(content.clone()).send().unwrap());
            if answer.status == 201 {
                stored.push((digest, content));
                return None;
            }
            Some((answer, digest))
        });
    let (answer, digest) = refused.expect("the disk never got full");
    let answer = answer.fails_with(507, "UNKNOWN");
    assert!(answer.message().contains("full"), "{}", answer.message());
    assert!(stored.len() > 5, "only {} blobs fit", stored.len());

    // Nothing half-written is shown, and what was acknowledged is there.
    berth
        .get(&format!("/v2/disk/blobs/{digest}"))
        .fails_with(404, "BLOB_UNKNOWN");
    for (digest, content) in &stored {
        assert!(berth.get(&format!("/v2/disk/blobs/{digest}")).is(200).body == *content);
    }
    assert_eq!(
        berth.get("/v2/disk/manifests/v1").is(200).body,
        image.manifest
    );

    // Every way to push is refused once no page is left, and nothing else is harmed.
    let rest = noise(2, 4 * MIB);
    let statuses: Vec<u16> = (0..40)
        .map(|number| {
            let small = Image::new(1000 + number);
            let path = format!("/v2/disk/manifests/t{number}");
            let manifest = fill(&small, &image, &rest);
            berth.put_manifest(&path, OCI_MANIFEST, manifest).status
        })
        .collect();
    assert!(statuses.contains(&507), "{statuses:?}");
    assert!(
        statuses.iter().all(|status| [201, 507].contains(status)),
        "{statuses:?}"
    );
    let check = |berth: &Berth| {
        for (number, status) in statuses.iter().enumerate() {
            let answer = berth.get(&format!("/v2/disk/manifests/t{number}"));
            match status {
                201 => {
                    let manifest = fill(&Image::new(1000 + number as u64), &image, &rest);
                    assert!(answer.is(200).body == manifest);
                }
                _ => drop(answer.fails_with(404, "MANIFEST_UNKNOWN")),
            }
        }
        for (digest, content) in &stored {
            assert!(berth.get(&format!("/v2/disk/blobs/{digest}")).is(200).body == *content);
        }
        let pulled = berth.get("/v2/disk/manifests/v1").is(200);
        assert_eq!(pulled.body, image.manifest);
    };
    check(&berth);
    check(&berth.kill_and_restart());
}

/// A manifest of about 100 KiB that needs what `stored` has.
fn fill(image: &Image, stored: &Image, noise: &[u8]) -> Vec<u8> {
    let mut manifest: serde_json::Value = serde_json::from_slice(&stored.manifest).unwrap();
    let long: String = noise
        .iter()
        .take(50_000)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    manifest["annotations"] = serde_json::json!({ "long": long, "own": image.digest() });
    manifest.to_string().into_bytes()
}

/// A client sees 507 and the error `UNKNOWN`, and goes on where it was when there is room again.
#[test]
fn a_session_survives_a_full_disk_and_another_makes_room() {
    let berth = Berth::start_on_a_disk_of(12);
    let session = berth.begin("disk");
    let content = noise(3, 2 * MIB);
    berth.patch(&session, &content[..MIB]).is(202);
    let blocker = berth.begin("blocker");
    let quarter = noise(4, MIB / 4);
    let refused = (0..100)
        .map(|_| berth.patch(&blocker, quarter.clone()))
        .find(|answer| answer.status != 202);
    let refused = refused.expect("the disk never got full");
    refused.fails_with(507, "UNKNOWN");
    berth
        .patch(&session, &content[MIB..])
        .fails_with(507, "UNKNOWN");
    assert_eq!(
        berth.get(&session).is(204).header("range"),
        format!("0-{}", MIB - 1)
    );
    berth.delete(&blocker).is(204);
    berth.patch(&session, &content[MIB..]).is(202);
    let digest = digest(&content);
    berth.put(&format!("{session}?digest={digest}"), []).is(201);
    assert!(berth.get(&format!("/v2/disk/blobs/{digest}")).is(200).body == content);
}
