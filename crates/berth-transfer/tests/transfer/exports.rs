use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;

use berth_registry::{Authority, Condition, MemoryBlobs, MemoryMetadata, Registry, Settings};
use berth_spec::Globs;
use berth_transfer::{
    DistributionFolder, Export, OciLayout, RegistrySource, TransferError, TransferReport,
};
use serde_json::Value;
use tempfile::TempDir;

use crate::world::{
    APP, ARM64, Findings, LAYER, bring, bring_zot, digest, empty_registry, push_image, repository,
    tags, unpack,
};

/// A registry that can be exported.
struct World {
    registry: Registry,
    source: RegistrySource,
    folder: TempDir,
}

impl World {
    fn new() -> Self {
        let metadata = Arc::new(MemoryMetadata::default());
        let blobs = Arc::new(MemoryBlobs::default());
        let settings = Settings {
            tag_deletion: true,
            ..Settings::default()
        };
        Self {
            registry: Registry::new(metadata.clone(), blobs.clone(), settings),
            source: RegistrySource::new(metadata, blobs),
            folder: tempfile::tempdir().unwrap(),
        }
    }

    async fn full() -> Self {
        let world = Self::new();
        let folder = unpack("distribution-3");
        let source = DistributionFolder::open(folder.path()).await.unwrap();
        bring(&source, &world.registry).await;
        world
    }

    async fn try_export(
        &self,
        globs: &[&str],
    ) -> Result<(TransferReport, Vec<String>), TransferError> {
        let globs = globs.iter().map(ToString::to_string).collect::<Vec<_>>();
        let export = Export {
            source: &self.source,
            repositories: &Globs::try_from(globs).unwrap(),
        };
        let findings = Findings::default();
        let report = export.run(self.folder.path(), &findings).await?;
        let findings = findings.0.into_inner().unwrap();
        let findings = findings.iter().map(ToString::to_string).collect();
        Ok((report, findings))
    }

    async fn export(&self, globs: &[&str]) -> TransferReport {
        let (report, findings) = self.try_export(globs).await.unwrap();
        assert_eq!(findings, [""; 0]);
        report
    }

    fn index(&self, repository: &str) -> Value {
        let path = self.folder.path().join(repository).join("index.json");
        serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
    }
}

/// Where the bytes of a digest are in a layout.
fn blob(layout: &Path, digest: &str) -> std::path::PathBuf {
    layout.join("blobs").join(digest.replace(':', "/"))
}

#[tokio::test]
async fn an_export_that_is_imported_again_is_the_same() {
    let world = World::full().await;
    let report = world.export(&["**"]).await;
    assert_eq!(report.repositories, 6);
    let again = empty_registry();
    let (imported, findings) = bring_zot(&world.folder, &again).await;
    assert!(imported.is_complete(), "{findings:?}");
    assert_eq!(tags(&again).await, tags(&world.registry).await);
    // All manifests, with those that have no tag.
    assert_eq!(imported.manifests, report.manifests);

    let one = empty_registry();
    let layout = world.folder.path().join("library/many");
    let layout = OciLayout::open(&layout, repository("other/name"))
        .await
        .unwrap();
    bring(&layout, &one).await;
    let names: Vec<_> = tags(&one).await.into_keys().collect();
    assert_eq!(names, ["other/name:amd64", "other/name:v1"]);
}

#[tokio::test]
async fn a_blob_of_many_repositories_is_one_file() {
    let world = World::full().await;
    let report = world.export(&["**"]).await;
    assert!(report.mounted > 3, "{report:?}");
    let inode = |name| {
        let path = blob(&world.folder.path().join(name), LAYER);
        fs::metadata(path).unwrap().ino()
    };
    assert_eq!(inode("library/base"), inode("team/app"));
}

#[tokio::test]
async fn a_second_export_writes_what_is_new() {
    let world = World::full().await;
    world.export(&["**"]).await;
    push_image(&world.registry, "team/new", "v1", "new").await;
    let always = Condition::default();
    let (app, latest) = (repository("team/app"), "latest".parse().unwrap());
    let deleted = world
        .registry
        .delete_manifest(&app, &latest, &always, Authority::Ordinary);
    deleted.await.unwrap();
    // As a power cut may leave it.
    let cut = blob(&world.folder.path().join("library/base"), LAYER);
    fs::remove_file(&cut).unwrap();
    fs::write(&cut, "cut").unwrap();
    let report = world.export(&["**"]).await;
    assert_eq!((report.blobs, report.manifests), (2, 1), "{report:?}");
    assert_eq!(fs::metadata(&cut).unwrap().len(), 125);
    let index = world.index("team/app").to_string();
    assert!(!index.contains(r#""latest""#), "{index}");
}

#[tokio::test]
async fn referrers_are_in_the_index_itself() {
    let world = World::full().await;
    world.export(&["team/app"]).await;
    // Also where a client keeps a list of them under a tag, which has it as an index has its images.
    let (app, subject) = (repository("team/app"), digest(APP));
    let referrers = world.registry.referrers(&app, &subject, None, None);
    let referrers = referrers.await.unwrap().descriptors;
    let bill = &referrers[0].digest;
    let index = world.index("team/app");
    let entries = index["manifests"].as_array().unwrap();
    let listed = entries
        .iter()
        .filter(|entry| entry["digest"] == bill.as_str());
    assert_eq!(listed.count(), 1, "{index}");
    // An image of an index is not.
    world.export(&["library/many"]).await;
    assert!(!world.index("library/many").to_string().contains(ARM64));
}

#[tokio::test]
async fn globs_choose() {
    let world = World::full().await;
    let report = world.export(&["library/*", "team/notes"]).await;
    assert_eq!(report.repositories, 3);
    assert!(!world.folder.path().join("team/app").exists());
    // No tag, and so an entry without a name.
    let index = world.index("team/notes");
    assert_eq!(index["manifests"].as_array().unwrap().len(), 1);
    assert!(index["manifests"][0].get("annotations").is_none());
}

#[tokio::test]
async fn names_that_layouts_have_themselves_are_told() {
    let world = World::new();
    push_image(&world.registry, "team", "v1", "one").await;
    push_image(&world.registry, "team/blobs", "v1", "two").await;
    let (report, findings) = world.try_export(&["**"]).await.unwrap();
    assert_eq!((report.repositories, report.problems), (1, 1));
    assert!(
        findings[0].starts_with("team/blobs as a whole is refused"),
        "{findings:?}"
    );
}

#[tokio::test]
async fn a_blob_that_is_gone_is_told_and_the_rest_exported() {
    let world = World::full().await;
    let base = repository("library/base");
    let (layer, always) = (digest(LAYER), Condition::default());
    let deleted = world.registry.delete_blob(&base, &layer, &always);
    deleted.await.unwrap();
    let (report, findings) = world.try_export(&["**"]).await.unwrap();
    // The manifest, and its tag.
    assert_eq!(report.problems, 2, "{findings:?}");
    assert_eq!(report.repositories, 6);
    assert_eq!(
        world.index("library/base")["manifests"],
        Value::Array(vec![])
    );
}

#[tokio::test]
async fn two_exports_at_once_do_not_mix() {
    let world = World::full().await;
    fs::create_dir_all(world.folder.path()).unwrap();
    let lock = fs::File::create(world.folder.path().join(".lock")).unwrap();
    lock.lock().unwrap();
    let error = world.try_export(&["**"]).await.unwrap_err();
    assert!(error.to_string().contains("another export"), "{error}");
}
