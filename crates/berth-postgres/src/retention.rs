use std::time::SystemTime;

use async_trait::async_trait;
use berth_metadata::sql::pages::{
    edges_of_repository, manifests_of_repository, parents, tags_of_repository, untagged_manifest,
};
use berth_metadata::sql::rows::{self, BlobRow, TagRow};
use berth_metadata::sql::schema::{blobs, manifest_blobs, manifests, repositories, tags};
use berth_metadata::sql::stored::{milliseconds, parse, to_number};
use berth_metadata::{Blob, MetadataError, RepositoryContents, RetentionStore, TagEntry};
use berth_spec::{Digest, RepositoryName};
use diesel::dsl::{count_star, exists};
use diesel::pg::PgConnection;
use diesel::prelude::*;

use crate::failure::Failure;
use crate::{PostgresMetadata, manifests as manifest_rows, repositories as repository_rows};

#[async_trait]
impl RetentionStore for PostgresMetadata {
    async fn repository_contents(
        &self,
        repository: &RepositoryName,
    ) -> Result<Option<RepositoryContents>, MetadataError> {
        let repository = repository.clone();
        self.read_state(move |connection| {
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
        let (repository, seen) = (repository.clone(), tag.clone());
        self.write(move |connection| delete_tag(connection, &repository, &seen))
            .await
    }

    async fn delete_manifest_if_unused(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        seen_used_at: SystemTime,
    ) -> Result<bool, MetadataError> {
        let (repository, digest) = (repository.clone(), digest.clone());
        let seen_used_at = milliseconds(seen_used_at);
        self.write(move |connection| {
            delete_manifest(connection, &repository, &digest, seen_used_at)
        })
        .await
    }

    async fn manifest_blobs(
        &self,
        repository: &RepositoryName,
        manifest: &Digest,
    ) -> Result<Vec<Blob>, MetadataError> {
        let (repository, manifest) = (repository.clone(), manifest.clone());
        self.read(move |connection| {
            let linked: Vec<BlobRow> = manifest_blobs::table
                .inner_join(blobs::table)
                .inner_join(manifests::table.inner_join(repositories::table))
                .filter(repositories::name.eq(repository.as_str()))
                .filter(manifests::digest.eq(manifest.as_str()))
                .select((blobs::digest, blobs::size, blobs::generation))
                .load(connection)?;
            Ok(rows::blobs(linked)?)
        })
        .await
    }

    async fn blob_references(&self, blob: &Digest) -> Result<u64, MetadataError> {
        let blob = blob.clone();
        self.read(move |connection| {
            let manifests: i64 = manifest_blobs::table
                .inner_join(blobs::table)
                .filter(blobs::digest.eq(blob.as_str()))
                .select(count_star())
                .first(connection)?;
            Ok(to_number(manifests)?)
        })
        .await
    }
}

fn contents(
    connection: &mut PgConnection,
    repository_id: i64,
) -> Result<RepositoryContents, Failure> {
    let tags: Vec<TagRow> = tags_of_repository(repository_id).load(connection)?;
    let edges = edges_of_repository(repository_id).load(connection)?;
    let entries = manifests_of_repository(repository_id).load(connection)?;
    let tags = tags.into_iter().map(rows::tag_entry);
    Ok(RepositoryContents {
        tags: tags.collect::<Result<_, _>>()?,
        manifests: rows::manifest_entries(entries, edges)?,
    })
}

fn delete_tag(
    connection: &mut PgConnection,
    repository: &RepositoryName,
    seen: &TagEntry,
) -> Result<bool, Failure> {
    let Some(repository_id) = repository_rows::lock(connection, repository)? else {
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
    connection: &mut PgConnection,
    repository: &RepositoryName,
    digest: &Digest,
    seen_used_at: i64,
) -> Result<bool, Failure> {
    let Some(repository_id) = repository_rows::lock(connection, repository)? else {
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
