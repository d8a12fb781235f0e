use std::sync::{Mutex, PoisonError};

use berth_metadata::{MetadataError, RetentionStore, TagEntry};
use berth_spec::RepositoryName;
use futures_util::future::try_join_all;

use crate::deletion::{Deleted, Deletion};
use crate::plan::{Plan, PlannedManifest};
use crate::report::RetentionReport;

/// How many deletions wait at once: a store may make them durable together.
const AT_ONCE: usize = 16;

/// Deletes what is planned for a repository, and looks again at each: what has been used since stays, and
/// all that it holds does too.
pub(crate) struct Apply<'a, M: ?Sized> {
    pub(crate) metadata: &'a M,
    pub(crate) repository: &'a RepositoryName,
    pub(crate) rule: usize,
    pub(crate) deletions: &'a (dyn Fn(&Deletion) + Sync),
    pub(crate) report: Mutex<&'a mut RetentionReport>,
}

impl<M: RetentionStore + ?Sized> Apply<'_, M> {
    pub(crate) async fn all(&self, plan: &Plan) -> Result<(), MetadataError> {
        for tags in plan.tags.chunks(AT_ONCE) {
            try_join_all(tags.iter().map(|tag| self.tag(tag))).await?;
        }
        let generations = plan
            .manifests
            .chunk_by(|one, next| one.generation == next.generation);
        for manifests in generations.flat_map(|generation| generation.chunks(AT_ONCE)) {
            let deletions = manifests.iter().map(|manifest| self.manifest(manifest));
            try_join_all(deletions).await?;
        }
        Ok(())
    }

    async fn tag(&self, tag: &TagEntry) -> Result<(), MetadataError> {
        let deleted = self
            .metadata
            .delete_tag_as_seen(self.repository, tag)
            .await?;
        self.note(deleted, tag.into());
        Ok(())
    }

    async fn manifest(&self, manifest: &PlannedManifest) -> Result<(), MetadataError> {
        let deleted = self.metadata.delete_manifest_if_unused(
            self.repository,
            &manifest.digest,
            manifest.used_at,
        );
        let deleted = deleted.await?;
        self.note(deleted, manifest.into());
        // Not before: they belong to it for as long as it stays.
        if deleted {
            for tag in &manifest.followers {
                self.tag(tag).await?;
            }
        }
        Ok(())
    }

    fn note(&self, done: bool, deleted: Deleted) {
        let mut report = self.report.lock().unwrap_or_else(PoisonError::into_inner);
        if !done {
            report.used_again += 1;
            return;
        }
        report.count(&deleted);
        drop(report);
        let deletion = Deletion {
            repository: self.repository.clone(),
            rule: self.rule,
            deleted,
        };
        deletion.log();
        (self.deletions)(&deletion);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::{Duration, SystemTime};

    use super::*;
    use crate::{CheckedRule, Mode, Rule, plan};
    use berth_metadata::{
        MemoryMetadata, MetadataStore, NewManifest, RepositoryContents, SqliteMetadata,
    };
    use berth_spec::{Digest, media_types};

    fn manifest(name: &str, tags: &[&str]) -> NewManifest {
        NewManifest {
            digest: Digest::sha256(name.as_bytes()),
            media_type: media_types::OCI_IMAGE_MANIFEST.parse().unwrap(),
            artifact_type: None,
            subject: None,
            annotations: BTreeMap::new(),
            content: name.to_owned().into(),
            required_blobs: Vec::new(),
            optional_blobs: Vec::new(),
            required_manifests: Vec::new(),
            tags: tags.iter().map(|tag| tag.parse().unwrap()).collect(),
            condition: None,
        }
    }

    /// An index with an image, and all that can be attached to it.
    fn pushed() -> [NewManifest; 5] {
        let child = manifest("child", &[]);
        let index = NewManifest {
            required_manifests: vec![child.digest.clone()],
            ..manifest("index", &["nightly"])
        };
        let follower = format!("sha256-{}.sig", index.digest.hex());
        let signature = manifest("signature", &[&follower]);
        let referrer = NewManifest {
            subject: Some(index.digest.clone()),
            ..manifest("referrer", &[])
        };
        let nested = NewManifest {
            subject: Some(signature.digest.clone()),
            ..manifest("nested", &[])
        };
        [child, index, signature, referrer, nested]
    }

    async fn contents<M: RetentionStore>(metadata: &M) -> RepositoryContents {
        let name = "team/app".parse().unwrap();
        let contents = metadata.repository_contents(&name).await;
        contents.unwrap().unwrap()
    }

    /// Plans that all of it goes, lets `meanwhile` be pushed, and applies the plan.
    async fn applied<M: MetadataStore + RetentionStore>(
        metadata: &M,
        meanwhile: Option<NewManifest>,
    ) -> (RetentionReport, RepositoryContents) {
        let repository = "team/app".parse().unwrap();
        for manifest in pushed() {
            metadata.put_manifest(&repository, &manifest).await.unwrap();
        }
        let rule = Rule {
            tags: vec!["nightly".to_owned()],
            older_than: Some(Duration::from_secs(1)),
            ..Rule::default()
        };
        let rule = CheckedRule::new(1, rule).unwrap();
        let later = SystemTime::now() + Duration::from_secs(60);
        let plan = plan(&contents(metadata).await, &rule, Duration::ZERO, later);
        assert_eq!((plan.tags.len(), plan.manifests.len()), (1, 5));
        // So that what is pushed meanwhile is later by the store's clock, too.
        std::thread::sleep(Duration::from_millis(5));
        if let Some(manifest) = meanwhile {
            metadata.put_manifest(&repository, &manifest).await.unwrap();
        }
        let mut report = RetentionReport::begin(Mode::Apply);
        let apply = Apply {
            metadata,
            repository: &repository,
            rule: 1,
            deletions: &|_| {},
            report: Mutex::new(&mut report),
        };
        apply.all(&plan).await.unwrap();
        (report, contents(metadata).await)
    }

    fn sqlite() -> (SqliteMetadata, tempfile::TempDir) {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteMetadata::open(&folder.path().join("metadata.sqlite3")).unwrap();
        (store, folder)
    }

    async fn everything_goes<M: MetadataStore + RetentionStore>(metadata: &M) {
        let (report, left) = applied(metadata, None).await;
        assert_eq!(
            (report.tags, report.manifests, report.used_again),
            (2, 5, 0)
        );
        assert_eq!(left, RepositoryContents::default());
    }

    /// Its tag is set again, another one is set, or it is only pushed again.
    async fn what_is_pushed_meanwhile_keeps_all_that_it_holds<M>(metadata: &M, tags: &[&str])
    where
        M: MetadataStore + RetentionStore,
    {
        let [_, index, ..] = pushed();
        let again = NewManifest {
            tags: tags.iter().map(|tag| tag.parse().unwrap()).collect(),
            ..index
        };
        let (report, left) = applied(metadata, Some(again)).await;
        assert_eq!(report.manifests, 0, "{tags:?}");
        assert_eq!(left.manifests.len(), 5, "{tags:?}");
        let names = left.tags.iter().map(|entry| entry.tag.as_str());
        let names: Vec<_> = names.filter(|name| !name.starts_with("sha256-")).collect();
        assert_eq!(names, tags);
        assert_eq!(left.tags.len(), tags.len() + 1, "{tags:?}");
    }

    #[tokio::test]
    async fn everything_goes_from_either_store() {
        everything_goes(&sqlite().0).await;
        everything_goes(&MemoryMetadata::default()).await;
    }

    #[tokio::test]
    async fn what_is_used_again_meanwhile_stays_whole() {
        for tags in [&["nightly"][..], &["stable"], &[]] {
            what_is_pushed_meanwhile_keeps_all_that_it_holds(&sqlite().0, tags).await;
            what_is_pushed_meanwhile_keeps_all_that_it_holds(&MemoryMetadata::default(), tags)
                .await;
        }
    }

    /// The tag moves on to another manifest: what it pointed to has just lost it, and stays for now.
    #[tokio::test]
    async fn a_tag_that_moves_meanwhile_leaves_its_manifest() {
        let moved = manifest("moved", &["nightly"]);
        let (report, left) = applied(&sqlite().0, Some(moved)).await;
        assert_eq!((report.tags, report.manifests), (0, 0));
        assert_eq!(left.manifests.len(), 6);
    }
}
