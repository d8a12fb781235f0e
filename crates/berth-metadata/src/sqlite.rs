mod accounts;
mod blobs;
mod cache;
mod collection;
mod connection;
mod failure;
mod generations;
mod inspection;
mod integrity;
mod lists;
mod manifests;
mod migrations;
mod packed_digest;
#[cfg(test)]
mod plan;
mod private;
mod queue;
mod readers;
mod recount;
mod repositories;
mod retention;
mod snapshot;
mod turns;
mod uploads;
mod usage;
mod users;
mod writer;

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use async_trait::async_trait;
use berth_spec::{BlobName, Digest, Reference, RepositoryName, SessionId, Tag};
use diesel::sqlite::SqliteConnection;

use crate::memory::turns::Turns;
use crate::sql::usage::CountedNamespaces;
use crate::store::milliseconds;
use crate::{
    Blob, Bounds, Condition, DeleteTag, MetadataError, MetadataStore, NewManifest, PutManifest,
    Referrer, ReferrerLimits, Scope, StoredManifest, UploadRecord, UploadRevision, Usage,
};
use cache::{Change, ManifestCache};
use readers::Readers;
use writer::Writer;

/// Metadata in a SQLite file, in WAL mode.
///
/// One thread owns the only connection that writes, and commits what waits together
/// (`synchronous=FULL`: durable when answered). Reads go through a pool of other connections, on
/// tokio's blocking threads, and see what was committed before they began. Manifests that were read
/// lately, and where tags lead that were read or pushed lately, are kept in memory: at most 32 MiB.
/// One process at a time may use a file; the caller sees to that.
pub struct SqliteMetadata {
    path: PathBuf,
    readers: Readers,
    writer: Writer,
    cache: Arc<ManifestCache>,
    namespaces: CountedNamespaces,
    turns: Turns,
}

impl SqliteMetadata {
    /// Opens the file, creating it if it is missing, and migrates it to this version's schema.
    /// Blocks: call it before serving. The file has secrets: only its owner may read it.
    ///
    /// # Errors
    /// [`MetadataError::Database`] if it cannot be opened, is no database, or was written by a
    /// newer version.
    pub fn open(path: &Path) -> Result<Self, MetadataError> {
        private::make(path)?;
        let mut connection = connection::open_writer(path)?;
        migrations::run(&mut connection)?;
        connection::sync_folder_of(path)?;
        let cache = Arc::new(ManifestCache::new());
        Ok(Self {
            path: path.to_owned(),
            readers: Readers::open(path)?,
            writer: Writer::start(path, connection, Arc::clone(&cache))?,
            cache,
            namespaces: CountedNamespaces::default(),
            turns: Turns::default(),
        })
    }

