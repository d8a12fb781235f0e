//! The token server of the registry itself: `GET` and `POST` of `/token`.

use berth_audit::Event;
use berth_auth::{MAX_REQUEST_LENGTH, TokenAnswer, TokenError, TokenGrant, TokenRequest};
use berth_route::RouteError;
use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode, header};

use crate::audit_trail::AuditTrail;
use crate::enforcement::Enforcement;
use crate::errors::{self, Failure};
use crate::head::Head;
use crate::large_bodies::LargeBodies;
use crate::request_body::{CollectError, RequestBody};
use crate::responses::Answer;

/// Where tokens are to be had.
pub(crate) const PATH: &str = "/token";

/// Which methods it takes.
const ALLOW: &str = "GET, POST";

/// Gives the caller a token, if its request says why.
pub(crate) async fn token(
    enforcement: &Enforcement,
    trail: AuditTrail<'_>,
    body: RequestBody,
    large_bodies: &LargeBodies,
) -> Result<TokenAnswer, Failure> {
    let request = read(trail.head, body, large_bodies).await?;
    let login = login_name(trail.head, &request);
    let token = issue(enforcement, trail.head, login.as_deref(), request).await;
    match &token {
        Ok(token) if login.is_some() => trail.logged_in(Event::Login, &token.identity).await,
        Ok(token) => trail.logged_in(Event::TokenIssued, &token.identity).await,
        Err(Failure::Token(TokenError::InvalidGrant)) => {
            trail.login_refused(login, StatusCode::UNAUTHORIZED).await;
        }
        Err(Failure::Refused(_)) => {
            let status = StatusCode::TOO_MANY_REQUESTS;
            trail.login_refused(login, status).await;
        }
        Err(_) => {}
    }
    token
}

async fn issue(
    enforcement: &Enforcement,
    head: &Head<'_>,
    login: Option<&str>,
    request: TokenRequest,
) -> Result<TokenAnswer, Failure> {
    let address = head.client();
    let Enforcement { gate, logins, .. } = enforcement;
    let presented = head.presented();
    if let Some(login) = login
        && let Err(refused) = logins.check(address, login)
        // Others at the same address may have used up what it may get wrong.
        && !gate.remembers_request(&request, &presented).await
    {
        return Err(refused.into());
    }
    let token = gate.token(request, &presented).await;
    match (&token, login) {
        (Ok(token), Some(login)) => logins.succeeded(address, login, &token.identity),
        (Err(TokenError::InvalidGrant), Some(login)) => logins.failed(address, login),
        _ => {}
    }
    Ok(token?)
}

/// Under which name the login counts if it fails. What is signed cannot be guessed.
fn login_name(head: &Head<'_>, request: &TokenRequest) -> Option<String> {
    match &request.grant {
        TokenGrant::Header => head.presented().login_name(),
        TokenGrant::Password { username, .. } => Some(username.clone()),
        TokenGrant::RefreshToken(_) => None,
    }
}

async fn read(
    head: &Head<'_>,
    body: RequestBody,
    large_bodies: &LargeBodies,
) -> Result<TokenRequest, Failure> {
    let parts = head.parts;
    match parts.method {
        Method::GET => {
            let query = parts.uri.query().unwrap_or_default();
            Ok(TokenRequest::from_query(query)?)
        }
        Method::POST if is_form(&parts.headers) => {
            let form = receive(body, large_bodies).await?;
            Ok(TokenRequest::from_form(&form)?)
        }
        Method::POST => {
            let why = "the body must be of the type application/x-www-form-urlencoded";
            Err(Failure::Token(TokenError::InvalidRequest(why.to_owned())))
        }
        _ => Err(Failure::Route(RouteError::Method {
            method: parts.method.clone(),
            allow: ALLOW,
        })),
    }
}

fn is_form(headers: &HeaderMap) -> bool {
    let media_type = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split(';').next());
    media_type.is_some_and(|media_type| {
        let media_type = media_type.trim();
        media_type.eq_ignore_ascii_case("application/x-www-form-urlencoded")
    })
}

async fn receive(body: RequestBody, large_bodies: &LargeBodies) -> Result<Bytes, Failure> {
    match body.collect(MAX_REQUEST_LENGTH, large_bodies).await {
        Ok((form, _)) => Ok(form),
        Err(CollectError::TooLarge) => Err(Failure::Token(TokenError::InvalidRequest(format!(
            "the request is longer than {MAX_REQUEST_LENGTH} bytes: ask for fewer repositories at a time"
        )))),
        Err(CollectError::Body(error)) => Err(Failure::Body(error)),
        Err(CollectError::NoRoom(no_room)) => Err(no_room.into()),
    }
}

/// The answer to the client. Errors are in the form that its way of asking has: that of OAuth 2.0 for `POST`, that of
/// registries for `GET`.
pub(crate) fn answer(method: &Method, token: Result<TokenAnswer, Failure>) -> Answer {
    let answer = match token {
        Ok(token) => Answer::json(StatusCode::OK, &token),
        Err(failure) => {
            let answer = errors::answer(&failure);
            match failure {
                Failure::Token(error) if method == Method::POST => answer.json_body(&error),
                _ => answer,
            }
        }
    };
    answer.header(header::CACHE_CONTROL, "no-store")
}
