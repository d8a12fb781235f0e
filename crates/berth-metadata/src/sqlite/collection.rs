use std::time::SystemTime;

use async_trait::async_trait;
use berth_spec::{BlobName, Digest};
use diesel::prelude::*;
use diesel::sqlite::SqliteConnection;

use super::blobs::make_live;
use super::{SqliteMetadata, generations, now};
use crate::sql::pages::{condemned_page, is_unused, unused_between};
use crate::sql::rows::{self, blob_of};
use crate::sql::schema::{blobs, repository_blobs};
use crate::sql::stored::parse;
use crate::sql::{CONDEMNED, LIVE};
use crate::store::milliseconds;
use crate::{Blob, CollectionStore, MetadataError, UnusedBlobs};

#[async_trait]
impl CollectionStore for SqliteMetadata {
    async fn unused_blobs(
        &self,
        after: Option<&Digest>,
        unused_since: SystemTime,
        limit: u32,
    ) -> Result<UnusedBlobs, MetadataError> {
        let after = after.cloned();
        let unused_since = milliseconds(unused_since);
        self.read(move |connection| unused(connection, after.as_ref(), unused_since, limit))
            .await
    }

    async fn condemn_blobs(
        &self,
        digests: &[Digest],
        unused_since: SystemTime,
    ) -> Result<Vec<Blob>, MetadataError> {
        let digests = digests.to_vec();
        let unused_since = milliseconds(unused_since);
        self.write(move |connection| {
            let condemn = |digest| condemn(connection, digest, unused_since);
            digests.iter().filter_map(condemn).collect()
        })
        .await
    }

    async fn condemned_blobs(
        &self,
        after: Option<&Digest>,
        condemned_before: SystemTime,
        limit: u32,
    ) -> Result<Vec<Blob>, MetadataError> {
        let after = text(after).to_owned();
        let condemned_before = milliseconds(condemned_before);
        self.read(move |connection| condemned(connection, &after, condemned_before, limit))
            .await
    }

    async fn forget_blobs(
        &self,
        digests: &[Digest],
        condemned_before: SystemTime,
        unused_since: SystemTime,
    ) -> Result<Vec<Blob>, MetadataError> {
        let digests = digests.to_vec();
        let condemned_before = milliseconds(condemned_before);
        let unused_since = milliseconds(unused_since);
        self.write(move |connection| {
            let forget = |digest| forget(connection, digest, condemned_before, unused_since);
            digests.iter().filter_map(forget).collect()
        })
        .await
    }

    async fn replaced_blobs(
        &self,
        after: Option<&BlobName>,
        replaced_before: SystemTime,
        limit: u32,
    ) -> Result<Vec<BlobName>, MetadataError> {
        let after = after.cloned();
        let replaced_before = milliseconds(replaced_before);
        self.read(move |connection| {
            generations::replaced(connection, after.as_ref(), replaced_before, limit)
        })
        .await
    }

    async fn forsake(
        &self,
        names: &[BlobName],
        replaced_before: SystemTime,
    ) -> Result<Vec<BlobName>, MetadataError> {
        let names = names.to_vec();
        let replaced_before = milliseconds(replaced_before);
        self.write(move |connection| generations::forsake(connection, &names, replaced_before))
            .await
    }

    async fn adopt_blob(&self, lost: &BlobName, found: &BlobName) -> Result<bool, MetadataError> {
        let (lost, found) = (lost.clone(), found.clone());
        self.write(move |connection| generations::adopt(connection, &lost, &found))
            .await
    }
}

fn text(digest: Option<&Digest>) -> &str {
    digest.map(Digest::as_str).unwrap_or_default()
}

