use std::fs;
use std::process::Command;

use crate::harness::{Berth, Image, Push, digest};
use crate::world::{STORAGE, World, text};

#[test]
fn a_registry_in_a_folder_moves_to_replicas() {
    let world = World::new();
    let server = Berth::start_with(&["--tag-deletion", "true"]);
    let images: Vec<Image> = (0..3).map(Image::new).collect();
    for (number, image) in images.iter().enumerate() {
        server.push("team/app", &format!("v{number}"), image);
    }
    let folder = tempfile::tempdir().unwrap();
    let configuration = folder.path().join("replicas.toml");
    let metadata = format!(
        "metadata = {:?}\nblob_storage = {:?}\n",
        world.url, STORAGE[1]
    );
    fs::write(&configuration, metadata).unwrap();
    let migrate = |options: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_berth"))
            .args(["migrate", "--from"])
            .arg(server.data())
            .arg("--to")
            .arg(&configuration)
            .args(options)
            .envs(crate::server::variables(&world.bucket.endpoint()))
            .output()
            .unwrap();
        let said = text(&output);
        assert!(output.status.success(), "{said}");
        assert!(!said.contains(&world.url), "{said}");
        said
    };
    let said = migrate(&[]);
    assert!(
        said.contains("the destination is what the source is"),
        "{said}"
    );
    server.delete("/v2/team/app/manifests/v0").is(202);
    server.push("team/app", "v1", &images[2]);
    migrate(&["--delete"]);

    let replica = world.start();
    replica.get("/v2/team/app/manifests/v0").is(404);
    for tag in ["v1", "v2"] {
        let manifest = replica
            .get(&format!("/v2/team/app/manifests/{tag}"))
            .is(200);
        assert_eq!(manifest.body, images[2].manifest);
    }
    for image in &images {
        let path = format!("/v2/team/app/blobs/{}", digest(&image.layer));
        assert_eq!(replica.get(&path).is(200).body, image.layer);
    }
}
