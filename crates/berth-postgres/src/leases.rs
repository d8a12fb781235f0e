use std::time::Duration;

use async_trait::async_trait;
use berth_metadata::sql::rows::UploadRow;
use berth_metadata::sql::stored::{time_of, to_integer};
use berth_metadata::{MetadataError, TakeUpload, UploadLeases, UploadRecord, UploadRevision};
use berth_spec::SessionId;
use diesel::connection::SimpleConnection;
use diesel::pg::PgConnection;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Nullable, Text};

use crate::PostgresMetadata;
use crate::failure::Failure;

/// The time of the database, in milliseconds: of the moment at which a row is looked at, since the statement may have waited
/// for it.
macro_rules! now {
    () => {
        "floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint"
    };
}

/// A revision that nobody was given before, even if those that were given last are lost: by a failover to a standby that was
/// behind, or by restoring a dump. The time is later than it was for them. (If it is not, since the clock of the new server is
/// behind, the holders differ still.) The same wherever one statement says so.
macro_rules! raised {
    () => {
        "greatest(revision + 1, floor(extract(epoch FROM now()) * 1000)::bigint)"
    };
}

/// Of those who take a session at once, one has the row; the others wait for it, and look once more.
const TAKE: &str = concat!(
    "UPDATE uploads SET revision = ",
    raised!(),
    ", leased_revision = ",
    raised!(),
    ", holder = $2, held_until = ",
    now!(),
    " + $3 WHERE id = $1 AND (leased_revision IS DISTINCT FROM revision OR held_until <= ",
    now!(),
    " OR holder = $2) RETURNING *"
);

/// Until when somebody has a session, if it is there. Both are null if it was given back since it was found to be taken: then
/// there is nobody to wait for.
const HELD: &str = concat!(
    "SELECT CASE WHEN leased_revision = revision THEN held_until END AS held_until, ",
    "CASE WHEN leased_revision = revision THEN greatest(0, held_until - ",
    now!(),
    ") END AS remaining FROM uploads WHERE id = $1"
);

const RENEW: &str = concat!(
    "UPDATE uploads SET held_until = ",
    now!(),
    " + $3, expires_at = greatest(expires_at, ",
    now!(),
    " + $3) WHERE id = $1 AND revision = $2 AND leased_revision = $2 AND holder = $4"
);

const GIVE_BACK: &str =
    "UPDATE uploads SET leased_revision = NULL, holder = NULL, held_until = NULL
    WHERE id = $1 AND revision = $2 AND leased_revision = $2 AND holder = $3";

/// What is no loss if it is lost: a lease that ends early or late does not let two change one session.
const NEED_NOT_LAST: &str = "SET LOCAL synchronous_commit = off";

#[async_trait]
impl UploadLeases for PostgresMetadata {
    async fn take_upload(
        &self,
        id: SessionId,
        holder: &str,
        duration: Duration,
    ) -> Result<TakeUpload, MetadataError> {
        let holder = holder.to_owned();
        self.write(move |connection| take(connection, id, &holder, duration))
            .await
    }

    async fn renew_upload(
        &self,
        held: UploadRevision,
        duration: Duration,
    ) -> Result<bool, MetadataError> {
        self.write(move |connection| renew(connection, &held, duration))
            .await
    }

    async fn give_back_upload(&self, held: UploadRevision) -> Result<(), MetadataError> {
        self.write(move |connection| give_back(connection, &held))
            .await
    }
}

#[derive(QueryableByName)]
struct Held {
    #[diesel(sql_type = Nullable<BigInt>)]
    held_until: Option<i64>,
    #[diesel(sql_type = Nullable<BigInt>)]
    remaining: Option<i64>,
}

fn take(
    connection: &mut PgConnection,
    id: SessionId,
    holder: &str,
    duration: Duration,
) -> Result<TakeUpload, Failure> {
    let taken: Option<UploadRow> = diesel::sql_query(TAKE)
        .bind::<Text, _>(id.to_string())
        .bind::<Text, _>(holder)
        .bind::<BigInt, _>(whole_milliseconds(duration))
        .get_result(connection)
        .optional()?;
    if let Some(row) = taken {
        return Ok(TakeUpload::Taken(UploadRecord {
            holder: Some(holder.to_owned()),
            ..row.record()?
        }));
    }
    let held: Option<Held> = diesel::sql_query(HELD)
        .bind::<Text, _>(id.to_string())
        .get_result(connection)
        .optional()?;
    let Some(held) = held else {
        return Ok(TakeUpload::Missing);
    };
    match (held.held_until, held.remaining) {
        (Some(until), Some(remaining)) if remaining > 0 => Ok(TakeUpload::Held {
            until: time_of(until),
            left: Duration::from_millis(remaining.unsigned_abs()),
        }),
        // It was given back, or has ended, since it was not to be had.
        _ => Err(Failure::Changed),
    }
}

fn renew(
    connection: &mut PgConnection,
    held: &UploadRevision,
    duration: Duration,
) -> Result<bool, Failure> {
    connection.batch_execute(NEED_NOT_LAST)?;
    let renewed = diesel::sql_query(RENEW)
        .bind::<Text, _>(held.id.to_string())
        .bind::<BigInt, _>(to_integer(held.revision)?)
        .bind::<BigInt, _>(whole_milliseconds(duration))
        .bind::<Nullable<Text>, _>(held.holder.as_deref())
        .execute(connection)?;
    Ok(renewed > 0)
}

fn give_back(connection: &mut PgConnection, held: &UploadRevision) -> Result<(), Failure> {
    connection.batch_execute(NEED_NOT_LAST)?;
    diesel::sql_query(GIVE_BACK)
        .bind::<Text, _>(held.id.to_string())
        .bind::<BigInt, _>(to_integer(held.revision)?)
        .bind::<Nullable<Text>, _>(held.holder.as_deref())
        .execute(connection)?;
    Ok(())
}

/// Rounded up: a lease never ends long before whoever has it thinks so.
fn whole_milliseconds(duration: Duration) -> i64 {
    let milliseconds = duration.as_nanos().div_ceil(1_000_000);
    i64::try_from(milliseconds).unwrap_or(i64::from(i32::MAX))
}