    async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut SqliteConnection) -> Result<T, MetadataError> + Send + 'static,
    ) -> Result<T, MetadataError> {
        self.readers.read(work).await
    }

    async fn write<T: Send + 'static>(
        &self,
        work: impl FnMut(&mut SqliteConnection) -> Result<T, MetadataError> + Send + 'static,
    ) -> Result<T, MetadataError> {
        self.writer.write(work, |_| None).await
    }

    /// As [`SqliteMetadata::write`], of what the cache may keep. `changed` tells from the answer what that is.
    async fn write_kept<T: Send + 'static>(
        &self,
        work: impl FnMut(&mut SqliteConnection) -> Result<T, MetadataError> + Send + 'static,
        changed: impl FnOnce(&T) -> Option<Change> + Send + 'static,
    ) -> Result<T, MetadataError> {
        let changed = |answer: &Result<T, MetadataError>| match answer {
            Ok(answer) => changed(answer),
            // Whoever pushes what is refused, again and again, must not empty the cache.
            Err(error) if error.is_refusal() => None,
            Err(_) => Some(Change::Everything),
        };
        self.writer.write(work, changed).await
    }

    /// Counts what a namespace holds, if nobody has done so yet.
    async fn count(&self, namespace: &RepositoryName) -> Result<(), MetadataError> {
        if self.namespaces.have(namespace) {
            return Ok(());
        }
        let name = namespace.clone();
        // Not in the transaction that needs it: that one may be refused, and the next would count again.
        self.write(move |connection| usage::count(connection, &name))
            .await?;
        self.namespaces.add(namespace);
        Ok(())
    }

    async fn count_all(&self, bounds: &Bounds) -> Result<(), MetadataError> {
        for namespace in self.namespaces.missing(bounds) {
            self.count(&namespace).await?;
        }
        Ok(())
    }

    async fn find_manifest(
        &self,
        repository: &RepositoryName,
        reference: &Reference,
    ) -> Result<Option<StoredManifest>, MetadataError> {
        let (repository, reference) = (repository.clone(), reference.clone());
        self.read(move |connection| manifests::find(connection, &repository, &reference))
            .await
    }

    /// The manifest that a reference leads to, which is kept from then on.
    async fn read_manifest(
        &self,
        repository: &RepositoryName,
        reference: &Reference,
    ) -> Result<Option<StoredManifest>, MetadataError> {
        let digest = match reference {
            Reference::Digest(digest) => digest.clone(),
            Reference::Tag(tag) => match self.follow(repository, tag).await? {
                Followed::Manifest(manifest) => return Ok(manifest),
                Followed::Digest(digest) => digest,
            },
        };
        let by_digest = Reference::Digest(digest.clone());
        let read = self.find_manifest(repository, &by_digest);
        match self.cache.manifest(repository, &digest, read).await? {
            // The tag may have been moved, and its old manifest deleted, between the two reads.
            None if by_digest != *reference => self.find_manifest(repository, reference).await,
            found => Ok(found),
        }
    }

    /// Follows a tag: to its manifest in the same read, if the tag has to be read.
    async fn follow(
        &self,
        repository: &RepositoryName,
        tag: &Tag,
    ) -> Result<Followed, MetadataError> {
        let mut read_too = None;
        let read = async {
            let begun = self.cache.begin_read();
            let manifest = self.read_tagged(repository, tag).await?;
            if let Some(manifest) = &manifest {
                self.cache.keep(repository, manifest, begun);
            }
            let digest = manifest.as_ref().map(|manifest| manifest.digest.clone());
            read_too = manifest;
            Ok(digest)
        };
        let digest = self.cache.digest_of(repository, tag, read).await?;
        Ok(match (read_too, digest) {
            (None, Some(digest)) => Followed::Digest(digest),
            (manifest, _) => Followed::Manifest(manifest),
        })
    }

    /// The manifest that a tag leads to. Its content is not read if it is kept.
    async fn read_tagged(
        &self,
        repository: &RepositoryName,
        tag: &Tag,
    ) -> Result<Option<StoredManifest>, MetadataError> {
        let (repository, tag) = (repository.clone(), tag.clone());
        let cache = Arc::clone(&self.cache);
        self.read(move |connection| {
            let Some(digest) = manifests::digest_of(connection, &repository, &tag)? else {
                return Ok(None);
            };
            let by_digest = Reference::Digest(digest);
            match cache.get(&repository, &by_digest) {
                Some(manifest) => Ok(Some(manifest)),
                None => manifests::find(connection, &repository, &by_digest),
            }
        })
        .await
    }
}

/// Where a tag leads.
enum Followed {
    /// To this manifest, or none.
    Manifest(Option<StoredManifest>),
    /// To the manifest of this digest, which was not read yet.
    Digest(Digest),
}

/// The time that rows are stamped with.
fn now() -> i64 {
    milliseconds(SystemTime::now())
}

#[async_trait]
impl MetadataStore for SqliteMetadata {
    async fn has_repository(&self, name: &RepositoryName) -> Result<bool, MetadataError> {
        let name = name.clone();
        self.read(move |connection| Ok(repositories::find(connection, &name)?.is_some()))
            .await
    }

