use std::collections::HashSet;

use async_trait::async_trait;
use berth_metadata::sql::pages::{blobs_page, rest_of_repository};
use berth_metadata::sql::rows::{self, BlobRow, InspectedRow, ManifestPage};
use berth_metadata::sql::schema::{blobs, manifests, repository_blobs};
use berth_metadata::sql::stored::to_number;
use berth_metadata::{
    Blob, InspectedManifest, InspectionStore, ManifestLimits, MetadataError, MetadataStore, Totals,
    Users,
};
use berth_spec::{Digest, RepositoryName};
use diesel::dsl::sql;
use diesel::pg::{PgConnection, PgRowByRowLoadingMode};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Binary, Text};

use crate::failure::Failure;
use crate::{
    PostgresMetadata, damages, manifests as manifest_rows, recount,
    repositories as repository_rows, users,
};

#[async_trait]
impl InspectionStore for PostgresMetadata {
    async fn totals(&self) -> Result<Totals, MetadataError> {
        self.read_state(totals).await
    }

    async fn blobs(&self, after: Option<&Digest>, limit: u32) -> Result<Vec<Blob>, MetadataError> {
        let after = after.map(Digest::to_string).unwrap_or_default();
        self.read(move |connection| Ok(rows::blobs(blobs_page(&after, limit).load(connection)?)?))
            .await
    }

    async fn recorded_blob(&self, digest: &Digest) -> Result<Option<Blob>, MetadataError> {
        let digest = digest.to_string();
        self.read(move |connection| {
            let row: Option<BlobRow> = blobs::table
                .filter(blobs::digest.eq(&digest))
                .select((blobs::digest, blobs::size, blobs::generation))
                .first(connection)
                .optional()?;
            Ok(row.map(rows::blob).transpose()?)
        })
        .await
    }

    async fn manifests(
        &self,
        after: Option<(&RepositoryName, &Digest)>,
        limits: ManifestLimits,
    ) -> Result<Vec<InspectedManifest>, MetadataError> {
        let after = after.map(|(name, digest)| (name.clone(), digest.clone()));
        self.read_state(move |connection| {
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
        let found = self.manifest(repository, &digest.clone().into()).await?;
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
        self.read_state(move |connection| {
            let Some(repository_id) = repository_rows::find(connection, &repository)? else {
                return Ok(None);
            };
            if manifest_rows::find_id(connection, repository_id, &digest)?.is_none() {
                return Ok(None);
            }
            Ok(Some(missing(
                connection,
                repository_id,
                &blobs,
                &manifests,
            )?))
        })
        .await
    }

    async fn blob_users(&self, digest: &Digest, limit: u32) -> Result<Users, MetadataError> {
        let digest = digest.clone();
        self.read_state(move |connection| users::of_blob(connection, &digest, limit))
            .await
    }

    async fn manifest_users(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        limit: u32,
    ) -> Result<Users, MetadataError> {
        let (repository, digest) = (repository.clone(), digest.clone());
        self.read_state(move |connection| {
            users::of_manifest(connection, &repository, &digest, limit)
        })
        .await
    }

    async fn damages(&self) -> Result<Vec<String>, MetadataError> {
        self.read_state(damages::damages).await
    }

    async fn recount(&self) -> Result<Vec<String>, MetadataError> {
        recount::recount(self).await
    }
}

fn totals(connection: &mut PgConnection) -> Result<Totals, Failure> {
    let (blobs, blob_bytes): (i64, i64) = blobs::table
        .select((
            sql::<BigInt>("count(*)"),
            sql::<BigInt>("coalesce(sum(size), 0)::bigint"),
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
    connection: &mut PgConnection,
    repository_id: i64,
    blobs: &[Digest],
    manifests: &[Digest],
) -> QueryResult<Vec<Digest>> {
    let texts = |digests: &[Digest]| digests.iter().map(Digest::to_string).collect::<Vec<_>>();
    let linked: Vec<String> = repository_blobs::table
        .inner_join(blobs::table)
        .filter(repository_blobs::repository_id.eq(repository_id))
        .filter(blobs::digest.eq_any(texts(blobs)))
        .select(blobs::digest)
        .load(connection)?;
    let linked: HashSet<String> = linked.into_iter().collect();
    let wanted = manifests.iter().map(Digest::as_str).collect();
    let present = manifest_rows::present(connection, Some(repository_id), wanted)?;
    let blobs = blobs
        .iter()
        .filter(|digest| !linked.contains(digest.as_str()));
    let manifests = manifests
        .iter()
        .filter(|digest| !present.contains(digest.as_str()));
    let mut reported = HashSet::new();
    let missing = blobs.chain(manifests);
    Ok(missing
        .filter(|digest| reported.insert(*digest))
        .cloned()
        .collect())
}

/// Adds the manifests of a repository after one of them.
fn read_rest_of(
    page: &mut ManifestPage,
    connection: &mut PgConnection,
    name: &RepositoryName,
    after: &Digest,
) -> Result<(), Failure> {
    let Some(repository_id) = repository_rows::find(connection, name)? else {
        return Ok(());
    };
    let rest = rest_of_repository(repository_id, after.as_str(), page.room());
    for row in rest.load_iter::<InspectedRow, PgRowByRowLoadingMode>(connection)? {
        if !page.add(row?)? {
            break;
        }
    }
    Ok(())
}

/// Adds the manifests of the repositories after one.
fn read_repositories(
    page: &mut ManifestPage,
    connection: &mut PgConnection,
    after: &str,
) -> Result<(), Failure> {
    if page.is_full() {
        return Ok(());
    }
    let rest = diesel::sql_query(REPOSITORIES_AFTER)
        .bind::<Text, _>(after)
        .bind::<BigInt, _>(page.room());
    for row in rest.load_iter::<Inspected, PgRowByRowLoadingMode>(connection)? {
        let row = row?;
        if !page.add((row.name, row.digest, row.media_type, row.content))? {
            break;
        }
    }
    Ok(())
}

/// The manifests of the repositories after one. Of each repository no more than there is room for: or a page of a large one would
/// begin with sorting all that it has.
pub(crate) const REPOSITORIES_AFTER: &str =
    "SELECT repositories.name, here.digest, here.media_type, here.content
        FROM repositories CROSS JOIN LATERAL (
            SELECT digest, media_type, content FROM manifests
            WHERE repository_id = repositories.id
            ORDER BY digest LIMIT $2
        ) AS here
        WHERE repositories.name > $1
        ORDER BY repositories.name, here.digest LIMIT $2";

#[derive(QueryableByName)]
struct Inspected {
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = Text)]
    digest: String,
    #[diesel(sql_type = Text)]
    media_type: String,
    #[diesel(sql_type = Binary)]
    content: Vec<u8>,
}
