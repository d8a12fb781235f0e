//! What SQLite finds wrong with a file.

use diesel::prelude::*;
use diesel::sql_types::{Nullable, Text};
use diesel::sqlite::SqliteConnection;

use crate::MetadataError;

/// How many damages of each kind are told: after a few, the file is known to be damaged.
const TOLD: &str = "20";

#[derive(QueryableByName)]
struct Finding {
    #[diesel(sql_type = Text)]
    text: String,
}

#[derive(QueryableByName)]
struct Orphan {
    #[diesel(sql_type = Text)]
    table: String,
    #[diesel(sql_type = Nullable<Text>)]
    parent: Option<String>,
}

/// Pages, indexes and constraints that do not fit together, and rows that lead nowhere.
pub(super) fn damages(connection: &mut SqliteConnection) -> Result<Vec<String>, MetadataError> {
    let findings: Vec<Finding> = diesel::sql_query(format!(
        "SELECT integrity_check AS text FROM pragma_integrity_check LIMIT {TOLD}"
    ))
    .load(connection)?;
    let orphans: Vec<Orphan> = diesel::sql_query(format!(
        "SELECT \"table\", parent FROM pragma_foreign_key_check LIMIT {TOLD}"
    ))
    .load(connection)?;
    let findings = findings.into_iter().map(|finding| finding.text);
    let orphans = orphans.into_iter().map(|orphan| {
        let parent = orphan.parent.unwrap_or_default();
        format!(
            "a row of {} refers to a row of {parent} that is missing",
            orphan.table
        )
    });
    let is_damage = |text: &String| text != "ok";
    Ok(findings.filter(is_damage).chain(orphans).collect())
}