    async fn repositories(
        &self,
        last: Option<&str>,
        limit: u32,
    ) -> Result<Vec<RepositoryName>, MetadataError> {
        let last = last.unwrap_or_default().to_owned();
        self.read(move |connection| lists::repositories(connection, &last, limit))
            .await
    }

    async fn link_blob_within(
        &self,
        repository: &RepositoryName,
        blob: &Blob,
        finished: Option<UploadRevision>,
        bounds: &Bounds,
    ) -> Result<(), MetadataError> {
        self.count_all(bounds).await?;
        let (repository, blob, bounds) = (repository.clone(), blob.clone(), bounds.clone());
        self.write(move |connection| {
            blobs::link(connection, &repository, &blob, &bounds)?;
            if let Some(upload) = &finished {
                uploads::finish(connection, upload)?;
            }
            Ok(())
        })
        .await
    }

    async fn mountable_blob(
        &self,
        from: Option<&RepositoryName>,
        digest: &Digest,
    ) -> Result<Option<Blob>, MetadataError> {
        let (from, digest) = (from.cloned(), digest.clone());
        self.read(move |connection| blobs::mountable(connection, from.as_ref(), digest))
            .await
    }

    async fn mount_blob_within(
        &self,
        repository: &RepositoryName,
        from: Option<&RepositoryName>,
        digest: &Digest,
        bounds: &Bounds,
    ) -> Result<Option<Blob>, MetadataError> {
        self.count_all(bounds).await?;
        let (repository, from, digest) = (repository.clone(), from.cloned(), digest.clone());
        let bounds = bounds.clone();
        self.write(move |connection| {
            blobs::mount(connection, &repository, from.as_ref(), &digest, &bounds)
        })
        .await
    }

    async fn blob(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
    ) -> Result<Option<Blob>, MetadataError> {
        let (repository, digest) = (repository.clone(), digest.clone());
        self.read(move |connection| blobs::find(connection, &repository, digest))
            .await
    }

    async fn promise_blob(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        renew_before: SystemTime,
    ) -> Result<Option<Blob>, MetadataError> {
        let (name, wanted) = (repository.clone(), digest.clone());
        let renew_before = milliseconds(renew_before);
        let found = self
            .read(move |connection| blobs::find_promised(connection, &name, wanted, renew_before))
            .await?;
        match found {
            None => return Ok(None),
            Some((blob, false)) => return Ok(Some(blob)),
            Some((_, true)) => {}
        }
        let (repository, digest) = (repository.clone(), digest.clone());
        self.write(move |connection| blobs::promise(connection, &repository, &digest))
            .await
    }

    async fn unlink_blob(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
    ) -> Result<bool, MetadataError> {
        let (repository, digest) = (repository.clone(), digest.clone());
        self.write(move |connection| blobs::unlink(connection, &repository, &digest))
            .await
    }

    async fn unrecorded(&self, names: &[BlobName]) -> Result<HashSet<BlobName>, MetadataError> {
        let names = names.to_vec();
        self.read(move |connection| generations::unrecorded(connection, &names))
            .await
    }

    async fn put_manifest_within(
        &self,
        repository: &RepositoryName,
        manifest: &NewManifest,
        bounds: &Bounds,
    ) -> Result<PutManifest, MetadataError> {
        self.count_all(bounds).await?;
        let (repository, manifest) = (repository.clone(), manifest.clone());
        let bounds = bounds.clone();
        let (name, digest) = (repository.clone(), manifest.digest.clone());
        let tags = manifest.tags.clone();
        let changed = move |put: &PutManifest| {
            let is_stored = *put == PutManifest::Stored;
            is_stored.then(|| Change::pushed(name, digest, tags))
        };
        self.write_kept(
            move |connection| manifests::put(connection, &repository, &manifest, &bounds),
            changed,
        )
        .await
    }

