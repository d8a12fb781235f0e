use std::collections::HashSet;

use async_trait::async_trait;
use berth_spec::{Digest, RepositoryName};
use diesel::connection::DefaultLoadingMode;
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::BigInt;
use diesel::sqlite::SqliteConnection;

use super::schema::{blobs, manifests, repositories};
use super::stored::{parse, to_number};
use super::{
    SqliteMetadata, blobs as blob_rows, integrity, manifests as manifest_rows, recount,
    repositories as repository_rows, users,
};
use crate::{
    Blob, InspectedManifest, InspectionStore, ManifestLimits, MetadataError, StoredManifest,
    Totals, Users,
};

#[async_trait]
impl InspectionStore for SqliteMetadata {
    async fn totals(&self) -> Result<Totals, MetadataError> {
        self.read(totals).await
    }

    async fn blobs(&self, after: Option<&Digest>, limit: u32) -> Result<Vec<Blob>, MetadataError> {
        let after = after.map(Digest::to_string).unwrap_or_default();
        self.read(move |connection| {
            let rows: Vec<BlobRow> = blobs_page(&after, limit).load(connection)?;
            rows.into_iter().map(blob).collect()
        })
        .await
    }

    async fn recorded_blob(&self, digest: &Digest) -> Result<Option<Blob>, MetadataError> {
        let digest = digest.to_string();
        self.read(move |connection| {
            let row: Option<BlobRow> = blobs::table
                .filter(blobs::digest.eq(digest))
                .select((blobs::digest, blobs::size))
                .first(connection)
                .optional()?;
            row.map(blob).transpose()
        })
        .await
    }

    async fn manifests(
        &self,
        after: Option<(&RepositoryName, &Digest)>,
        limits: ManifestLimits,
    ) -> Result<Vec<InspectedManifest>, MetadataError> {
        let after = after.map(|(name, digest)| (name.clone(), digest.clone()));
        self.read(move |connection| {
            let mut page = Page::new(limits);
            let Some((name, digest)) = after else {
                page.read_repositories(connection, "")?;
                return Ok(page.manifests);
            };
            page.read_rest_of(connection, &name, &digest)?;
            page.read_repositories(connection, name.as_str())?;
            Ok(page.manifests)
        })
        .await
    }

    async fn inspected_manifest(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
    ) -> Result<Option<InspectedManifest>, MetadataError> {
        let found = self
            .find_manifest(repository, &digest.clone().into())
            .await?;
        Ok(found.map(|manifest| InspectedManifest {
            repository: repository.clone(),
            manifest,
        }))
    }

    async fn missing_references(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        blobs: &[Digest],
        manifests: &[Digest],
    ) -> Result<Option<Vec<Digest>>, MetadataError> {
        let (repository, digest) = (repository.clone(), digest.clone());
        let (blobs, manifests) = (blobs.to_vec(), manifests.to_vec());
        self.read(move |connection| {
            let Some(repository_id) = repository_rows::find(connection, &repository)? else {
                return Ok(None);
            };
            if manifest_rows::find_id(connection, repository_id, &digest)?.is_none() {
                return Ok(None);
            }
            Ok(Some(missing(connection, repository_id, blobs, manifests)?))
        })
        .await
    }

    async fn blob_users(&self, digest: &Digest, limit: u32) -> Result<Users, MetadataError> {
        let digest = digest.clone();
        self.read(move |connection| users::of_blob(connection, &digest, limit))
            .await
    }

    async fn manifest_users(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        limit: u32,
    ) -> Result<Users, MetadataError> {
        let (repository, digest) = (repository.clone(), digest.clone());
        self.read(move |connection| users::of_manifest(connection, &repository, &digest, limit))
            .await
    }

    async fn damages(&self) -> Result<Vec<String>, MetadataError> {
        let path = self.path.clone();
        // On a connection of its own: readers are few, and this may take minutes.
        let looking = tokio::task::spawn_blocking(move || {
            integrity::damages(&mut super::snapshot::connect(&path)?)
        });
        looking
            .await
            .map_err(|error| MetadataError::Database(error.to_string()))?
    }

    async fn recount(&self) -> Result<Vec<String>, MetadataError> {
        recount::recount(self).await
    }
}

/// Digest, size.
type BlobRow = (String, i64);

fn blob((digest, size): BlobRow) -> Result<Blob, MetadataError> {
    Ok(Blob {
        digest: parse(&digest)?,
        size: to_number(size)?,
    })
}

fn totals(connection: &mut SqliteConnection) -> Result<Totals, MetadataError> {
    let (blobs, blob_bytes): (i64, i64) = blobs::table
        .select((
            sql::<BigInt>("count(*)"),
            sql::<BigInt>("coalesce(sum(size), 0)"),
        ))
        .first(connection)?;
    let manifests: i64 = manifests::table.count().first(connection)?;
    Ok(Totals {
        blobs: to_number(blobs)?,
        blob_bytes: to_number(blob_bytes)?,
        manifests: to_number(manifests)?,
    })
}

