//! What the database finds wrong with itself.

use diesel::connection::SimpleConnection;
use diesel::pg::PgConnection;
use diesel::prelude::*;
use diesel::sql_types::Text;

use crate::failure::Failure;

/// Rows that do not fit together in spite of keys, checks and triggers: whoever repairs a database by hand, or restores a part of it,
/// may make such. After a few of each, it is known to be damaged.
const FINDINGS: [&str; 2] = [
    "SELECT 'the manifest ' || manifests.digest || ' is linked to ' || blobs.digest || ' as ' || manifest_blobs.digest AS text
        FROM manifest_blobs
        JOIN blobs ON blobs.id = manifest_blobs.blob_id AND blobs.digest <> manifest_blobs.digest
        JOIN manifests ON manifests.id = manifest_blobs.manifest_id
        LIMIT 20",
    "SELECT 'the tag ' || tags.name || ' is of another repository than its manifest ' || manifests.digest AS text
        FROM tags
        JOIN manifests ON manifests.id = tags.manifest_id AND manifests.repository_id <> tags.repository_id
        LIMIT 20",
];

#[derive(QueryableByName)]
struct Finding {
    #[diesel(sql_type = Text)]
    text: String,
}

pub(crate) fn damages(connection: &mut PgConnection) -> Result<Vec<String>, Failure> {
    // This may take minutes.
    connection.batch_execute("SET LOCAL statement_timeout = 0")?;
    let mut damages = Vec::new();
    for query in FINDINGS {
        let findings: Vec<Finding> = diesel::sql_query(query).load(connection)?;
        damages.extend(findings.into_iter().map(|finding| finding.text));
    }
    Ok(damages)
}
