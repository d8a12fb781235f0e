//! Who asks, and what they may do.

mod authenticator;
mod remembered;
mod settings;
#[cfg(test)]
mod tests;

use std::fmt;

use berth_spec::RepositoryName;

use authenticator::Authenticator;
pub use settings::GateSettings;

use crate::logins::Logins;
use crate::{
    Access, Action, AuthenticationError, Caller, Challenge, Decision, Presented, RandomError,
    Rules, TokenAnswer, TokenError, TokenRequest,
};

/// Tells who asks, and whether they may do what they ask for.
pub struct Gate {
    /// `None` while the gate is open.
    guard: Option<Guard>,
}

struct Guard {
    authenticator: Authenticator,
    rules: Rules,
    challenge: Challenge,
}

impl Gate {
    /// A gate at which everybody is asked who they are.
    ///
    /// # Errors
    /// When the system gives no random bytes.
    pub fn new(settings: GateSettings) -> Result<Self, RandomError> {
        let authenticator = Authenticator {
            logins: Logins::new(settings.htpasswd, settings.accounts)?,
            bearer: settings.bearer,
        };
        let guard = Guard {
            authenticator,
            rules: settings.rules,
            challenge: settings.challenge,
        };
        Ok(Self { guard: Some(guard) })
    }

    /// A gate at which nobody is asked anything: everybody may do everything.
    pub fn open() -> Self {
        Self { guard: None }
    }

    /// Whether nobody is asked anything.
    pub fn is_open(&self) -> bool {
        self.guard.is_none()
    }

    /// Tells who asks. With a header `Authorization` that is whoever it proves, or an error; without one, whoever the
    /// client certificate names; and with neither somebody anonymous.
    ///
    /// # Errors
    /// When what was presented is not good, or cannot be verified now.
    pub async fn authenticate(
        &self,
        presented: &Presented<'_>,
    ) -> Result<Caller, AuthenticationError> {
        match &self.guard {
            Some(guard) => guard.authenticator.authenticate(presented).await,
            None => Ok(Caller::anonymous()),
        }
    }

    /// Whether the registry issues tokens itself, and so has to answer at `/token`.
    pub fn issues_tokens(&self) -> bool {
        let guard = self.guard.as_ref();
        guard.is_some_and(|guard| guard.authenticator.bearer.own.is_some())
    }

    /// Issues a token: of what is asked for, it allows what the rules let the caller do. Somebody who presents nothing
    /// gets a token too, for what anonymous callers may do.
    ///
    /// # Errors
    /// When the request cannot be understood, what proves the caller is not good, or no token can be issued now.
    pub async fn token(
        &self,
        request: TokenRequest,
        presented: &Presented<'_>,
    ) -> Result<TokenAnswer, TokenError> {
        let guard = self.guard.as_ref().ok_or_else(no_token_service)?;
        let authenticator = &guard.authenticator;
        authenticator.token(&request, presented, &guard.rules).await
    }

    /// Whether somebody may do something in a repository. Only the names count, so the decision tells nothing of
    /// what exists.
    pub fn decide(&self, caller: &Caller, repository: &RepositoryName, action: Action) -> Decision {
        let Some(guard) = &self.guard else {
            return Decision::Allowed;
        };
        let allowed = guard.rules.actions(&caller.identity, repository);
        if allowed.contains(action) {
            return match caller.reaches(repository, action) {
                true => Decision::Allowed,
                false => Decision::WiderScope,
            };
        }
        if caller.identity.is_anonymous() {
            return Decision::Authenticate;
        }
        match action {
            Action::Pull => Decision::Hidden,
            Action::Delete if !allowed.contains(Action::Pull) => Decision::Hidden,
            Action::Push | Action::Delete | Action::Admin => Decision::Denied,
        }
    }

    /// Whether [`Gate::decide`] allows it.
    pub fn may(&self, caller: &Caller, repository: &RepositoryName, action: Action) -> bool {
        self.decide(caller, repository, action) == Decision::Allowed
    }

    /// Whether somebody may pull from every repository, whatever its name.
    pub fn may_pull_everywhere(&self, caller: &Caller) -> bool {
        let rules = self.guard.as_ref().map(|guard| &guard.rules);
        rules.is_none_or(|rules| {
            caller.scope.is_none() && rules.allow_pull_everywhere(&caller.identity)
        })
    }

    /// Whether somebody may see that the registry speaks the API (end-1, `/v2/`). Nobody who has presented nothing may,
    /// whatever the rules say: there clients learn how to authenticate, and `docker login` tries a password.
    pub fn decide_base(&self, caller: &Caller) -> Decision {
        match self.is_open() || caller.is_proven {
            true => Decision::Allowed,
            false => Decision::Authenticate,
        }
    }

    /// Whether somebody may list repositories: those for which [`Gate::may_list`] says so.
    pub fn decide_catalog(&self, caller: &Caller) -> Decision {
        let Some(guard) = &self.guard else {
            return Decision::Allowed;
        };
        let is_anonymous = caller.identity.is_anonymous();
        if is_anonymous && !guard.rules.allow_pull_somewhere(&caller.identity) {
            return Decision::Authenticate;
        }
        match caller.reaches_catalog() {
            true => Decision::Allowed,
            false => Decision::WiderScope,
        }
    }

    /// Whether the list of repositories shows this one to somebody for whom [`Gate::decide_catalog`] allows it: whether the rules
    /// let them pull from it. A token for the list has no scope in the repositories.
    pub fn may_list(&self, caller: &Caller, repository: &RepositoryName) -> bool {
        let rules = self.guard.as_ref().map(|guard| &guard.rules);
        rules.is_none_or(|rules| {
            let allowed = rules.actions(&caller.identity, repository);
            allowed.contains(Action::Pull)
        })
    }

    /// How the names begin of which [`Gate::may_list`] may be true, in byte order, so that no others need be looked at.
    pub fn list_prefixes(&self, caller: &Caller) -> Vec<String> {
        match &self.guard {
            Some(guard) => guard.rules.pull_prefixes(&caller.identity),
            None => vec![String::new()],
        }
    }

    /// Whether [`Gate::may_list`] is true for every repository, whatever its name.
    pub fn may_list_everything(&self, caller: &Caller) -> bool {
        let rules = self.guard.as_ref().map(|guard| &guard.rules);
        rules.is_none_or(|rules| rules.allow_pull_everywhere(&caller.identity))
    }

    /// The values of `WWW-Authenticate` in a 401.
    ///
    /// - `base_url`: scheme and host by which the client knows the registry, such as `https://registry.example.com`
    /// - `wanted`: what the request needs, for the scope of a token; empty for `/v2/`
    /// - `error`: `insufficient_scope` for [`Decision::WiderScope`], `invalid_token` when the token is not good
    pub fn challenges(
        &self,
        base_url: &str,
        wanted: &[Access],
        error: Option<&str>,
    ) -> Vec<String> {
        let guard = self.guard.iter();
        let header = |guard: &Guard| guard.challenge.header(base_url, wanted, error);
        guard.map(header).collect()
    }
}

fn no_token_service() -> TokenError {
    TokenError::InvalidRequest("this registry issues no tokens".to_owned())
}

impl fmt::Debug for Gate {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = formatter.debug_struct("Gate");
        shown.field("is_open", &self.is_open());
        shown.finish_non_exhaustive()
    }
}
