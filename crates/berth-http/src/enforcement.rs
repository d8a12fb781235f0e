//! Who is let in, and to what: all that is decided about a request before anything is looked at that is stored.

use berth_auth::{AuthenticationError, Caller, Decision, Gate, Identity};
use berth_route::Route;

use crate::access::{self, Required};
use crate::errors::Failure;
use crate::head::Head;
use crate::refusals::{Denied, Unauthorized};
use crate::rights::Rights;
use crate::throttle::{ClientKey, LoginGuard, Permit, Refused, Throttle, ThrottleSettings};

/// What decides about requests.
pub(crate) struct Enforcement {
    pub(crate) gate: Gate,
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

impl Enforcement {
    pub(crate) fn new(gate: Gate, limits: &ThrottleSettings) -> Self {
        Self {
            gate,
            throttle: Throttle::new(limits),
            logins: LoginGuard::new(limits),
        }
    }

    /// Tells who asks, and whether they ask too often. `route` is what they ask for, for the challenge.
    pub(crate) async fn admit(
        &self,
        head: &Head<'_>,
        route: Option<&Route>,
    ) -> Result<Visitor, Failure> {
        let caller = self.authenticate(head).await;
        let nobody = Identity::Anonymous;
        let identity = caller.as_ref().map_or(&nobody, |caller| &caller.identity);
        let permit = self
            .throttle
            .admit(&ClientKey::of(identity, head.client()))?;
        match caller {
            Ok(caller) => Ok(Visitor { caller, permit }),
            Err(Failure::Authentication(error)) => Err(self.not_authenticated(head, route, error)),
            Err(failure) => Err(failure),
        }
    }

    /// Whether they ask too often, whoever they are.
    pub(crate) fn admit_anyone(&self, head: &Head<'_>) -> Result<Permit, Refused> {
        let client = ClientKey::of(&Identity::Anonymous, head.client());
        self.throttle.admit(&client)
    }

    async fn authenticate(&self, head: &Head<'_>) -> Result<Caller, Failure> {
        if self.gate.is_open() {
            return Ok(Caller::anonymous());
        }
        let presented = head.presented();
        let login = presented.login_name();
        let Some(name) = login else {
            return Ok(self.gate.authenticate(&presented).await?);
        };
        self.logins.check(head.client(), &name)?;
        let caller = self.gate.authenticate(&presented).await;
        match &caller {
            Ok(_) => self.logins.succeeded(head.client(), &name),
            Err(AuthenticationError::Invalid) => self.logins.failed(head.client(), &name),
            Err(_) => {}
        }
        Ok(caller?)
    }

    /// The answer to somebody of whom nobody knows who it is.
    fn not_authenticated(
        &self,
        head: &Head<'_>,
        route: Option<&Route>,
        error: AuthenticationError,
    ) -> Failure {
        let is_bearer = head.has_bearer_token();
        match error {
            AuthenticationError::Invalid | AuthenticationError::Expired if is_bearer => {
                self.unauthorized(head, route, error.to_string(), Some("invalid_token"))
            }
            AuthenticationError::Invalid
            | AuthenticationError::Expired
            | AuthenticationError::Malformed => {
                self.unauthorized(head, route, error.to_string(), None)
            }
            error @ (AuthenticationError::TooManyAttempts { .. }
            | AuthenticationError::Store(_)) => error.into(),
        }
    }

    /// Decides what becomes of a request.
    pub(crate) fn decide(
        &self,
        head: &Head<'_>,
        rights: Rights<'_>,
        route: &Route,
    ) -> Result<View, Failure> {
        let route_asked = Some(route);
        match rights.decide(route) {
            Decision::Allowed => Ok(View::Registry),
            Decision::Hidden => Ok(View::Nothing),
            Decision::Authenticate => {
                let reason = "this needs a name and a password, or a token; log in and try again";
                Err(self.unauthorized(head, route_asked, reason.to_owned(), None))
            }
            Decision::WiderScope => {
                let reason = "the token is not for this; get one with the scope that the challenge asks for";
                let error = Some("insufficient_scope");
                Err(self.unauthorized(head, route_asked, reason.to_owned(), error))
            }
            Decision::Denied => Err(Failure::Denied(denied(rights, route))),
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
        let challenges = self.gate.challenges(&head.base_url(), &scopes, error);
        Failure::Unauthorized(Unauthorized { reason, challenges })
    }
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
