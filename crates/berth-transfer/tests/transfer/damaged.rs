use std::fs;
use std::os::unix::fs::symlink;

use crate::world::{
    APP, ARM64, BASE, INDEX, LAYER, bring_distribution, bring_zot, damage, data, digest,
    distributed, empty_registry, has_manifest, repository, tags, unpack,
};

#[tokio::test]
async fn a_damaged_blob_is_told_with_its_path_and_not_taken() {
    let folder = unpack("distribution-3");
    let registry = empty_registry();
    // The layer that the first application alone has.
    let own = "sha256:15479e801b7318854b8fa7d31464aed981a5365ae10b3afdf263fc12888ca45d";
    let path = data(&folder, own);
    damage(&path);
    let (report, findings) = bring_distribution(&folder, &registry).await;
    let shown = fs::canonicalize(&path).unwrap().display().to_string();
    let damaged = findings
        .iter()
        .filter(|finding| finding.starts_with(&shown));
    assert_eq!(damaged.count(), 1, "{findings:?}");
    assert!(
        registry
            .blob(&repository("team/app"), &digest(own))
            .await
            .is_err()
    );
    let found = tags(&registry).await;
    let without: Vec<&str> = ["v1", "v2", "latest"]
        .into_iter()
        .filter(|tag| !found.contains_key(&format!("team/app:{tag}")))
        .collect();
    assert_eq!(without.len(), 1, "{findings:?}");
    // The blob, the manifest, and the tag.
    assert_eq!(report.problems, 3, "{findings:?}");
    assert!(found.contains_key("library/base:v1"));

    // When the file is whole again, the rest comes.
    damage(&path);
    let (report, _) = bring_distribution(&folder, &registry).await;
    assert_eq!(
        (report.problems, report.blobs, report.manifests, report.tags),
        (0, 1, 1, 1)
    );
}

#[tokio::test]
async fn a_damaged_layer_of_many_repositories_is_taken_from_none() {
    for name in ["distribution-2", "zot"] {
        let folder = unpack(name);
        let registry = empty_registry();
        let (report, findings) = match name {
            "zot" => {
                let hex = LAYER.split_once(':').unwrap().1;
                damage(&folder.path().join("library/base/blobs/sha256").join(hex));
                bring_zot(&folder, &registry).await
            }
            _ => {
                damage(&data(&folder, LAYER));
                bring_distribution(&folder, &registry).await
            }
        };
        assert!(report.problems > 4, "{findings:?}");
        for repository in ["library/base", "library/many", "team/app", "team/docker"] {
            let there = registry
                .blob(&repository.parse().unwrap(), &digest(LAYER))
                .await;
            assert!(there.is_err(), "{name} {repository}");
        }
        // What does not need it is there.
        let found = tags(&registry).await;
        assert!(!found.contains_key("library/base:v1"), "{name}");
        let note = "sha256:bb942e606cb27eca114ac100c79312d00092d0434b6692fcee4e8ddb0b80ea41";
        assert!(has_manifest(&registry, "team/notes", note).await, "{name}");
    }
}

#[tokio::test]
async fn an_index_without_one_of_its_images_is_left_out() {
    let folder = unpack("distribution-3");
    let registry = empty_registry();
    damage(&data(&folder, ARM64));
    let (report, findings) = bring_distribution(&folder, &registry).await;
    let about = format!("library/many@{INDEX} is left out: it needs {ARM64}");
    assert!(
        findings.iter().any(|finding| finding.starts_with(&about)),
        "{findings:?}"
    );
    assert!(
        findings
            .iter()
            .any(|finding| finding.starts_with("library/many:v1 is left out"))
    );
    assert_eq!(report.problems, 3, "{findings:?}");
    assert!(tags(&registry).await.contains_key("library/many:amd64"));
}

#[tokio::test]
async fn missing_bytes_and_links_without_sense_are_told() {
    let folder = unpack("distribution-3");
    let registry = empty_registry();
    fs::remove_file(data(&folder, APP)).unwrap();
    let link = distributed(&folder, "library/base").join("_manifests/tags/v1/current/link");
    fs::write(&link, "").unwrap();
    let unknown = distributed(&folder, "team/docker").join("_manifests/revisions/md5/abc");
    fs::create_dir_all(&unknown).unwrap();
    fs::write(unknown.join("link"), "md5:abc").unwrap();
    fs::create_dir_all(distributed(&folder, "Upper/_manifests")).unwrap();
    let (report, findings) = bring_distribution(&folder, &registry).await;
    let all = findings.join("\n");
    for about in [
        format!("team/app@{APP} is left out: its bytes are missing"),
        "team/app:v1 is left out, as what it leads to is".to_owned(),
        "tags/v1/current/link cannot be read".to_owned(),
        "revisions/md5/abc cannot be read".to_owned(),
        "repositories/Upper cannot be read".to_owned(),
    ] {
        assert!(all.contains(&about), "{about}: {all}");
    }
    assert_eq!(report.problems, 5, "{all}");
    assert!(has_manifest(&registry, "library/base", BASE).await);
}

#[tokio::test]
async fn what_no_server_would_serve_is_not_taken() {
    let folder = unpack("distribution-3");
    let registry = empty_registry();
    // A manifest whose revision was deleted, though a tag leads to it, and a layer that was unlinked.
    let manifests = distributed(&folder, "library/base").join("_manifests");
    let hex = BASE.split_once(':').unwrap().1;
    fs::remove_file(manifests.join("revisions/sha256").join(hex).join("link")).unwrap();
    let layers = distributed(&folder, "team/docker").join("_layers/sha256");
    fs::remove_dir_all(layers.join(LAYER.split_once(':').unwrap().1)).unwrap();
    let (report, findings) = bring_distribution(&folder, &registry).await;
    let found = tags(&registry).await;
    assert!(!found.contains_key("library/base:v1"));
    assert!(!found.contains_key("team/docker:v1"));
    assert_eq!(report.passed_over, 1, "{findings:?}");
    assert_eq!(report.problems, 2, "{findings:?}");
}

#[tokio::test]
async fn links_that_lead_out_are_not_followed() {
    let folder = unpack("distribution-3");
    let outside = tempfile::tempdir().unwrap();
    let path = data(&folder, LAYER);
    let moved = outside.path().join("data");
    fs::rename(&path, &moved).unwrap();
    symlink(&moved, &path).unwrap();
    let (_, findings) = bring_distribution(&folder, &empty_registry()).await;
    let told = findings
        .iter()
        .filter(|finding| finding.contains("leads out of"));
    assert!(told.count() > 0, "{findings:?}");
    // Within the folder they are.
    fs::remove_file(&path).unwrap();
    let inside = folder.path().join("elsewhere");
    fs::rename(&moved, &inside).unwrap();
    symlink(&inside, &path).unwrap();
    let (report, findings) = bring_distribution(&folder, &empty_registry()).await;
    assert!(report.is_complete(), "{findings:?}");
}