fn missing(
    connection: &mut SqliteConnection,
    repository_id: i64,
    blobs: Vec<Digest>,
    manifests: Vec<Digest>,
) -> Result<Vec<Digest>, MetadataError> {
    let mut missing = Vec::new();
    let mut reported = HashSet::new();
    for digest in blobs {
        let linked = blob_rows::linked(connection, repository_id, &digest)?;
        if linked.is_none() && reported.insert(digest.clone()) {
            missing.push(digest);
        }
    }
    for digest in manifests {
        let found = manifest_rows::find_id(connection, repository_id, &digest)?;
        if found.is_none() && reported.insert(digest.clone()) {
            missing.push(digest);
        }
    }
    Ok(missing)
}

/// A page of manifests while it fills.
struct Page {
    limits: ManifestLimits,
    manifests: Vec<InspectedManifest>,
    bytes: usize,
    is_full: bool,
}

/// Repository, digest, media type, content.
type ManifestRow = (String, String, String, Vec<u8>);

impl Page {
    fn new(limits: ManifestLimits) -> Self {
        Self {
            limits,
            manifests: Vec::new(),
            bytes: 0,
            is_full: false,
        }
    }

    /// Adds the manifests of a repository after one of them.
    fn read_rest_of(
        &mut self,
        connection: &mut SqliteConnection,
        name: &RepositoryName,
        after: &Digest,
    ) -> Result<(), MetadataError> {
        let Some(repository_id) = repository_rows::find(connection, name)? else {
            return Ok(());
        };
        let rest = rest_of_repository(repository_id, after.as_str(), self.room());
        for row in rest.load_iter::<ManifestRow, DefaultLoadingMode>(connection)? {
            if !self.add(row?)? {
                break;
            }
        }
        Ok(())
    }

    /// Adds the manifests of the repositories after one.
    fn read_repositories(
        &mut self,
        connection: &mut SqliteConnection,
        after: &str,
    ) -> Result<(), MetadataError> {
        if self.is_full {
            return Ok(());
        }
        let rest = repositories_after(after, self.room());
        for row in rest.load_iter::<ManifestRow, DefaultLoadingMode>(connection)? {
            if !self.add(row?)? {
                break;
            }
        }
        Ok(())
    }

    fn room(&self) -> i64 {
        let taken = i64::try_from(self.manifests.len()).unwrap_or(i64::MAX);
        i64::from(self.limits.count).saturating_sub(taken)
    }

    /// `false` if there was no room for it.
    fn add(&mut self, row: ManifestRow) -> Result<bool, MetadataError> {
        let (repository, digest, media_type, content) = row;
        self.bytes = self.bytes.saturating_add(content.len());
        self.is_full = self.bytes > self.limits.bytes && !self.manifests.is_empty();
        if self.is_full {
            return Ok(false);
        }
        self.manifests.push(InspectedManifest {
            repository: parse(&repository)?,
            manifest: StoredManifest {
                digest: parse(&digest)?,
                media_type: parse(&media_type)?,
                content: content.into(),
            },
        });
        Ok(true)
    }
}

#[diesel::dsl::auto_type(no_type_alias)]
fn blobs_page<'a>(after: &'a str, limit: u32) -> _ {
    let limit: i64 = limit as i64;
    blobs::table
        .filter(blobs::digest.gt(after))
        .order(blobs::digest)
        .select((blobs::digest, blobs::size))
        .limit(limit)
}

#[diesel::dsl::auto_type(no_type_alias)]
fn rest_of_repository<'a>(repository_id: i64, after: &'a str, limit: i64) -> _ {
    manifests::table
        .inner_join(repositories::table)
        .filter(repositories::id.eq(repository_id))
        .filter(manifests::repository_id.eq(repository_id))
        .filter(manifests::digest.gt(after))
        .order(manifests::digest)
        .select((
            repositories::name,
            manifests::digest,
            manifests::media_type,
            manifests::content,
        ))
        .limit(limit)
}

#[diesel::dsl::auto_type(no_type_alias)]
fn repositories_after<'a>(after: &'a str, limit: i64) -> _ {
    manifests::table
        .inner_join(repositories::table)
        .filter(repositories::name.gt(after))
        .order((repositories::name, manifests::digest))
        .select((
            repositories::name,
            manifests::digest,
            manifests::media_type,
            manifests::content,
        ))
        .limit(limit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sqlite::plan::plan;

    #[test]
    fn every_page_is_found_by_indexes_in_its_order() {
        for (plan, starts) in [
            (
                plan(&blobs_page("a", 10)),
                vec!["SEARCH blobs USING INDEX sqlite_autoindex_blobs_1 (digest>?)"],
            ),
            (
                plan(&rest_of_repository(1, "a", 10)),
                vec![
                    "SEARCH repositories USING INTEGER PRIMARY KEY (rowid=?)",
                    "SEARCH manifests USING INDEX sqlite_autoindex_manifests_1 (repository_id=? AND digest>?)",
                ],
            ),
            (
                plan(&repositories_after("a", 10)),
                vec![
                    "SEARCH repositories USING COVERING INDEX sqlite_autoindex_repositories_1 (name>?)",
                    "SEARCH manifests USING INDEX sqlite_autoindex_manifests_1 (repository_id=?)",
                ],
            ),
        ] {
            assert_eq!(plan.split("; ").collect::<Vec<_>>(), starts);
        }
    }
}
