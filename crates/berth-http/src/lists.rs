use berth_registry::Registry;
use berth_route::{Page, url};
use berth_spec::{Descriptor, Digest, RepositoryName, Tag, media_types};
use http::StatusCode;
use serde::Serialize;

use crate::errors::Failure;
use crate::responses::{Answer, OCI_FILTERS_APPLIED};
use crate::rights::Rights;

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
    rights: Rights<'_>,
    page: &Page,
) -> Result<Answer, Failure> {
    let last = page.last.as_deref();
    let found = match rights.may_list_everything() {
        true => registry.repositories(last, page.limit).await?,
        false => {
            let is_shown = |name: &RepositoryName| rights.may_list(name);
            registry
                .repositories_where(last, page.limit, is_shown)
                .await?
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
