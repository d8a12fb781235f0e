use std::fs;
use std::path::Path;

use berth_registry::Registry;
use berth_spec::Digest;
use berth_transfer::{OciLayout, TransferReport};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::world::{bring, empty_registry, has_manifest, tags};

const IMAGE: &str = "application/vnd.oci.image.manifest.v1+json";

fn layout() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir_all(folder.path().join("blobs/sha256")).unwrap();
    fs::write(
        folder.path().join("oci-layout"),
        r#"{"imageLayoutVersion": "1.0.0"}"#,
    )
    .unwrap();
    folder
}

/// Writes bytes and answers their descriptor.
fn write(folder: &TempDir, media_type: &str, content: &str) -> Value {
    let digest = Digest::sha256(content.as_bytes());
    let path = folder.path().join("blobs/sha256").join(digest.hex());
    fs::write(path, content).unwrap();
    json!({"mediaType": media_type, "digest": digest, "size": content.len()})
}

/// An image that does not tell its media type, as is allowed.
fn write_image(folder: &TempDir, config: &str, foreign: &[Value]) -> Value {
    let config = write(folder, "application/vnd.oci.image.config.v1+json", config);
    let image = json!({"schemaVersion": 2, "config": config, "layers": foreign});
    write(folder, IMAGE, &image.to_string())
}

fn named(mut entry: Value, name: &str) -> Value {
    entry["annotations"] = json!({"org.opencontainers.image.ref.name": name});
    entry
}

fn write_index(folder: &Path, entries: &[Value]) {
    let index = json!({"schemaVersion": 2, "manifests": entries});
    fs::write(folder.join("index.json"), index.to_string()).unwrap();
}

async fn bring_layout(folder: &TempDir) -> (Registry, TransferReport, Vec<String>) {
    let registry = empty_registry();
    let name = "library/layout".parse().unwrap();
    let source = OciLayout::open(folder.path(), name).await.unwrap();
    let (report, findings) = bring(&source, &registry).await;
    (registry, report, findings)
}

#[tokio::test]
async fn names_become_tags_and_the_rest_is_untagged() {
    let folder = layout();
    let image = write_image(&folder, "{}", &[]);
    let other = write_image(&folder, r#"{"a": 1}"#, &[]);
    let reference = "docker.io/library/layout:v3";
    let document = write(&folder, "application/xml", "<a/>");
    let entries = [
        named(image.clone(), "v1"),
        named(image.clone(), "v2"),
        named(other.clone(), reference),
        named(document, "document"),
        json!({"mediaType": IMAGE, "digest": "md5:abc", "size": 1}),
    ];
    write_index(folder.path(), &entries);
    let (registry, report, findings) = bring_layout(&folder).await;
    let found = tags(&registry).await;
    let names: Vec<_> = found.keys().cloned().collect();
    assert_eq!(names, ["library/layout:v1", "library/layout:v2"]);
    let other = other["digest"].as_str().unwrap();
    assert!(has_manifest(&registry, "library/layout", other).await);
    assert_eq!(
        (report.passed_over, report.problems),
        (2, 1),
        "{findings:?}"
    );
    let all = findings.join("\n");
    assert!(
        all.contains("its media type application/xml is not one of a manifest"),
        "{all}"
    );
    assert!(all.contains("the name of"), "{all}");
}

#[tokio::test]
async fn an_index_in_an_index_comes_after_what_it_lists() {
    let folder = layout();
    let image = write_image(&folder, "{}", &[]);
    let inner = json!({"schemaVersion": 2, "manifests": [image]}).to_string();
    let inner = write(&folder, "application/vnd.oci.image.index.v1+json", &inner);
    let outer = json!({"schemaVersion": 2, "manifests": [inner, image]}).to_string();
    let outer = write(&folder, "application/vnd.oci.image.index.v1+json", &outer);
    write_index(folder.path(), &[named(outer, "v1")]);
    let (registry, report, findings) = bring_layout(&folder).await;
    assert_eq!(findings, [""; 0]);
    assert_eq!((report.manifests, report.tags), (3, 1));
    assert_eq!(tags(&registry).await.len(), 1);
}

#[tokio::test]
async fn layers_that_nobody_need_hold_may_be_missing() {
    let folder = layout();
    let foreign = json!({
        "mediaType": "application/vnd.oci.image.layer.nondistributable.v1.tar",
        "digest": Digest::sha256(b"elsewhere"),
        "size": 9,
    });
    let there = write(
        &folder,
        "application/vnd.oci.image.layer.nondistributable.v1.tar",
        "here",
    );
    let image = write_image(&folder, "{}", &[foreign, there]);
    write_index(folder.path(), &[named(image, "v1")]);
    let (registry, report, findings) = bring_layout(&folder).await;
    assert!(report.is_complete(), "{findings:?}");
    // Those that are there come along.
    let name = "library/layout".parse().unwrap();
    assert!(registry.blob(&name, &Digest::sha256(b"here")).await.is_ok());
}

#[tokio::test]
async fn what_is_no_layout_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let name = "library/layout".parse().unwrap();
    let error = OciLayout::open(folder.path(), name).await.unwrap_err();
    assert!(error.to_string().contains("no files oci-layout"), "{error}");
}

#[tokio::test]
async fn a_layout_of_a_later_version_is_refused() {
    use berth_transfer::Source;
    let folder = layout();
    write_index(folder.path(), &[]);
    let name: berth_spec::RepositoryName = "library/layout".parse().unwrap();
    fs::write(
        folder.path().join("oci-layout"),
        r#"{"imageLayoutVersion": "2.0.0"}"#,
    )
    .unwrap();
    let source = OciLayout::open(folder.path(), name.clone()).await.unwrap();
    let error = source.listing(&name).await.unwrap_err();
    assert!(error.to_string().contains("2.0.0"), "{error}");
}
