use std::time::{Duration, Instant};

use berth_registry::Registry;
use berth_route::Route;
use http::request::Parts;
use http::{Request, Response, StatusCode, Version};
use hyper::body::Incoming;
use tracing::{Instrument, info_span};

use crate::connection::Connection;
use crate::errors::{self, Failure};
use crate::large_bodies::LargeBodies;
use crate::request_body::RequestBody;
use crate::request_log::{Answered, LoggedBody, RequestLine, request_id};
use crate::responses::{API_VERSION, Answer, REQUEST_ID, ResponseBody};
use crate::{Limits, Origins, Setup, blobs, lists, manifests, uploads};

/// What all requests share.
pub(crate) struct Service {
    pub(crate) registry: Registry,
    pub(crate) limits: Limits,
    pub(crate) origins: Origins,
    pub(crate) large_bodies: LargeBodies,
}

impl Service {
    pub(crate) fn new(setup: Setup) -> Self {
        Self {
            registry: setup.registry,
            limits: setup.limits,
            origins: setup.origins,
            large_bodies: LargeBodies::new(),
        }
    }
}

/// Serves one request, whatever it is.
pub(crate) async fn serve_request(
    service: &Service,
    connection: &Connection,
    request: Request<Incoming>,
) -> Response<LoggedBody> {
    let under_way = connection.activity.begin();
    let started = Instant::now();
    let id = request_id(request.headers());
    let span = info_span!("request", id = id.to_str().unwrap_or_default());
    let (parts, body) = RequestBody::of(request, service.limits.body_timeout);
    let route = Route::parse(&parts.method, parts.uri.path(), parts.uri.query());
    let origin = service.origins.origin(connection, &parts);
    // From here on the line is written, even if the client goes away before there is an answer.
    let mut line = RequestLine {
        span: span.clone(),
        client: origin.client(),
        path: parts.uri.path().to_owned(),
        method: parts.method.clone(),
        route: route.as_ref().map_or("none", Route::name),
        started,
        answered: None,
        under_way,
    };
    let outcome = match route {
        Ok(route) => {
            dispatch(service, connection, &parts, &route, body)
                .instrument(span.clone())
                .await
        }
        Err(error) => Err(error.into()),
    };
    let answer = outcome.unwrap_or_else(|failure| span.in_scope(|| errors::answer(&failure)));
    let response = answer
        .located_from(&origin)
        .header(API_VERSION, "registry/2.0")
        .header(REQUEST_ID, id)
        .into_response();
    line.answered = Some(Answered::new(response.status()));
    if parts.version == Version::HTTP_2 {
        // Over HTTP/1.1, the connection itself shows whether the client takes what it is sent.
        line.under_way
            .watch(patience(&service.limits, response.body()));
    }
    response.map(|body| LoggedBody::new(body, line))
}

async fn dispatch(
    service: &Service,
    connection: &Connection,
    parts: &Parts,
    route: &Route,
    body: RequestBody,
) -> Result<Answer, Failure> {
    let Service {
        registry,
        large_bodies,
        ..
    } = service;
    let Parts {
        method, headers, ..
    } = parts;
    match route {
        Route::Base => Ok(base()),
        Route::Catalog(page) => {
            let list = || lists::catalog(registry, page);
            Answer::with_room(large_bodies, list).await
        }
        Route::ListTags { repository, page } => {
            let list = || lists::tags(registry, repository, page);
            Answer::with_room(large_bodies, list).await
        }
        Route::ListReferrers {
            repository,
            subject,
            artifact_type,
            last,
        } => {
            let (artifact_type, last) = (artifact_type.as_deref(), last.as_ref());
            let list = || lists::referrers(registry, repository, subject, artifact_type, last);
            Answer::with_room(large_bodies, list).await
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
            let content = manifests::receive(body, limit, large_bodies).await?;
            manifests::put(registry, headers, repository, reference, tags, content).await
        }
        Route::DeleteManifest {
            repository,
            reference,
        } => manifests::delete(registry, headers, repository, reference).await,
        Route::GetBlob { repository, digest } => {
            // HTTP/2 has frames of its own around the bytes, so it must touch them.
            let touches = parts.version >= Version::HTTP_2;
            let maps = connection.maps.as_ref().filter(|_| !touches);
            blobs::get(registry, maps, method, headers, repository, digest).await
        }
        Route::DeleteBlob { repository, digest } => {
            blobs::delete(registry, headers, repository, digest).await
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

/// For how long a client may take nothing of an answer while other work goes on over its connection:
/// not long, where others wait for the room that it has.
fn patience(limits: &Limits, body: &ResponseBody) -> Duration {
    match body.has_room() {
        true => limits.write_timeout,
        false => limits.write_timeout.saturating_mul(10),
    }
}

/// end-1: this is a registry.
fn base() -> Answer {
    Answer::json(StatusCode::OK, &serde_json::json!({}))
}
