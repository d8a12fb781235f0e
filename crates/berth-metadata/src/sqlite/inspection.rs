use std::collections::HashSet;

use async_trait::async_trait;
use berth_spec::{Digest, RepositoryName};
use diesel::connection::DefaultLoadingMode;
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::BigInt;
use diesel::sqlite::SqliteConnection;

use super::{
    SqliteMetadata, blobs as blob_rows, integrity, manifests as manifest_rows, recount,
    repositories as repository_rows, users,
};
use crate::sql::pages::{blobs_page, repositories_after, rest_of_repository};
use crate::sql::rows::{self, BlobRow, InspectedRow, ManifestPage};
use crate::sql::schema::{blobs, manifests};
use crate::sql::stored::to_number;
use crate::{
    Blob, InspectedManifest, InspectionStore, ManifestLimits, MetadataError, Totals, Users,
};

#[async_trait]
impl InspectionStore for SqliteMetadata {
    async fn totals(&self) -> Result<Totals, MetadataError> {
        self.read(totals).await
    }

    async fn blobs(&self, after: Option<&Digest>, limit: u32) -> Result<Vec<Blob>, MetadataError> {
        let after = after.map(Digest::to_string).unwrap_or_default();
        self.read(move |connection| rows::blobs(blobs_page(&after, limit).load(connection)?))
            .await
    }

    async fn recorded_blob(&self, digest: &Digest) -> Result<Option<Blob>, MetadataError> {
        let digest = digest.to_string();
        self.read(move |connection| {
            let row: Option<BlobRow> = blobs::table
                .filter(blobs::digest.eq(digest))
                .select((blobs::digest, blobs::size, blobs::generation))
                .first(connection)
                .optional()?;
            row.map(rows::blob).transpose()
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
            let mut page = ManifestPage::new(limits);
            if let Some((name, digest)) = &after {
                read_rest_of(&mut page, connection, name, digest)?;
            }
            let last = after.as_ref().map_or("", |(name, _)| name.as_str());
            read_repositories(&mut page, connection, last)?;
            Ok(page.into_manifests())
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

/// Adds the manifests of a repository after one of them.
fn read_rest_of(
    page: &mut ManifestPage,
    connection: &mut SqliteConnection,
    name: &RepositoryName,
    after: &Digest,
) -> Result<(), MetadataError> {
    let Some(repository_id) = repository_rows::find(connection, name)? else {
        return Ok(());
    };
    let rest = rest_of_repository(repository_id, after.as_str(), page.room());
    for row in rest.load_iter::<InspectedRow, DefaultLoadingMode>(connection)? {
        if !page.add(row?)? {
            break;
        }
    }
    Ok(())
}

/// Adds the manifests of the repositories after one.
fn read_repositories(
    page: &mut ManifestPage,
    connection: &mut SqliteConnection,
    after: &str,
) -> Result<(), MetadataError> {
    if page.is_full() {
        return Ok(());
    }
    let rest = repositories_after(after, page.room());
    for row in rest.load_iter::<InspectedRow, DefaultLoadingMode>(connection)? {
        if !page.add(row?)? {
            break;
        }
    }
    Ok(())
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
