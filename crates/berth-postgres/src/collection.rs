use std::collections::{BTreeSet, HashSet};
use std::time::SystemTime;

use async_trait::async_trait;
use berth_metadata::sql::pages::{condemned_page, is_unused, unused_between};
use berth_metadata::sql::rows;
use berth_metadata::sql::schema::{blobs, repositories, repository_blobs};
use berth_metadata::sql::stored::{milliseconds, parse};
use berth_metadata::sql::{CONDEMNED, LIVE};
use berth_metadata::{Blob, CollectionStore, MetadataError, UnusedBlobs};
use berth_spec::{BlobName, Digest};
use diesel::connection::SimpleConnection;
use diesel::pg::PgConnection;
use diesel::prelude::*;

use crate::blobs::make_live;
use crate::failure::Failure;
use crate::{PostgresMetadata, generations, now};

/// The advisory lock of whoever forgets blobs: one at a time of all replicas, since it locks repositories and namespaces that
/// have nothing to do with each other. One of each replica waits for it at most: see [`PostgresMetadata`]. "forget" in ASCII.
const FORGETTING: &str = "SELECT pg_advisory_xact_lock(112628846781812)";

#[async_trait]
impl CollectionStore for PostgresMetadata {
    async fn unused_blobs(
        &self,
        after: Option<&Digest>,
        unused_since: SystemTime,
        limit: u32,
    ) -> Result<UnusedBlobs, MetadataError> {
        let after = after.cloned();
        let unused_since = milliseconds(unused_since);
        self.read_state(move |connection| unused(connection, after.as_ref(), unused_since, limit))
            .await
    }

    async fn condemn_blobs(
        &self,
        digests: &[Digest],
        unused_since: SystemTime,
    ) -> Result<Vec<Blob>, MetadataError> {
        let digests = digests.to_vec();
        let unused_since = milliseconds(unused_since);
        self.write(move |connection| condemn(connection, &digests, unused_since))
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
        self.read(move |connection| {
            let rows = condemned_page(&after, condemned_before, limit).load(connection)?;
            Ok(rows::blobs(rows)?)
        })
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
        let _alone = self.forgetting.lock().await;
        self.write(move |connection| forget(connection, &digests, condemned_before, unused_since))
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

fn texts(digests: &[Digest]) -> Vec<&str> {
    digests.iter().map(Digest::as_str).collect()
}

fn unused(
    connection: &mut PgConnection,
    after: Option<&Digest>,
    unused_since: i64,
    limit: u32,
) -> Result<UnusedBlobs, Failure> {
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

/// A blob that nobody else looks at with a lock until this transaction ends.
#[derive(Queryable)]
struct Taken {
    id: i64,
    digest: String,
    size: i64,
    generation: Option<String>,
}

const TAKEN: (blobs::id, blobs::digest, blobs::size, blobs::generation) =
    (blobs::id, blobs::digest, blobs::size, blobs::generation);

/// Condemns blobs. First they are taken from everybody who would use them, then it is seen whether they are used: by a statement
/// of its own, which sees all that those who had the lock before have committed.
fn condemn(
    connection: &mut PgConnection,
    digests: &[Digest],
    unused_since: i64,
) -> Result<Vec<Blob>, Failure> {
    let taken: Vec<Taken> = blobs::table
        .filter(blobs::digest.eq_any(texts(digests)))
        .filter(blobs::state.eq(LIVE))
        .order(blobs::digest)
        .select(TAKEN)
        .for_update()
        .load(connection)?;
    let unused = unused_of(connection, &taken, unused_since)?;
    diesel::update(blobs::table.filter(blobs::id.eq_any(&unused)))
        .set((
            blobs::state.eq(CONDEMNED),
            blobs::condemned_at.eq(Some(now())),
        ))
        .execute(connection)?;
    let (condemned, _) = split(taken, &unused);
    in_order(digests, condemned)
}

fn unused_of(
    connection: &mut PgConnection,
    taken: &[Taken],
    unused_since: i64,
) -> QueryResult<Vec<i64>> {
    let ids: Vec<i64> = taken.iter().map(|blob| blob.id).collect();
    blobs::table
        .filter(blobs::id.eq_any(ids))
        .filter(is_unused(unused_since))
        .select(blobs::id)
        .load(connection)
}

/// Those that are unused, and the others.
fn split(taken: Vec<Taken>, unused: &[i64]) -> (Vec<Taken>, Vec<Taken>) {
    let unused: HashSet<&i64> = unused.iter().collect();
    taken
        .into_iter()
        .partition(|blob| unused.contains(&blob.id))
}

/// Blobs in the order in which they were asked for, each once.
fn in_order(digests: &[Digest], taken: Vec<Taken>) -> Result<Vec<Blob>, Failure> {
    let mut blobs = rows::blobs(
        taken
            .into_iter()
            .map(|blob| (blob.digest, blob.size, blob.generation))
            .collect(),
    )?;
    blobs.sort_by_key(|blob| digests.iter().position(|digest| *digest == blob.digest));
    Ok(blobs)
}

/// Removes the records of condemned blobs, or makes them live. The repositories that are linked to them are locked before them, as
/// everybody does.
fn forget(
    connection: &mut PgConnection,
    digests: &[Digest],
    condemned_before: i64,
    unused_since: i64,
) -> Result<Vec<Blob>, Failure> {
    connection.batch_execute(FORGETTING)?;
    let linked = linked_repositories(connection, digests)?;
    let _locked: Vec<i64> = repositories::table
        .filter(repositories::id.eq_any(&linked))
        .order(repositories::id)
        .select(repositories::id)
        .for_no_key_update()
        .load(connection)?;
    let taken: Vec<Taken> = blobs::table
        .filter(blobs::digest.eq_any(texts(digests)))
        .filter(blobs::condemned_at.le(condemned_before))
        .order(blobs::digest)
        .select(TAKEN)
        .for_update()
        .load(connection)?;
    if !linked_repositories(connection, digests)?.is_subset(&linked) {
        return Err(Failure::Changed);
    }
    let unused = unused_of(connection, &taken, unused_since)?;
    let links = repository_blobs::table.filter(repository_blobs::blob_id.eq_any(&unused));
    diesel::delete(links).execute(connection)?;
    diesel::delete(blobs::table.filter(blobs::id.eq_any(&unused))).execute(connection)?;
    let (forgotten, used) = split(taken, &unused);
    let used: Vec<i64> = used.iter().map(|blob| blob.id).collect();
    make_live(connection, &used)?;
    in_order(digests, forgotten)
}

/// The ids of the repositories that are linked to some of these blobs.
fn linked_repositories(
    connection: &mut PgConnection,
    digests: &[Digest],
) -> QueryResult<BTreeSet<i64>> {
    let linked: Vec<i64> = repository_blobs::table
        .inner_join(blobs::table)
        .filter(blobs::digest.eq_any(texts(digests)))
        .filter(blobs::condemned_at.is_not_null())
        .select(repository_blobs::repository_id)
        .distinct()
        .load(connection)?;
    Ok(linked.into_iter().collect())
}
