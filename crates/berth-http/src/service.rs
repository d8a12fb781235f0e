use std::time::Instant;

use berth_registry::Registry;
use berth_route::Route;
use berth_sendfile::FileMaps;
use http::request::Parts;
use http::{Request, Response, StatusCode, Version};
use hyper::body::Incoming;
use tracing::{Instrument, info_span};

use crate::errors::{self, Failure};
use crate::request_body::RequestBody;
use crate::request_log::{LoggedBody, RequestLine, request_id};
use crate::responses::{API_VERSION, Answer, REQUEST_ID};
use crate::{Limits, blobs, lists, manifests, uploads};

/// Serves one request, whatever it is.
pub(crate) async fn serve_request(
    registry: &Registry,
    limits: &Limits,
    maps: &FileMaps,
    request: Request<Incoming>,
) -> Response<LoggedBody> {
    let started = Instant::now();
    let id = request_id(request.headers());
    let span = info_span!("request", id = id.to_str().unwrap_or_default());
    let (parts, body) = RequestBody::of(request, limits.body_timeout);
    let route = Route::parse(&parts.method, parts.uri.path(), parts.uri.query());
    let name = route.as_ref().map_or("none", Route::name);
    let outcome = match route {
        Ok(route) => {
            dispatch(registry, maps, &parts, &route, body)
                .instrument(span.clone())
                .await
        }
        Err(error) => Err(error.into()),
    };
    let answer = outcome.unwrap_or_else(|failure| span.in_scope(|| errors::answer(&failure)));
    let response = answer
        .header(API_VERSION, "registry/2.0")
        .header(REQUEST_ID, id)
        .into_response();
    let line = RequestLine {
        span,
        path: parts.uri.path().to_owned(),
        method: parts.method,
        route: name,
        status: response.status(),
        started,
    };
    response.map(|body| LoggedBody::new(body, line))
}

async fn dispatch(
    registry: &Registry,
    maps: &FileMaps,
    parts: &Parts,
    route: &Route,
    body: RequestBody,
) -> Result<Answer, Failure> {
    let Parts {
        method, headers, ..
    } = parts;
    match route {
        Route::Base => Ok(base()),
        Route::Catalog(page) => lists::catalog(registry, page).await,
        Route::ListTags { repository, page } => lists::tags(registry, repository, page).await,
        Route::ListReferrers {
            repository,
            subject,
            artifact_type,
            last,
        } => {
            let artifact_type = artifact_type.as_deref();
            lists::referrers(registry, repository, subject, artifact_type, last.as_ref()).await
        }
        Route::GetManifest {
            repository,
            reference,
        } => manifests::get(registry, method, headers, repository, reference).await,
        Route::PutManifest {
            repository,
            reference,
            tags,
        } => manifests::put(registry, headers, repository, reference, tags, body).await,
        Route::DeleteManifest {
            repository,
            reference,
        } => manifests::delete(registry, repository, reference).await,
        Route::GetBlob { repository, digest } => {
            // HTTP/2 has frames of its own around the bytes, so it must touch them.
            let maps = (parts.version < Version::HTTP_2).then_some(maps);
            blobs::get(registry, maps, method, headers, repository, digest).await
        }
        Route::DeleteBlob { repository, digest } => {
            blobs::delete(registry, repository, digest).await
        }
        Route::StartUpload { repository, start } => {
            uploads::start(registry, headers, repository, start, body).await
        }
        Route::UploadStatus(session) => uploads::status(registry, session).await,
        Route::AppendUpload(session) => uploads::append(registry, headers, session, body).await,
        Route::FinishUpload { session, digest } => {
            uploads::finish(registry, headers, session, digest, body).await
        }
        Route::CancelUpload(session) => uploads::cancel(registry, session).await,
    }
}

/// end-1: this is a registry.
fn base() -> Answer {
    Answer::json(StatusCode::OK, &serde_json::json!({}))
}
