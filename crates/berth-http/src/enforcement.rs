//! Who is let in, and to what: all that is decided about a request before anything is looked at that is stored.

use std::sync::Arc;

use berth_audit::Event;
use berth_auth::{AuthenticationError, Caller, Decision, Gate, Identity, Presented};
use berth_route::Route;
use http::StatusCode;

use crate::access::{self, Required};
use crate::audit_trail::AuditTrail;
use crate::errors::Failure;
use crate::head::Head;
use crate::refusals::{Denied, Unauthorized};
use crate::rights::Rights;
use crate::throttle::{ClientKey, LoginGuard, Permit, Refused, Throttle, ThrottleSettings};

/// What decides about requests.
pub(crate) struct Enforcement {
    pub(crate) gate: Arc<Gate>,
    throttle: Throttle,
    pub(crate) logins: LoginGuard,
}

/// Somebody who was let in.
pub(crate) struct Visitor {
    pub(crate) caller: Caller,
    /// To be kept until the answer is sent.
    pub(crate) permit: Permit,
}

/// What a caller gets to see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum View {
    /// What is there.
    Registry,
    /// A registry that holds nothing: the caller may not know that there is more.
    Nothing,
}

/// Somebody of whom nobody knows who it is.
struct Unknown {
    why: Failure,
    /// The name that was tried.
    login: Option<String>,
}

impl Unknown {
    fn new(why: impl Into<Failure>, login: Option<String>) -> Self {
        let why = why.into();
        Self { why, login }
    }

    /// The status of the answer, if a credential was tried and was not good. One that was good once is no such
    /// attempt.
    fn refused_login(&self) -> Option<StatusCode> {
        match self.why {
            Failure::Refused(_) => Some(StatusCode::TOO_MANY_REQUESTS),
            Failure::Authentication(
                AuthenticationError::Invalid | AuthenticationError::Malformed,
            ) => Some(StatusCode::UNAUTHORIZED),
            _ => None,
        }
    }
}

impl Enforcement {
    pub(crate) fn new(gate: Arc<Gate>, limits: &ThrottleSettings) -> Self {
        Self {
            gate,
            throttle: Throttle::new(limits),
            logins: LoginGuard::new(limits),
        }
    }

    /// Tells who asks, and whether they ask too often. `route` is what they ask for, for the challenge.
    pub(crate) async fn admit(
        &self,
        trail: AuditTrail<'_>,
        route: Option<&Route>,
    ) -> Result<Visitor, Failure> {
        let head = trail.head;
        match self.authenticate(head).await {
            Ok(caller) => {
                let client = ClientKey::of(&caller.identity, head.client());
                let permit = self.throttle.admit(&client)?;
                Ok(Visitor { caller, permit })
            }
            Err(unknown) => {
                // Whoever is nobody counts as their address.
                let _permit = self.admit_anyone(head)?;
                if let Some(status) = unknown.refused_login() {
                    trail.login_refused(unknown.login, status).await;
                }
                Err(self.answer_unknown(head, route, unknown.why))
            }
        }
    }

    /// Whether an address asks too often.
    pub(crate) fn admit_anyone(&self, head: &Head<'_>) -> Result<Permit, Refused> {
        let client = ClientKey::of(&Identity::Anonymous, head.client());
        self.throttle.admit(&client)
    }

    async fn authenticate(&self, head: &Head<'_>) -> Result<Caller, Unknown> {
        if self.gate.is_open() {
            return Ok(Caller::anonymous());
        }
        let presented = head.presented();
        let login = presented.login_name();
        let name = login.as_deref().or_else(|| nameless(&presented));
        if let Some(name) = name
            && let Err(refused) = self.logins.check(head.client(), name)
            // Others at the same address may have used up what it may get wrong.
            && !self.gate.remembers(&presented).await
        {
            return Err(Unknown::new(refused, login));
        }
        let caller = Box::pin(self.gate.authenticate(&presented)).await;
        match (&caller, name) {
            (Ok(caller), Some(name)) => {
                self.logins.succeeded(head.client(), name, &caller.identity);
            }
            (Err(AuthenticationError::Invalid | AuthenticationError::Malformed), Some(name)) => {
                self.logins.failed(head.client(), name);
            }
            _ => {}
        }
        caller.map_err(|error| Unknown::new(error, login))
    }

    /// The answer to somebody of whom nobody knows who it is.
    fn answer_unknown(&self, head: &Head<'_>, route: Option<&Route>, why: Failure) -> Failure {
        let Failure::Authentication(error) = why else {
            return why;
        };
        let code = match error {
            AuthenticationError::TooManyAttempts { .. } | AuthenticationError::Store(_) => {
                return error.into();
            }
            AuthenticationError::Malformed => None,
            AuthenticationError::Invalid | AuthenticationError::Expired => {
                head.has_bearer_token().then_some("invalid_token")
            }
        };
        self.unauthorized(head, route, error.to_string(), code)
    }

    /// Decides what becomes of a request.
    pub(crate) async fn decide(
        &self,
        trail: AuditTrail<'_>,
        rights: Rights<'_>,
        route: &Route,
    ) -> Result<View, Failure> {
        let identity = &rights.caller.identity;
        match rights.decide(route) {
            Decision::Allowed => {
                if *route == Route::Base && rights.caller.scope.is_none() {
                    trail.logged_in(Event::Login, identity).await;
                }
                Ok(View::Registry)
            }
            Decision::Hidden => Ok(View::Nothing),
            Decision::Authenticate => {
                let why = "this needs a name and a password, or a token; log in and try again";
                Err(self.unauthorized(trail.head, Some(route), why.to_owned(), None))
            }
            Decision::WiderScope => {
                let status = StatusCode::UNAUTHORIZED;
                trail.refused(identity, route, status).await;
                let why =
                    "the token is not for this; get one with the scope that the challenge asks for";
                let code = Some("insufficient_scope");
                Err(self.unauthorized(trail.head, Some(route), why.to_owned(), code))
            }
            Decision::Denied => {
                trail.refused(identity, route, StatusCode::FORBIDDEN).await;
                Err(Failure::Denied(denied(rights, route)))
            }
        }
    }

    fn unauthorized(
        &self,
        head: &Head<'_>,
        route: Option<&Route>,
        reason: String,
        error: Option<&str>,
    ) -> Failure {
        let scopes = route.map_or(Vec::new(), access::scopes);
        let challenges = self
            .gate
            .challenges(&head.origin.base_url(), &scopes, error);
        Failure::Unauthorized(Unauthorized { reason, challenges })
    }
}

/// Under which name a header counts that cannot be read: one that nobody can have.
fn nameless(presented: &Presented<'_>) -> Option<&'static str> {
    let is_malformed = presented.authorization.is_some() && !presented.is_readable();
    is_malformed.then_some(":")
}

fn denied(rights: Rights<'_>, route: &Route) -> Denied {
    let identity = rights.caller.identity.to_string();
    match access::required(route) {
        Required::Action(repository, action) => Denied {
            identity,
            action: action.as_str(),
            place: repository.to_string(),
        },
        Required::Proof | Required::Catalog => Denied {
            identity,
            action: "list",
            place: "the registry".to_owned(),
        },
    }
}
