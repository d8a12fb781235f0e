use std::sync::Arc;
use std::time::{Duration, Instant};

use berth_auth::Caller;
use berth_registry::{MemoryBlobs, MemoryMetadata, Registry, RegistryError};
use berth_route::{Route, RouteError};
use http::request::Parts;
use http::{HeaderValue, Request, Response, StatusCode, Version};
use hyper::body::Incoming;
use tracing::{Instrument, info_span};

use crate::audit_trail::{Audit, AuditTrail, Entry};
use crate::changes::{BrokeOff, Changes};
use crate::connection::Connection;
use crate::dispatch::{Served, dispatch};
use crate::enforcement::{Enforcement, View, Visitor};
use crate::errors::{self, Failure};
use crate::head::Head;
use crate::large_bodies::LargeBodies;
use crate::lists::ListScans;
use crate::request_body::{Drains, RequestBody};
use crate::request_log::{Answered, LoggedBody, RequestLine, request_id};
use crate::responses::{API_VERSION, Answer, REQUEST_ID, ResponseBody};
use crate::rights::Rights;
use crate::{Limits, Origins, Setup, token_endpoint};

/// What all requests share.
pub(crate) struct Service {
    pub(crate) registry: Registry,
    /// What somebody sees who may not see the registry: one that holds nothing, with the same settings. What it answers about
    /// a repository is what the registry answers about one that does not exist, since the same code answers.
    nothing: Registry,
    pub(crate) enforcement: Enforcement,
    pub(crate) audit: Option<Audit>,
    pub(crate) changes: Changes,
    pub(crate) limits: Limits,
    pub(crate) origins: Origins,
    pub(crate) large_bodies: LargeBodies,
    drains: Drains,
    scans: ListScans,
}

/// What a request is for.
enum Target {
    /// The API of the specification.
    Registry(Result<Route, RouteError>),
    /// A token.
    Token,
}

impl Service {
    pub(crate) fn new(setup: Setup) -> Self {
        let nothing = Registry::new(
            Arc::new(MemoryMetadata::default()),
            Arc::new(MemoryBlobs::default()),
            setup.registry.settings().clone(),
        );
        Self {
            registry: setup.registry,
            nothing,
            enforcement: Enforcement::new(setup.gate, &setup.limits.throttle),
            audit: setup.audit.map(Audit::new),
            changes: Changes::new(),
            limits: setup.limits,
            origins: setup.origins,
            large_bodies: LargeBodies::new(),
            drains: Drains::new(),
            scans: ListScans::new(),
        }
    }

    /// Whether requests over this connection may bring their own id. Where there are proxies, these do. Where there are
    /// none, clients may if nobody asks who they are: else one could give its requests the id of somebody else's, and the
    /// log and the audit could not tell them apart.
    fn believes_ids_of(&self, connection: &Connection) -> bool {
        match self.origins.trusted_proxies.is_empty() {
            true => self.enforcement.gate.is_open(),
            false => {
                let peer = connection.peer.ip().to_canonical();
                self.origins.is_trusted(peer)
            }
        }
    }

    fn target(&self, parts: &Parts) -> Target {
        let path = parts.uri.path();
        match path == token_endpoint::PATH && self.enforcement.gate.issues_tokens() {
            true => Target::Token,
            false => Target::Registry(Route::parse(&parts.method, path, parts.uri.query())),
        }
    }
}

impl Target {
    /// A short name for logs, without anything that the request chose.
    fn name(&self) -> &'static str {
        match self {
            Self::Registry(route) => route.as_ref().map_or("none", Route::name),
            Self::Token => "token",
        }
    }
}

/// Serves one request, whatever it is. It is under way as soon as this is called.
pub(crate) fn serve_request(
    service: Arc<Service>,
    connection: Arc<Connection>,
    request: Request<Incoming>,
) -> impl Future<Output = Response<LoggedBody>> {
    let under_way = connection.activity.begin();
    let started = Instant::now();
    let id = request_id(request.headers(), service.believes_ids_of(&connection));
    let span = info_span!("request", id = id.to_str().unwrap_or_default());
    let (parts, body) = RequestBody::of(request, service.limits.body_timeout, &service.drains);
    let target = service.target(&parts);
    let origin = service.origins.origin(&connection, &parts);
    // From here on the line is written, even if the client goes away before there is an answer.
    let mut line = RequestLine {
        span,
        client: connection.text_of(origin.client()),
        path: parts.uri.path().to_owned(),
        method: parts.method.clone(),
        route: target.name(),
        started,
        identity: None,
        permit: None,
        answered: None,
        under_way,
    };
    // The request itself is in pieces by now: a future that began with it would have both, and is moved about before it begins.
    async move {
        let head = Head {
            parts: &parts,
            connection: &connection,
            origin: &origin,
            id: &id,
        };
        let trail = AuditTrail {
            audit: service.audit.as_ref(),
            head: &head,
        };
        let span = line.span.clone();
        let outcome = async {
            match target {
                Target::Registry(route) => {
                    let asked = Asked {
                        connection: &connection,
                        trail,
                        body,
                    };
                    handle(&service, asked, route, &mut line).await
                }
                Target::Token => Box::pin(give_token(&service, trail, body, &mut line)).await,
            }
        };
        let outcome = outcome.instrument(span).await;
        let answer =
            outcome.unwrap_or_else(|failure| line.span.in_scope(|| errors::answer(&failure)));
        let response = answer
            .located_from(&origin)
            .header(API_VERSION, "registry/2.0")
            .header(REQUEST_ID, id)
            .answering(&parts.method)
            .into_response();
        line.answered = Some(Answered::new(response.status()));
        if parts.version == Version::HTTP_2 {
            // Over HTTP/1.1, the connection itself shows whether the client takes what it is sent.
            line.under_way
                .watch(patience(&service.limits, response.body()));
        }
        response.map(|body| LoggedBody::new(body, line))
    }
}

