use crate::harness::{Berth, Image, Push, digest};
use crate::{file_of, until};

#[test]
fn the_server_collects_by_itself() {
    let options = ["--collection-interval", "1s", "--collection-grace", "1s"];
    let server = Berth::start_with(&options);
    let image = Image::new(1);
    server.push("here", "v1", &image);
    let unused = server.push_blob("here", b"nobody needs this");
    let data = server.data();
    until(|| !file_of(&data, &unused).exists());
    assert!(file_of(&data, &digest(&image.layer)).exists());
    server.get("/v2/here/manifests/v1").is(200);
}

#[test]
fn asking_for_a_blob_keeps_it() {
    let options = ["--collection-interval", "1s", "--collection-grace", "2s"];
    let server = Berth::start_with(&options);
    let [asked_for, forgotten] =
        ["asked for", "forgotten"].map(|content| server.push_blob("here", content.as_bytes()));
    let data = server.data();
    let path = format!("/v2/here/blobs/{asked_for}");
    until(|| {
        server.head(&path).is(200);
        !file_of(&data, &forgotten).exists()
    });
    server.head(&path).is(200);
    until(|| !file_of(&data, &asked_for).exists());
    server.head(&path).is(404);
}
