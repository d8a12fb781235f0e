//! For tests of what a query costs.
#![allow(clippy::unwrap_used)]

use diesel::prelude::*;
use diesel::query_builder::QueryFragment;
use diesel::sql_types::Text;
use diesel::sqlite::Sqlite;

use super::{connection, migrations};

#[derive(QueryableByName)]
struct Step {
    #[diesel(sql_type = Text)]
    detail: String,
}

/// How SQLite finds the rows of a query. What is bound makes no difference.
pub(super) fn plan(query: &impl QueryFragment<Sqlite>) -> String {
    let folder = tempfile::tempdir().unwrap();
    let mut connection = connection::open_writer(&folder.path().join("plan.sqlite3")).unwrap();
    migrations::run(&mut connection).unwrap();
    let text = diesel::debug_query::<Sqlite, _>(query).to_string();
    let (sql, _) = text.split_once(" -- binds").unwrap();
    let steps: Vec<Step> = diesel::sql_query(format!("EXPLAIN QUERY PLAN {sql}"))
        .load(&mut connection)
        .unwrap();
    let details: Vec<String> = steps.into_iter().map(|step| step.detail).collect();
    details.join("; ")
}
