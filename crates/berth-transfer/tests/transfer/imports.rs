use berth_registry::{RegistryError, Settings};
use berth_spec::Reference;
use berth_transfer::{DistributionFolder, TransferError, ZotFolder};

use crate::world::{
    APP, ARM64, BASE, INDEX, LAYER, LONG, TAGS, blob_content, bring_distribution, bring_zot, check,
    digest, distributed, empty_registry, has_manifest, push_image, registry_with, repository, tags,
    unpack,
};

/// The tags that all three folders have, but for those that distribution's clients make for referrers.
fn expected(others: &[&str]) -> Vec<String> {
    let mut expected: Vec<String> = others.iter().map(ToString::to_string).collect();
    for (name, tags) in TAGS {
        expected.extend(tags.iter().map(|tag| format!("{name}:{tag}")));
    }
    expected.sort();
    expected
}

/// For a registry that knows no referrers, clients keep their list under a tag.
const REFERRER_TAGS: [&str; 2] = [
    "team/app:sha256-334fe77c48b7b6ec3974d3297e38f60585a1c0db89ee810fd7f718ff23ee89e3",
    "team/app:sha256-4426b8c366edef87ceeaa796feb0d46e22473eac80028dfce013b672671d5a63",
];

#[tokio::test]
async fn distribution_3_comes_over() {
    let folder = unpack("distribution-3");
    let registry = empty_registry();
    let (report, findings) = bring_distribution(&folder, &registry).await;
    assert_eq!(findings, [""; 0]);
    assert!(report.is_complete());
    let found = tags(&registry).await;
    let others = ["library/many:amd64", "library/many:v1", "team/sha512:v1"];
    let others = [&others[..], &REFERRER_TAGS].concat();
    assert_eq!(found.keys().cloned().collect::<Vec<_>>(), expected(&others));
    assert_eq!(found["library/base:v1"], digest(BASE));
    assert_eq!(found["library/many:v1"], digest(INDEX));
    // A tag that was deleted alone leaves its manifest, here in an index too.
    assert!(has_manifest(&registry, "library/many", ARM64).await);
    // What is kept under its sha256 is found under its sha512.
    let long = blob_content(&registry, &repository("team/sha512"), &digest(LONG)).await;
    assert_eq!(long, b"hashed by sha512\n");
    // An upload that was begun makes no repository.
    let begun = registry.tags(&repository("team/begun"), None, None).await;
    assert!(matches!(begun, Err(RegistryError::RepositoryUnknown(_))));
}

#[tokio::test]
async fn distribution_2_comes_over_without_schema_1() {
    let folder = unpack("distribution-2");
    let registry = empty_registry();
    let (report, findings) = bring_distribution(&folder, &registry).await;
    let old = "e1ce628f6e089a495bdfa54415fa38fea1a29858ad62662bc6d61adb8dcff9bf";
    assert_eq!(findings.len(), 2, "{findings:?}");
    assert!(
        findings[0].starts_with("team/old:v1 is passed over"),
        "{findings:?}"
    );
    let about = format!("team/old@sha256:{old} is passed over: it is a Docker schema 1 manifest");
    assert!(findings[1].starts_with(&about), "{findings:?}");
    assert_eq!(report.passed_over, 2);
    assert!(report.is_complete());
    let others = [
        "library/many:amd64",
        "library/many:arm64",
        "library/many:v1",
    ];
    let others = [&others[..], &REFERRER_TAGS].concat();
    let found = tags(&registry).await;
    assert_eq!(found.keys().cloned().collect::<Vec<_>>(), expected(&others));
}

#[tokio::test]
async fn zot_comes_over() {
    let folder = unpack("zot");
    let registry = empty_registry();
    let (report, findings) = bring_zot(&folder, &registry).await;
    assert_eq!(findings, [""; 0]);
    let others = [
        "library/many:amd64",
        "library/many:arm64",
        "library/many:v1",
        "team/sha512:v1",
    ];
    let found = tags(&registry).await;
    assert_eq!(found.keys().cloned().collect::<Vec<_>>(), expected(&others));
    // The layer of all images is copied once.
    assert!(report.mounted > 3, "{report:?}");
}

#[tokio::test]
async fn referrers_and_what_has_no_tag_come_along() {
    for name in ["distribution-3", "distribution-2", "zot"] {
        let folder = unpack(name);
        let registry = empty_registry();
        match name {
            "zot" => bring_zot(&folder, &registry).await,
            _ => bring_distribution(&folder, &registry).await,
        };
        let app = repository("team/app");
        let referrers = |subject| {
            let registry = registry.clone();
            let app = app.clone();
            async move {
                let page = registry.referrers(&app, &subject, None, None).await;
                page.unwrap().descriptors
            }
        };
        let bills = referrers(digest(APP)).await;
        assert_eq!(bills.len(), 1, "{name}");
        assert_eq!(bills[0].artifact_type.as_deref(), Some("text/bill"));
        let signatures = referrers(bills[0].digest.clone()).await;
        assert_eq!(
            signatures[0].artifact_type.as_deref(),
            Some("text/signature")
        );
        check(&registry, &app, &signatures[0].digest).await;
        let note = "sha256:bb942e606cb27eca114ac100c79312d00092d0434b6692fcee4e8ddb0b80ea41";
        check(&registry, &repository("team/notes"), &digest(note)).await;
        // What was deleted stays so, and its blob is left behind.
        let gone = "sha256:e2bd5f6a0dd8e280fae409b42851868c3087e28c0646c915bb4d38ef25d70e1c";
        assert!(!has_manifest(&registry, "team/app", gone).await);
        let blob = berth_spec::Digest::sha256(b"not needed\n");
        assert!(registry.blob(&app, &blob).await.is_err(), "{name}");
    }
}