/// A request, and where it came from.
struct Asked<'a> {
    connection: &'a Arc<Connection>,
    trail: AuditTrail<'a>,
    body: RequestBody,
}

/// Lets the caller in, decides, and only then does anything that touches what is stored.
async fn handle(
    service: &Arc<Service>,
    asked: Asked<'_>,
    route: Result<Route, RouteError>,
    line: &mut RequestLine,
) -> Result<Answer, Failure> {
    let enforcement = &service.enforcement;
    let trail = asked.trail;
    let Visitor { caller, permit } = enforcement.admit(trail, route.as_ref().ok()).await?;
    line.identity = caller.identity.name().map(str::to_owned);
    line.permit = Some(permit);
    let route = route?;
    if trail
        .head
        .is_from_elsewhere(&service.origins, &enforcement.gate)
    {
        let status = StatusCode::FORBIDDEN;
        trail.refused(&caller.identity, &route, status).await;
        return Err(Failure::FromElsewhere);
    }
    let rights = Rights {
        gate: &enforcement.gate,
        caller: &caller,
    };
    let view = enforcement.decide(trail, rights, &route).await?;
    let identity = &caller.identity;
    let (registry, entry) = match view {
        View::Nothing => (&service.nothing, trail.hidden(identity, &route)),
        View::Registry if rights.is_mount_from_hidden(&route) => {
            (&service.registry, trail.hidden_mount(identity, &route))
        }
        View::Registry => {
            if let Some(entry) = trail.change(identity, &route)? {
                let route = rights.narrow(route);
                let changing = change(service, asked, (caller, route, entry), line);
                return Box::pin(changing).await;
            }
            (&service.registry, None)
        }
    };
    let route = rights.narrow(route);
    let served = Served {
        registry,
        large_bodies: &service.large_bodies,
        scans: &service.scans,
    };
    let dispatched = || dispatch(served, rights, trail.head, &route, asked.body);
    match entry {
        Some(entry) => Box::pin(noted(dispatched(), entry)).await,
        None => dispatched().await,
    }
}

/// Answers what comes of a request, which the audit log then has.
async fn noted(
    dispatched: impl Future<Output = Result<Answer, Failure>>,
    entry: Entry,
) -> Result<Answer, Failure> {
    let outcome = dispatched.await;
    let answer = outcome.unwrap_or_else(|failure| errors::answer(&failure));
    entry.end(answer.status(), None).await;
    Ok(answer)
}

/// Carries out a change that is recorded. It goes on if the client goes away, so that what is recorded is what came of it;
/// a body of which the rest does not come ends it.
async fn change(
    service: &Arc<Service>,
    asked: Asked<'_>,
    (caller, route, entry): (Caller, Route, Entry),
    line: &mut RequestLine,
) -> Result<Answer, Failure> {
    let Asked {
        connection,
        trail,
        body,
    } = asked;
    let head = trail.head;
    let (parts, origin, id) = (head.parts.clone(), head.origin.clone(), head.id.clone());
    let (service, connection) = (Arc::clone(service), Arc::clone(connection));
    let changes = service.changes.clone();
    // The client counts as served as long as its change goes on.
    let permit = line.permit.take();
    let work = async move {
        let id: HeaderValue = id;
        let head = Head {
            parts: &parts,
            connection: &connection,
            origin: &origin,
            id: &id,
        };
        let rights = Rights {
            gate: &service.enforcement.gate,
            caller: &caller,
        };
        let served = Served {
            registry: &service.registry,
            large_bodies: &service.large_bodies,
            scans: &service.scans,
        };
        let outcome = dispatch(served, rights, &head, &route, body).await;
        let answer = outcome.unwrap_or_else(|failure| errors::answer(&failure));
        entry.end(answer.status(), answer.told_digest()).await;
        (answer, permit)
    };
    match changes.carry_out(Box::pin(work)).await {
        Ok((answer, permit)) => {
            line.permit = permit;
            Ok(answer)
        }
        Err(BrokeOff) => Err(RegistryError::Interrupted.into()),
    }
}

/// Gives the caller a token, if it may have one.
async fn give_token(
    service: &Service,
    trail: AuditTrail<'_>,
    body: RequestBody,
    line: &mut RequestLine,
) -> Result<Answer, Failure> {
    let enforcement = &service.enforcement;
    line.permit = Some(enforcement.admit_anyone(trail.head)?);
    let token = token_endpoint::token(enforcement, trail, body, &service.large_bodies).await;
    if let Ok(token) = &token {
        line.identity = token.identity.name().map(str::to_owned);
    }
    Ok(token_endpoint::answer(&trail.head.parts.method, token))
}

/// For how long a client may take nothing of an answer while other work goes on over its connection:
/// not long, where others wait for the room that it has.
fn patience(limits: &Limits, body: &ResponseBody) -> Duration {
    match body.has_room() {
        true => limits.write_timeout,
        false => limits.write_timeout.saturating_mul(10),
    }
}
