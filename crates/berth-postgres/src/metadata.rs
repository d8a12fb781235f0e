use std::collections::HashSet;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use berth_metadata::sql::stored::milliseconds;
use berth_metadata::sql::usage::CountedNamespaces;
use berth_metadata::{
    Blob, Bounds, Condition, DeleteTag, MetadataError, MetadataStore, NewManifest, PutManifest,
    Referrer, ReferrerLimits, Scope, StoredManifest, UploadLeases, UploadRecord, UploadRevision,
    Usage,
};
use berth_spec::{BlobName, Digest, Reference, RepositoryName, SessionId, Tag};
use diesel::pg::PgConnection;
use secrecy::SecretString;
use tokio::sync::Mutex;

use crate::address::Address;
use crate::connections::{Access, Connections};
use crate::database_url::DatabaseUrl;
use crate::failure::Failure;
use crate::{
    blobs, generations, lists, manifests, migrations, repositories, transactions, uploads, usage,
};

/// Metadata in a PostgreSQL database, which any number of processes may use at once: [the crate](crate) tells how.
///
/// What is answered is committed, and a commit is on the server's disk: a server with `synchronous_commit = off` is told
/// otherwise. When the connection is lost while a change is being committed, nobody knows whether it was made; the error says so,
/// and is the one exception to [`MetadataError`]'s promise that nothing was changed.
pub struct PostgresMetadata {
    connections: Connections,
    namespaces: Arc<CountedNamespaces>,
    /// Whoever forgets blobs waits for the others of this process here, and not on a connection.
    pub(crate) forgetting: Mutex<()>,
}

/// How a database is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PostgresOptions {
    /// How many connections one process has at most, and so how much it does at once. A quarter of them is for
    /// reads alone, so that pulls do not wait for pushes that wait for each other. The server's
    /// `max_connections` must suffice for those of all processes together.
    pub connections: NonZeroU32,
    /// How long the server works on one statement at most.
    pub statement_timeout: Duration,
    /// How long a statement waits at most for others that change the same, and twice as long as the server keeps a transaction
    /// open that waits for this process: so nobody waits in vain for a process that was stopped.
    pub lock_timeout: Duration,
    /// How long work waits while the server cannot be reached, and opening too.
    pub reach_timeout: Duration,
}

impl Default for PostgresOptions {
    /// 16 connections, 30 seconds, 10 seconds, 15 seconds.
    fn default() -> Self {
        Self {
            connections: NonZeroU32::MIN.saturating_add(15),
            statement_timeout: Duration::from_secs(30),
            lock_timeout: Duration::from_secs(10),
            reach_timeout: Duration::from_secs(15),
        }
    }
}

impl PostgresMetadata {
    /// Opens a database by its URL (`postgresql://USER:PASSWORD@HOST:PORT/DATABASE`, with the parameters that libpq knows), and
    /// migrates it to this version's schema; of several that do so at once, the others wait for one. A server that is starting, or
    /// cannot be reached, is waited for. Blocks: call it before serving.
    ///
    /// # Errors
    /// [`MetadataError::Database`] if the URL is none, the database cannot be reached, is not encoded in UTF-8, or was changed by a
    /// newer version. No password is in the text.
    pub fn open(url: &SecretString, options: &PostgresOptions) -> Result<Self, MetadataError> {
        Self::connect(&DatabaseUrl::parse(url)?, options)
    }

    /// Whether a database has metadata in it: whether it was ever opened. Changes nothing. Blocks.
    ///
    /// # Errors
    /// [`MetadataError::Database`] if it cannot be reached.
    pub fn exists(url: &DatabaseUrl, options: &PostgresOptions) -> Result<bool, MetadataError> {
        migrations::have_run(&Address::open(url)?, options.reach_timeout)
    }

    /// [`PostgresMetadata::open`] with a URL that was read already.
    ///
    /// # Errors
    /// As there.
    pub fn connect(url: &DatabaseUrl, options: &PostgresOptions) -> Result<Self, MetadataError> {
        let address = Address::open(url)?;
        migrations::run(&address, options.reach_timeout)?;
        Ok(Self {
            connections: Connections::new(address, options),
            namespaces: Arc::default(),
            forgetting: Mutex::default(),
        })
    }

    /// [`transactions::read`].
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        work: impl FnMut(&mut PgConnection) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, MetadataError> {
        self.connections
            .run(Access::Read, |connections| {
                transactions::read(connections, work)
            })
            .await
    }

    /// [`transactions::read_state`].
    pub(crate) async fn read_state<T: Send + 'static>(
        &self,
        work: impl FnMut(&mut PgConnection) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, MetadataError> {
        self.connections
            .run(Access::Read, |connections| {
                transactions::read_state(connections, work)
            })
            .await
    }

    /// [`transactions::write`].
    pub(crate) async fn write<T: Send + 'static>(
        &self,
        work: impl FnMut(&mut PgConnection) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, MetadataError> {
        self.connections
            .run(Access::Write, |connections| {
                transactions::write(connections, work)
            })
            .await
    }

    /// Counts what a namespace holds, if nobody has done so yet.
    async fn count(&self, namespace: RepositoryName) -> Result<(), MetadataError> {
        if self.namespaces.have(&namespace) {
            return Ok(());
        }
        let name = namespace.clone();
        // Not in the transaction that needs it: that one may be refused, and this one keeps all others waiting.
        self.write(move |connection| usage::count(connection, &name))
            .await?;
        self.namespaces.add(&namespace);
        Ok(())
    }

    async fn count_all(&self, bounds: &Bounds) -> Result<(), MetadataError> {
        for namespace in self.namespaces.missing(bounds) {
            self.count(namespace).await?;
        }
        Ok(())
    }
}

#[async_trait]
impl MetadataStore for PostgresMetadata {
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
        self.read(move |connection| blobs::mountable(connection, from.as_ref(), &digest))
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
        self.read(move |connection| blobs::find(connection, &repository, &digest))
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
            .read(move |connection| blobs::find_promised(connection, &name, &wanted, renew_before))
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
        self.write(move |connection| manifests::put(connection, &repository, &manifest, &bounds))
            .await
    }

    async fn manifest(
        &self,
        repository: &RepositoryName,
        reference: &Reference,
    ) -> Result<Option<StoredManifest>, MetadataError> {
        let (repository, reference) = (repository.clone(), reference.clone());
        self.read(move |connection| manifests::find(connection, &repository, &reference))
            .await
    }

    async fn delete_manifest_within(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        bounds: &Bounds,
    ) -> Result<bool, MetadataError> {
        let (repository, digest) = (repository.clone(), digest.clone());
        let bounds = bounds.clone();
        self.write(move |connection| manifests::delete(connection, &repository, &digest, &bounds))
            .await
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
        self.write(move |connection| {
            manifests::delete_tag(connection, &repository, &tag, &condition, &bounds)
        })
        .await
    }

    async fn usage(&self, scope: &Scope) -> Result<Usage, MetadataError> {
        if let Scope::Namespace(namespace) = scope {
            self.count(namespace.clone()).await?;
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
        // A repository stays once it is there: so this needs no transaction.
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

    fn upload_leases(&self) -> Option<&dyn UploadLeases> {
        Some(self)
    }
}
