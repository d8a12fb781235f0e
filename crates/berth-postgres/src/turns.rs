//! Turns of replicas, by the clock of the database.

use std::time::Duration;

use async_trait::async_trait;
use berth_metadata::{MetadataError, Turn, TurnStore};
use diesel::prelude::*;
use diesel::sql_types::{Array, Bool, Double, Text};

use crate::PostgresMetadata;

/// Whether some task is due, or nobody has asked for it yet. Mostly none is, and then nothing is written.
const LOOK: &str = "SELECT EXISTS (
        SELECT FROM unnest($1) AS asked (task) LEFT JOIN turns USING (task)
        WHERE CASE
            WHEN held_until IS NOT NULL THEN held_until <= now()
            ELSE begun_at IS NULL OR begun_at <= now() - make_interval(secs => $2)
        END
    ) AS is_due";

/// Tasks that nobody has asked for yet. In one order, so that replicas which begin at the same time do not wait in a circle.
const KNOW: &str = "INSERT INTO turns (task)
    SELECT task FROM unnest($1) AS asked (task) ORDER BY task COLLATE \"C\" ON CONFLICT DO NOTHING";

/// A row that another replica is taking just now is passed over.
const TAKE: &str = "UPDATE turns
    SET token = gen_random_uuid(), begun_at = now(), held_until = now() + make_interval(secs => $3)
    WHERE task = (
        SELECT task FROM turns
        WHERE task = ANY ($1) AND CASE
            WHEN held_until IS NOT NULL THEN held_until <= now()
            ELSE begun_at IS NULL OR begun_at <= now() - make_interval(secs => $2)
        END
        ORDER BY begun_at NULLS FIRST, array_position($1, task)
        LIMIT 1 FOR UPDATE SKIP LOCKED
    )
    RETURNING task, token::text AS token";

const KEEP: &str = "UPDATE turns SET held_until = now() + make_interval(secs => $3)
    WHERE task = $1 AND token::text = $2 AND held_until IS NOT NULL";

const END: &str = "UPDATE turns SET held_until = NULL WHERE task = $1 AND token::text = $2";

#[derive(QueryableByName)]
struct Looked {
    #[diesel(sql_type = Bool)]
    is_due: bool,
}

#[derive(QueryableByName)]
struct Taken {
    #[diesel(sql_type = Text)]
    task: String,
    #[diesel(sql_type = Text)]
    token: String,
}

#[async_trait]
impl TurnStore for PostgresMetadata {
    async fn take_turn(
        &self,
        tasks: &[String],
        every: Duration,
        lease: Duration,
    ) -> Result<Option<Turn>, MetadataError> {
        let tasks = tasks.to_vec();
        let asked = tasks.clone();
        let looking = self.read(move |connection| {
            let looked: Looked = diesel::sql_query(LOOK)
                .bind::<Array<Text>, _>(&asked)
                .bind::<Double, _>(every.as_secs_f64())
                .get_result(connection)?;
            Ok(looked.is_due)
        });
        if !looking.await? {
            return Ok(None);
        }
        self.write(move |connection| {
            diesel::sql_query(KNOW)
                .bind::<Array<Text>, _>(&tasks)
                .execute(connection)?;
            let taken: Option<Taken> = diesel::sql_query(TAKE)
                .bind::<Array<Text>, _>(&tasks)
                .bind::<Double, _>(every.as_secs_f64())
                .bind::<Double, _>(lease.as_secs_f64())
                .get_result(connection)
                .optional()?;
            Ok(taken.map(|Taken { task, token }| Turn { task, token }))
        })
        .await
    }

    async fn keep_turn(&self, turn: &Turn, lease: Duration) -> Result<bool, MetadataError> {
        let turn = turn.clone();
        self.write(move |connection| {
            let kept = diesel::sql_query(KEEP)
                .bind::<Text, _>(&turn.task)
                .bind::<Text, _>(&turn.token)
                .bind::<Double, _>(lease.as_secs_f64())
                .execute(connection)?;
            Ok(kept > 0)
        })
        .await
    }

    async fn end_turn(&self, turn: &Turn) -> Result<(), MetadataError> {
        let turn = turn.clone();
        self.write(move |connection| {
            diesel::sql_query(END)
                .bind::<Text, _>(&turn.task)
                .bind::<Text, _>(&turn.token)
                .execute(connection)?;
            Ok(())
        })
        .await
    }
}
