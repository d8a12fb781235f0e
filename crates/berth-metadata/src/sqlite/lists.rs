use berth_spec::{Digest, RepositoryName, Tag};
use diesel::connection::DefaultLoadingMode;
use diesel::prelude::*;
use diesel::sqlite::{Sqlite, SqliteConnection};

use super::repositories as repository_rows;
use crate::sql::pages::{repositories_page, tags_page};
use crate::sql::rows::{ReferrerRow, parse_all, referrer, referrer_bytes};
use crate::sql::schema::manifests;
use crate::{MetadataError, Referrer, ReferrerLimits};

/// Names of repositories after `last`.
pub(super) fn repositories(
    connection: &mut SqliteConnection,
    last: &str,
    limit: u32,
) -> Result<Vec<RepositoryName>, MetadataError> {
    let names: Vec<String> = repositories_page(last, limit).load(connection)?;
    parse_all(&names)
}

/// Tags of a repository after `last`; `None` if there is no such repository.
pub(super) fn tags(
    connection: &mut SqliteConnection,
    repository: &RepositoryName,
    last: &str,
    limit: u32,
) -> Result<Option<Vec<Tag>>, MetadataError> {
    let Some(repository_id) = repository_rows::find(connection, repository)? else {
        return Ok(None);
    };
    let names: Vec<String> = tags_page(repository_id, last, limit).load(connection)?;
    parse_all(&names).map(Some)
}

/// Manifests that name `subject`, after the digest `last`.
pub(super) fn referrers(
    connection: &mut SqliteConnection,
    repository: &RepositoryName,
    subject: &Digest,
    artifact_type: Option<&str>,
    last: &str,
    limits: ReferrerLimits,
) -> Result<Vec<Referrer>, MetadataError> {
    let Some(repository_id) = repository_rows::find(connection, repository)? else {
        return Ok(Vec::new());
    };
    let page = referrers_page(repository_id, subject, artifact_type, last, limits.count);
    let mut referrers = Vec::new();
    let mut bytes = 0;
    // Row by row: together, the annotations of a page could fill the memory.
    for row in page.load_iter::<ReferrerRow, DefaultLoadingMode>(connection)? {
        let row = row?;
        bytes += referrer_bytes(&row);
        if bytes > limits.bytes && !referrers.is_empty() {
            break;
        }
        referrers.push(referrer(row)?);
    }
    Ok(referrers)
}

type ReferrerColumns = (
    manifests::digest,
    manifests::media_type,
    manifests::size,
    manifests::artifact_type,
    manifests::annotations,
);

fn referrers_page<'a>(
    repository_id: i64,
    subject: &'a Digest,
    artifact_type: Option<&'a str>,
    last: &'a str,
    limit: u32,
) -> diesel::dsl::IntoBoxed<'a, diesel::dsl::Select<manifests::table, ReferrerColumns>, Sqlite> {
    let columns: ReferrerColumns = (
        manifests::digest,
        manifests::media_type,
        manifests::size,
        manifests::artifact_type,
        manifests::annotations,
    );
    let page = manifests::table
        .select(columns)
        .into_boxed()
        .filter(manifests::repository_id.eq(repository_id))
        .filter(manifests::subject_digest.eq(subject.as_str()))
        .filter(manifests::digest.gt(last))
        .order(manifests::digest)
        .limit(i64::from(limit));
    match artifact_type {
        Some(artifact_type) => page.filter(manifests::artifact_type.eq(artifact_type)),
        None => page,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sqlite::plan::plan;

    #[test]
    fn every_page_is_one_search_of_an_index_in_its_order() {
        let subject = Digest::sha256(b"");
        for (plan, index, start) in [
            (
                plan(&repositories_page("a", 10)),
                "sqlite_autoindex_repositories_1",
                "(name>?)",
            ),
            (
                plan(&tags_page(1, "a", 10)),
                "PRIMARY KEY",
                "(repository_id=? AND name>?)",
            ),
            (
                plan(&referrers_page(1, &subject, None, "a", 10)),
                "manifests_of_subject ",
                "(repository_id=? AND subject_digest=? AND digest>?)",
            ),
            (
                plan(&referrers_page(1, &subject, Some("a/b"), "a", 10)),
                "manifests_of_subject_and_type ",
                "(repository_id=? AND subject_digest=? AND artifact_type=? AND digest>?)",
            ),
        ] {
            assert!(plan.starts_with("SEARCH"), "{plan}");
            assert!(plan.contains(index) && plan.ends_with(start), "{plan}");
            assert!(!plan.contains(';'), "more than a search: {plan}");
        }
    }
}
