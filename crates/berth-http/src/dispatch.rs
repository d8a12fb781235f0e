use berth_registry::Registry;
use berth_route::Route;
use http::request::Parts;
use http::{StatusCode, Version};

use crate::errors::Failure;
use crate::head::Head;
use crate::large_bodies::LargeBodies;
use crate::lists::ListScans;
use crate::request_body::RequestBody;
use crate::responses::Answer;
use crate::rights::Rights;
use crate::{blobs, lists, manifests, uploads};

/// What a request is about: the registry, or what the caller gets to see of it.
#[derive(Clone, Copy)]
pub(crate) struct Served<'a> {
    pub(crate) registry: &'a Registry,
    pub(crate) large_bodies: &'a LargeBodies,
    pub(crate) scans: &'a ListScans,
}

/// Does what a route says. Whether the caller may is decided before.
///
/// The future of a request is as large as that of its largest route, and is moved about when the
/// request begins. So those that are large or rare are put where they need not be moved.
pub(crate) async fn dispatch(
    served: Served<'_>,
    rights: Rights<'_>,
    head: &Head<'_>,
    route: &Route,
    body: RequestBody,
) -> Result<Answer, Failure> {
    let Served {
        registry,
        large_bodies,
        scans,
    } = served;
    let Head {
        parts, connection, ..
    } = head;
    let Parts {
        method, headers, ..
    } = parts;
    match route {
        Route::Base => Ok(base()),
        Route::Catalog(page) => {
            let list = || lists::catalog(registry, scans, rights, page);
            Box::pin(Answer::with_room(large_bodies, list)).await
        }
        Route::ListTags { repository, page } => {
            let list = || lists::tags(registry, repository, page);
            Box::pin(Answer::with_room(large_bodies, list)).await
        }
        Route::ListReferrers {
            repository,
            subject,
            artifact_type,
            last,
        } => {
            let (artifact_type, last) = (artifact_type.as_deref(), last.as_ref());
            let list = || lists::referrers(registry, repository, subject, artifact_type, last);
            Box::pin(Answer::with_room(large_bodies, list)).await
        }
        Route::GetManifest {
            repository,
            reference,
        } => {
            let manifest = || manifests::get(registry, method, headers, repository, reference);
            Answer::with_room(large_bodies, manifest).await
        }
        Route::PutManifest {
            repository,
            reference,
            tags,
        } => {
            let limit = registry.settings().manifest_size_limit;
            let content = Box::pin(manifests::receive(body, limit, large_bodies)).await?;
            let authority = rights.authority(repository);
            let pushed = manifests::put(
                registry, headers, repository, reference, tags, content, authority,
            );
            Box::pin(pushed).await
        }
        Route::DeleteManifest {
            repository,
            reference,
        } => {
            let authority = rights.authority(repository);
            manifests::delete(registry, headers, repository, reference, authority).await
        }
        Route::GetBlob { repository, digest } => {
            // HTTP/2 has frames of its own around the bytes, so it must touch them.
            let touches = parts.version >= Version::HTTP_2;
            let maps = connection.maps.as_ref().filter(|_| !touches);
            let audience = rights.audience(repository);
            blobs::get(
                registry, maps, method, headers, repository, digest, audience,
            )
            .await
        }
        Route::DeleteBlob { repository, digest } => {
            Box::pin(blobs::delete(registry, headers, repository, digest)).await
        }
        Route::StartUpload { repository, start } => {
            Box::pin(uploads::start(registry, headers, repository, start, body)).await
        }
        Route::UploadStatus(session) => uploads::status(registry, session).await,
        Route::AppendUpload(session) => {
            Box::pin(uploads::append(registry, headers, session, body)).await
        }
        Route::FinishUpload { session, digest } => {
            Box::pin(uploads::finish(registry, headers, session, digest, body)).await
        }
        Route::CancelUpload(session) => Box::pin(uploads::cancel(registry, session)).await,
    }
}

/// end-1: this is a registry.
fn base() -> Answer {
    Answer::json(StatusCode::OK, &serde_json::json!({}))
}
