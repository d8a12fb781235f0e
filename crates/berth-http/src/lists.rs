use berth_registry::Registry;
use berth_route::{Page, url};
use berth_spec::{Descriptor, Digest, RepositoryName, Tag, media_types};
use http::StatusCode;
use serde::Serialize;
use tokio::sync::Semaphore;
use tokio::time::{Duration, timeout};

use crate::errors::Failure;
use crate::large_bodies::NoRoom;
use crate::responses::{Answer, OCI_FILTERS_APPLIED};
use crate::rights::Rights;

/// How many lists of which not everything is shown may be read at once.
const SCANS: usize = 4;

/// How long a request waits for its turn to read such a list.
const SCAN_PATIENCE: Duration = Duration::from_secs(2);

/// Bounds how many lists are read at once of which the caller sees only some: each may read all names to fill one page,
/// and anybody may ask for them.
#[derive(Debug)]
pub(crate) struct ListScans(Semaphore);

impl ListScans {
    pub(crate) fn new() -> Self {
        Self(Semaphore::new(SCANS))
    }

    /// Reads a list when it is its turn.
    ///
    /// # Errors
    /// As reading it, and when its turn does not come.
    async fn scan<T>(&self, scan: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
        let turn = timeout(SCAN_PATIENCE, self.0.acquire()).await;
        let _turn = turn.ok().and_then(Result::ok).ok_or(NoRoom)?;
        scan.await
    }
}

#[derive(Serialize)]
struct TagList<'a> {
    name: &'a RepositoryName,
    tags: &'a [Tag],
}

/// end-8a, end-8b: the tags of a repository.
pub(crate) async fn tags(
    registry: &Registry,
    repository: &RepositoryName,
    page: &Page,
) -> Result<Answer, Failure> {
    let found = registry
        .tags(repository, page.last.as_deref(), page.limit)
        .await?;
    let answer = Answer::json(
        StatusCode::OK,
        &TagList {
            name: repository,
            tags: &found.tags,
        },
    );
    Ok(match found.tags.last() {
        Some(last) if found.more => {
            answer.next_page(&url::tags(repository, &after(page, last.as_str())))
        }
        _ => answer,
    })
}

#[derive(Serialize)]
struct Catalog<'a> {
    repositories: &'a [RepositoryName],
}

/// The names of the repositories that the caller may see.
pub(crate) async fn catalog(
    registry: &Registry,
    scans: &ListScans,
    rights: Rights<'_>,
    page: &Page,
) -> Result<Answer, Failure> {
    let last = page.last.as_deref();
    let found = match rights.may_list_everything() {
        true => registry.repositories(last, page.limit).await?,
        false => {
            let is_shown = |name: &RepositoryName| rights.may_list(name);
            let prefixes = rights.list_prefixes();
            let scan = async {
                Ok(registry
                    .repositories_where(last, page.limit, &prefixes, is_shown)
                    .await?)
            };
            scans.scan(scan).await?
        }
    };
    let answer = Answer::json(
        StatusCode::OK,
        &Catalog {
            repositories: &found.repositories,
        },
    );
    Ok(match found.repositories.last() {
        Some(last) if found.more => answer.next_page(&url::catalog(&after(page, last.as_str()))),
        _ => answer,
    })
}

fn after(page: &Page, last: &str) -> Page {
    Page {
        limit: page.limit,
        last: Some(last.to_owned()),
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ImageIndex<'a> {
    schema_version: u32,
    media_type: &'static str,
    manifests: &'a [Descriptor],
}

/// end-12a, end-12b: the referrers of a manifest.
pub(crate) async fn referrers(
    registry: &Registry,
    repository: &RepositoryName,
    subject: &Digest,
    artifact_type: Option<&str>,
    last: Option<&Digest>,
) -> Result<Answer, Failure> {
    let page = registry
        .referrers(repository, subject, artifact_type, last)
        .await?;
    let index = ImageIndex {
        schema_version: 2,
        media_type: media_types::OCI_IMAGE_INDEX,
        manifests: &page.descriptors,
    };
    let mut answer = Answer::json(StatusCode::OK, &index).image_index();
    if artifact_type.is_some() {
        answer = answer.header(OCI_FILTERS_APPLIED, "artifactType");
    }
    if let Some(end) = page.descriptors.last().filter(|_| page.more) {
        let next = url::referrers(repository, subject, artifact_type, Some(&end.digest));
        answer = answer.next_page(&next);
    }
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use http::header;

    use super::*;
    use crate::errors;

    #[tokio::test(start_paused = true)]
    async fn few_lists_are_read_at_once_and_the_others_are_to_come_back() {
        let scans = ListScans::new();
        let mut under_way: Vec<_> = (0..SCANS)
            .map(|_| Box::pin(scans.scan(pending::<Result<(), Failure>>())))
            .collect();
        for scan in &mut under_way {
            assert!(timeout(Duration::ZERO, scan).await.is_err());
        }
        let refused = scans.scan(async { Ok(()) }).await.unwrap_err();
        let answer = errors::answer(&refused);
        assert_eq!(answer.status(), StatusCode::TOO_MANY_REQUESTS);
        let response = answer.into_response();
        assert!(response.headers().contains_key(header::RETRY_AFTER));
        under_way.pop();
        assert!(scans.scan(async { Ok(()) }).await.is_ok());
    }
}