#[tokio::test]
async fn a_second_time_nothing_is_copied() {
    for name in ["distribution-3", "zot"] {
        let folder = unpack(name);
        let registry = empty_registry();
        let again = || async {
            match name {
                "zot" => bring_zot(&folder, &registry).await.0,
                _ => bring_distribution(&folder, &registry).await.0,
            }
        };
        let first = again().await;
        assert_eq!(first.kept, 0, "{first:?}");
        let second = again().await;
        let done = [
            second.manifests,
            second.tags,
            second.blobs,
            second.bytes,
            second.mounted,
        ];
        assert_eq!(done, [0; 5], "{second:?}");
        let all = first.manifests + first.tags + first.blobs + first.mounted;
        assert_eq!(second.kept, all);
    }
}

#[tokio::test]
async fn what_moved_meanwhile_moves_along_and_the_rest_stays() {
    let folder = unpack("distribution-3");
    let registry = empty_registry();
    let own = push_image(&registry, "team/app", "own", "of the registry").await;
    bring_distribution(&folder, &registry).await;
    let link = distributed(&folder, "team/app").join("_manifests/tags/latest/current/link");
    std::fs::write(link, APP).unwrap();
    let (report, _) = bring_distribution(&folder, &registry).await;
    assert_eq!((report.tags, report.manifests), (1, 0));
    let found = tags(&registry).await;
    assert_eq!(found["team/app:latest"], digest(APP));
    assert_eq!(found["team/app:own"], own);
}

#[tokio::test]
async fn rules_of_the_registry_hold_for_imports_too() {
    let immutable = r#"{"repositories": ["team/*"], "tags": ["v1"]}"#;
    let registry = registry_with(Settings {
        immutable_tags: vec![serde_json::from_str(immutable).unwrap()],
        ..Settings::default()
    });
    let own = push_image(&registry, "team/app", "v1", "of the registry").await;
    let (report, findings) = bring_distribution(&unpack("distribution-3"), &registry).await;
    assert_eq!(report.problems, 1, "{findings:?}");
    assert!(
        findings[0].starts_with("team/app v1 is refused"),
        "{findings:?}"
    );
    assert_eq!(tags(&registry).await["team/app:v1"], own);

    let small = registry_with(Settings {
        manifest_size_limit: 450,
        ..Settings::default()
    });
    let (report, _) = bring_distribution(&unpack("distribution-3"), &small).await;
    assert!(!report.is_complete());
    let found = tags(&small).await;
    assert!(found.contains_key("library/base:v1"));
    assert!(!found.contains_key("team/app:v1"));
}

#[tokio::test]
async fn the_folder_v2_itself_will_do() {
    let folder = unpack("distribution-2");
    let inner = folder.path().join("docker/registry/v2");
    assert!(DistributionFolder::open(&inner).await.is_ok());
    let wrong = DistributionFolder::open(&folder.path().join("docker")).await;
    let error = wrong.unwrap_err();
    assert!(matches!(error, TransferError::NotA { .. }));
    assert!(error.to_string().contains("rootdirectory"), "{error}");
    let error = ZotFolder::open(folder.path()).await.unwrap_err();
    assert!(error.to_string().contains("rootDirectory"), "{error}");
}

#[tokio::test]
async fn zots_empty_placeholders_lead_to_the_bytes_elsewhere() {
    let folder = unpack("zot");
    let layer = LAYER.split_once(':').unwrap().1;
    for name in ["team/app", "team/docker", "library/base"] {
        let path = folder.path().join(name).join("blobs/sha256").join(layer);
        // Not through the link, which other repositories have too.
        std::fs::remove_file(&path).unwrap();
        std::fs::write(&path, "").unwrap();
    }
    let registry = empty_registry();
    let (report, findings) = bring_zot(&folder, &registry).await;
    assert!(report.is_complete(), "{findings:?}");
    let content = blob_content(&registry, &repository("library/base"), &digest(LAYER)).await;
    assert_eq!(content.len(), 125);
    let reference: Reference = "v1".parse().unwrap();
    let app = registry.manifest(&repository("team/app"), &reference).await;
    assert_eq!(app.unwrap().digest, digest(APP));
}
