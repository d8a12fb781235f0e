use berth_metadata::sql::pages::{repositories_page, tags_page};
use berth_metadata::sql::rows::{ReferrerRow, parse_all, referrer, referrer_bytes};
use berth_metadata::sql::schema::manifests;
use berth_metadata::{Referrer, ReferrerLimits};
use berth_spec::{Digest, RepositoryName, Tag};
use diesel::dsl::sql;
use diesel::pg::{Pg, PgConnection, PgRowByRowLoadingMode};
use diesel::prelude::*;
use diesel::sql_types::{Bool, Text};

use crate::failure::Failure;
use crate::{repositories as repository_rows, texts};

/// Names of repositories after `last`.
pub(crate) fn repositories(
    connection: &mut PgConnection,
    last: &str,
    limit: u32,
) -> Result<Vec<RepositoryName>, Failure> {
    let names: Vec<String> = repositories_page(texts::after(last), limit).load(connection)?;
    Ok(parse_all(&names)?)
}

/// Tags of a repository after `last`; `None` if there is no such repository.
pub(crate) fn tags(
    connection: &mut PgConnection,
    repository: &RepositoryName,
    last: &str,
    limit: u32,
) -> Result<Option<Vec<Tag>>, Failure> {
    let Some(repository_id) = repository_rows::find(connection, repository)? else {
        return Ok(None);
    };
    let names: Vec<String> =
        tags_page(repository_id, texts::after(last), limit).load(connection)?;
    Ok(parse_all(&names).map(Some)?)
}

/// Manifests that name `subject`, after the digest `last`.
pub(crate) fn referrers(
    connection: &mut PgConnection,
    repository: &RepositoryName,
    subject: &Digest,
    artifact_type: Option<&str>,
    last: &str,
    limits: ReferrerLimits,
) -> Result<Vec<Referrer>, Failure> {
    let Some(repository_id) = repository_rows::find(connection, repository)? else {
        return Ok(Vec::new());
    };
    let page = referrers_page(repository_id, subject, artifact_type, last, limits.count);
    let mut referrers = Vec::new();
    let mut bytes = 0;
    // Row by row: together, the annotations of a page could fill the memory.
    for row in page.load_iter::<ReferrerRow, PgRowByRowLoadingMode>(connection)? {
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
    artifact_type: Option<&str>,
    last: &'a str,
    limit: u32,
) -> diesel::dsl::IntoBoxed<'a, diesel::dsl::Select<manifests::table, ReferrerColumns>, Pg> {
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
    let Some(artifact_type) = artifact_type.map(texts::artifact_type) else {
        return page;
    };
    let artifact_type = artifact_type.into_owned();
    // What the index has of it.
    let start = sql::<Bool>("left(artifact_type, 255) = left(")
        .bind::<Text, _>(artifact_type.clone())
        .sql(", 255)");
    page.filter(start)
        .filter(manifests::artifact_type.eq(artifact_type))
}

#[cfg(test)]
mod tests {
    use berth_metadata::sql::pages::{blobs_page, condemned_page, is_unused, rest_of_repository};
    use berth_metadata::sql::schema::blobs;
    use diesel::sql_types::BigInt;

    use super::*;
    use crate::inspection::REPOSITORIES_AFTER;
    use crate::plan::Planner;
    use crate::test_server::TestServer;

    #[test]
    fn every_page_is_found_by_an_index_in_its_order() {
        let server = TestServer::shared();
        let mut planner = Planner::new(&server);
        let subject = Digest::sha256(b"");
        for (plan, index) in [
            (
                planner.plan(&repositories_page("a", 10)),
                "repositories_name_key",
            ),
            (planner.plan(&tags_page(1, "a", 10)), "tags_pkey"),
            (
                planner.plan(&referrers_page(1, &subject, None, "a", 10)),
                "manifests_of_subject ",
            ),
            (
                planner.plan(&referrers_page(1, &subject, Some("a/b"), "a", 10)),
                "manifests_of_subject_and_type ",
            ),
            (planner.plan(&blobs_page("a", 10)), "blobs_digest_key"),
            (planner.plan(&condemned_page("a", 1, 10)), "blobs_condemned"),
            (
                planner.plan(&rest_of_repository(1, "a", 10)),
                "manifests_repository_id_digest_key",
            ),
        ] {
            assert!(plan.contains(&format!(" using {index}")), "{plan}");
            for dear in ["Seq Scan", "Bitmap", "Sort"] {
                assert!(!plan.contains(dear), "{plan}");
            }
        }
    }

    #[test]
    fn a_page_sorts_no_more_of_a_repository_than_it_has_room_for() {
        let server = TestServer::shared();
        let page = diesel::sql_query(REPOSITORIES_AFTER)
            .bind::<Text, _>("a")
            .bind::<BigInt, _>(10);
        let plan = Planner::new(&server).plan(&page);
        let (_, of_repository) = plan.split_once("Nested Loop").unwrap();
        assert!(!of_repository.contains("Sort"), "{plan}");
        for index in [
            "repositories_name_key",
            "manifests_repository_id_digest_key",
        ] {
            assert!(of_repository.contains(&format!(" using {index}")), "{plan}");
        }
    }

    #[test]
    fn whether_a_blob_is_unused_is_found_by_indexes() {
        let server = TestServer::shared();
        let unused = blobs::table
            .filter(blobs::digest.gt("a"))
            .filter(is_unused(1))
            .select(blobs::id);
        let plan = Planner::new(&server).plan(&unused);
        for index in ["manifest_blobs_of_blob", "repository_blobs_of_blob"] {
            assert!(plan.contains(&format!(" using {index}")), "{plan}");
        }
    }
}
