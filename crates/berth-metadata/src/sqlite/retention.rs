use std::time::SystemTime;

use async_trait::async_trait;
use berth_spec::{Digest, RepositoryName};
use diesel::dsl::{count_star, exists};
use diesel::prelude::*;
use diesel::sqlite::SqliteConnection;

use super::cache::Change;
use super::{SqliteMetadata, manifests as manifest_rows, repositories as repository_rows};
use crate::sql::pages::{
    edges_of_repository, manifests_of_repository, parents, tags_of_repository, untagged_manifest,
};
use crate::sql::rows::{self, BlobRow, TagRow};
use crate::sql::schema::{blobs, manifest_blobs, manifests, tags};
use crate::sql::stored::{parse, to_number};
use crate::store::milliseconds;
use crate::{Blob, ManifestEntry, MetadataError, RepositoryContents, RetentionStore, TagEntry};

#[async_trait]
impl RetentionStore for SqliteMetadata {
    async fn repository_contents(
        &self,
        repository: &RepositoryName,
    ) -> Result<Option<RepositoryContents>, MetadataError> {
        let repository = repository.clone();
        self.read(move |connection| {
            let id = repository_rows::find(connection, &repository)?;
            id.map(|id| contents(connection, id)).transpose()
        })
        .await
    }

    async fn delete_tag_as_seen(
        &self,
        repository: &RepositoryName,
        tag: &TagEntry,
    ) -> Result<bool, MetadataError> {
        let (name, seen) = (repository.clone(), tag.clone());
        let change = Change::removed(repository.clone(), None, [tag.tag.clone()]);
        self.write_kept(
            move |connection| delete_tag(connection, &name, &seen),
            |_| Some(change),
        )
        .await
    }

    async fn delete_manifest_if_unused(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        seen_used_at: SystemTime,
    ) -> Result<bool, MetadataError> {
        let (name, unused) = (repository.clone(), digest.clone());
        let seen_used_at = milliseconds(seen_used_at);
        let change = Change::removed(repository.clone(), Some(digest.clone()), []);
        self.write_kept(
            move |connection| delete_manifest(connection, &name, &unused, seen_used_at),
            |_| Some(change),
        )
        .await
    }

    async fn manifest_blobs(
        &self,
        repository: &RepositoryName,
        manifest: &Digest,
    ) -> Result<Vec<Blob>, MetadataError> {
        let (repository, manifest) = (repository.clone(), manifest.clone());
        self.read(move |connection| linked_blobs(connection, &repository, &manifest))
            .await
    }

    async fn blob_references(&self, blob: &Digest) -> Result<u64, MetadataError> {
        let blob = blob.clone();
        self.read(move |connection| references(connection, &blob))
            .await
    }
}

fn contents(
    connection: &mut SqliteConnection,
    repository_id: i64,
) -> Result<RepositoryContents, MetadataError> {
    let tags: Vec<TagRow> = tags_of_repository(repository_id).load(connection)?;
    let tags = tags.into_iter().map(rows::tag_entry);
    Ok(RepositoryContents {
        tags: tags.collect::<Result<_, _>>()?,
        manifests: manifest_entries(connection, repository_id)?,
    })
}

fn manifest_entries(
    connection: &mut SqliteConnection,
    repository_id: i64,
) -> Result<Vec<ManifestEntry>, MetadataError> {
    let edges = edges_of_repository(repository_id).load(connection)?;
    let rows = manifests_of_repository(repository_id).load(connection)?;
    rows::manifest_entries(rows, edges)
}

fn delete_tag(
    connection: &mut SqliteConnection,
    repository: &RepositoryName,
    seen: &TagEntry,
) -> Result<bool, MetadataError> {
    let Some(repository_id) = repository_rows::find(connection, repository)? else {
        return Ok(false);
    };
    let Some(manifest_id) = manifest_rows::find_id(connection, repository_id, &seen.digest)? else {
        return Ok(false);
    };
    let tag = tags::table
        .find((repository_id, seen.tag.as_str()))
        .filter(tags::manifest_id.eq(manifest_id))
        .filter(tags::updated_at.eq(milliseconds(seen.updated_at)));
    Ok(diesel::delete(tag).execute(connection)? > 0)
}

fn delete_manifest(
    connection: &mut SqliteConnection,
    repository: &RepositoryName,
    digest: &Digest,
    seen_used_at: i64,
) -> Result<bool, MetadataError> {
    let Some(repository_id) = repository_rows::find(connection, repository)? else {
        return Ok(false);
    };
    let unused: Option<(i64, Option<String>)> =
        untagged_manifest(repository_id, digest.as_str(), seen_used_at)
            .first(connection)
            .optional()?;
    let Some((id, subject)) = unused else {
        return Ok(false);
    };
    let has_subject = match subject {
        Some(subject) => {
            manifest_rows::find_id(connection, repository_id, &parse(&subject)?)?.is_some()
        }
        None => false,
    };
    let parents = parents(repository_id, id, digest.as_str());
    let has_parent: bool = diesel::select(exists(parents)).get_result(connection)?;
    if has_subject || has_parent {
        return Ok(false);
    }
    diesel::delete(manifests::table.find(id)).execute(connection)?;
    Ok(true)
}

fn linked_blobs(
    connection: &mut SqliteConnection,
    repository: &RepositoryName,
    manifest: &Digest,
) -> Result<Vec<Blob>, MetadataError> {
    let Some(repository_id) = repository_rows::find(connection, repository)? else {
        return Ok(Vec::new());
    };
    let Some(manifest_id) = manifest_rows::find_id(connection, repository_id, manifest)? else {
        return Ok(Vec::new());
    };
    let linked: Vec<BlobRow> = manifest_blobs::table
        .inner_join(blobs::table)
        .filter(manifest_blobs::manifest_id.eq(manifest_id))
        .select((blobs::digest, blobs::size, blobs::generation))
        .load(connection)?;
    rows::blobs(linked)
}

fn references(connection: &mut SqliteConnection, blob: &Digest) -> Result<u64, MetadataError> {
    let id: Option<i64> = blobs::table
        .filter(blobs::digest.eq(blob.as_str()))
        .select(blobs::id)
        .first(connection)
        .optional()?;
    let Some(id) = id else {
        return Ok(0);
    };
    let manifests: i64 = manifest_blobs::table
        .filter(manifest_blobs::blob_id.eq(id))
        .select(count_star())
        .first(connection)?;
    to_number(manifests)
}