    async fn manifest(
        &self,
        repository: &RepositoryName,
        reference: &Reference,
    ) -> Result<Option<StoredManifest>, MetadataError> {
        match self.cache.get(repository, reference) {
            Some(manifest) => Ok(Some(manifest)),
            // The future of a read is large, and most need none.
            None => Box::pin(self.read_manifest(repository, reference)).await,
        }
    }

    async fn delete_manifest_within(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        bounds: &Bounds,
    ) -> Result<bool, MetadataError> {
        let (repository, digest) = (repository.clone(), digest.clone());
        let bounds = bounds.clone();
        let (name, deleted) = (repository.clone(), digest.clone());
        let tags = self
            .write_kept(
                move |connection| manifests::delete(connection, &repository, &digest, &bounds),
                |tags: &Option<Vec<Tag>>| {
                    let tags = tags.clone().unwrap_or_default();
                    Some(Change::removed(name, Some(deleted), tags))
                },
            )
            .await?;
        Ok(tags.is_some())
    }

    async fn delete_tag_within(
        &self,
        repository: &RepositoryName,
        tag: &Tag,
        condition: &Condition,
        bounds: &Bounds,
    ) -> Result<DeleteTag, MetadataError> {
        let (repository, tag) = (repository.clone(), tag.clone());
        let (condition, bounds) = (condition.clone(), bounds.clone());
        let change = Change::removed(repository.clone(), None, [tag.clone()]);
        self.write_kept(
            move |connection| {
                manifests::delete_tag(connection, &repository, &tag, &condition, &bounds)
            },
            |_| Some(change),
        )
        .await
    }

    async fn usage(&self, scope: &Scope) -> Result<Usage, MetadataError> {
        if let Scope::Namespace(namespace) = scope {
            self.count(namespace).await?;
        }
        let scope = scope.clone();
        self.read(move |connection| usage::of(connection, &scope))
            .await
    }

    async fn tags(
        &self,
        repository: &RepositoryName,
        last: Option<&str>,
        limit: u32,
    ) -> Result<Option<Vec<Tag>>, MetadataError> {
        let repository = repository.clone();
        let last = last.unwrap_or_default().to_owned();
        self.read(move |connection| lists::tags(connection, &repository, &last, limit))
            .await
    }

    async fn referrers(
        &self,
        repository: &RepositoryName,
        subject: &Digest,
        artifact_type: Option<&str>,
        last: Option<&Digest>,
        limits: ReferrerLimits,
    ) -> Result<Vec<Referrer>, MetadataError> {
        let (repository, subject) = (repository.clone(), subject.clone());
        let artifact_type = artifact_type.map(str::to_owned);
        let last = last.map(Digest::to_string).unwrap_or_default();
        self.read(move |connection| {
            let artifact_type = artifact_type.as_deref();
            lists::referrers(
                connection,
                &repository,
                &subject,
                artifact_type,
                &last,
                limits,
            )
        })
        .await
    }

    async fn create_upload(&self, upload: &UploadRecord) -> Result<(), MetadataError> {
        let upload = upload.clone();
        self.write(move |connection| uploads::create(connection, &upload))
            .await
    }

    async fn upload(&self, id: SessionId) -> Result<Option<UploadRecord>, MetadataError> {
        self.read(move |connection| uploads::find(connection, id))
            .await
    }

    async fn update_upload(&self, upload: &UploadRecord) -> Result<bool, MetadataError> {
        let upload = upload.clone();
        self.write(move |connection| uploads::update(connection, &upload))
            .await
    }

    async fn delete_upload(&self, upload: UploadRevision) -> Result<bool, MetadataError> {
        self.write(move |connection| uploads::delete(connection, &upload))
            .await
    }

    async fn expired_uploads(
        &self,
        now: SystemTime,
        limit: u32,
    ) -> Result<Vec<SessionId>, MetadataError> {
        let now = milliseconds(now);
        self.read(move |connection| uploads::expired(connection, now, limit))
            .await
    }
}