fn unused(
    connection: &mut SqliteConnection,
    after: Option<&Digest>,
    unused_since: i64,
    limit: u32,
) -> Result<UnusedBlobs, MetadataError> {
    // Whatever the blobs are used by, so many are looked at and no more.
    let looked_at: Vec<String> = blobs::table
        .filter(blobs::digest.gt(text(after)))
        .order(blobs::digest)
        .limit(limit.into())
        .select(blobs::digest)
        .load(connection)?;
    let Some(last) = looked_at.last() else {
        return Ok(UnusedBlobs::default());
    };
    let rows = unused_between(text(after), last, unused_since).load(connection)?;
    Ok(UnusedBlobs {
        blobs: rows::blobs(rows)?,
        last: Some(parse(last)?),
    })
}

fn condemn(
    connection: &mut SqliteConnection,
    digest: &Digest,
    unused_since: i64,
) -> Option<Result<Blob, MetadataError>> {
    let found = blobs::table
        .filter(blobs::digest.eq(digest.as_str()))
        .filter(blobs::state.eq(LIVE))
        .filter(is_unused(unused_since))
        .select((blobs::id, blobs::size, blobs::generation))
        .first(connection);
    take(
        found,
        |(id, size, generation): (i64, i64, Option<String>)| {
            diesel::update(blobs::table.find(id))
                .set((
                    blobs::state.eq(CONDEMNED),
                    blobs::condemned_at.eq(Some(now())),
                ))
                .execute(connection)?;
            blob_of(digest.clone(), size, generation).map(Some)
        },
    )
}

fn condemned(
    connection: &mut SqliteConnection,
    after: &str,
    condemned_before: i64,
    limit: u32,
) -> Result<Vec<Blob>, MetadataError> {
    let rows = condemned_page(after, condemned_before, limit).load(connection)?;
    rows::blobs(rows)
}

fn forget(
    connection: &mut SqliteConnection,
    digest: &Digest,
    condemned_before: i64,
    unused_since: i64,
) -> Option<Result<Blob, MetadataError>> {
    let found = blobs::table
        .filter(blobs::digest.eq(digest.as_str()))
        .filter(blobs::condemned_at.le(condemned_before))
        .select((
            (blobs::id, blobs::size, blobs::generation),
            is_unused(unused_since),
        ))
        .first(connection);
    take(
        found,
        |(row, is_unused): ((i64, i64, Option<String>), bool)| {
            let (id, size, generation) = row;
            if !is_unused {
                make_live(connection, id)?;
                return Ok(None);
            }
            let links = repository_blobs::table.filter(repository_blobs::blob_id.eq(id));
            diesel::delete(links).execute(connection)?;
            diesel::delete(blobs::table.find(id)).execute(connection)?;
            blob_of(digest.clone(), size, generation).map(Some)
        },
    )
}

/// What `change` makes of a row, if there is one.
fn take<T>(
    found: QueryResult<T>,
    change: impl FnOnce(T) -> Result<Option<Blob>, MetadataError>,
) -> Option<Result<Blob, MetadataError>> {
    match found.optional() {
        Ok(row) => row.and_then(|row| change(row).transpose()),
        Err(error) => Some(Err(error.into())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sqlite::plan::plan;

    #[test]
    fn whether_a_blob_is_unused_costs_two_searches() {
        let plan = plan(
            &blobs::table
                .filter(blobs::digest.gt("a"))
                .filter(is_unused(1))
                .select(blobs::id),
        );
        for search in [
            "SEARCH blobs USING COVERING INDEX",
            "SEARCH manifest_blobs USING COVERING INDEX manifest_blobs_of_blob (blob_id=?)",
            "SEARCH repository_blobs USING COVERING INDEX repository_blobs_of_blob (blob_id=? AND linked_at>?)",
        ] {
            assert!(plan.contains(search), "{plan}");
        }
    }

    #[test]
    fn the_condemned_are_found_without_looking_at_the_living() {
        let plan = plan(&condemned_page("a", 1, 1));
        assert!(
            plan.contains("COVERING INDEX blobs_condemned (digest>?)"),
            "{plan}"
        );
    }
}
