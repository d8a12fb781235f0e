use std::fmt;
use std::sync::Arc;

use berth_spec::RepositoryName;

use crate::caller::certificate_name;
use crate::credentials::Credentials;
use crate::logins::Logins;
use crate::{
    Access, Accounts, Action, AuthenticationError, Caller, Challenge, Decision, Htpasswd, Identity,
    Presented, RandomError, Rules,
};

/// What a [`Gate`] is made of. What is `None` is off.
#[derive(Clone, Default)]
pub struct GateSettings {
    /// Names and password hashes in a file. Somebody has to [watch](Htpasswd::watch) it.
    pub htpasswd: Option<Arc<Htpasswd>>,
    /// The users and robot tokens that the registry itself keeps. A user whose name is in the file too is that of the file.
    pub accounts: Option<Arc<dyn Accounts>>,
    /// Who may do what.
    pub rules: Rules,
    /// How clients are told to authenticate.
    pub challenge: Challenge,
}

/// Tells who asks, and whether they may do what they ask for.
pub struct Gate {
    /// `None` while the gate is open.
    guard: Option<Guard>,
}

struct Guard {
    logins: Logins,
    rules: Rules,
    challenge: Challenge,
}

impl Gate {
    /// A gate at which everybody is asked who they are.
    ///
    /// # Errors
    /// When the system gives no random bytes.
    pub fn new(settings: GateSettings) -> Result<Self, RandomError> {
        let guard = Guard {
            logins: Logins::new(settings.htpasswd, settings.accounts)?,
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
        let Some(guard) = &self.guard else {
            return Ok(Caller::anonymous());
        };
        match (presented.authorization, presented.certificate) {
            (Some(header), _) => guard.authenticate(header).await,
            (None, Some(name)) => Ok(Caller::proven(Identity::named(certificate_name(name)))),
            (None, None) => Ok(Caller::anonymous()),
        }
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

impl Guard {
    async fn authenticate(&self, header: &[u8]) -> Result<Caller, AuthenticationError> {
        let credentials = Credentials::parse(header).ok_or(AuthenticationError::Malformed)?;
        let named = match &credentials {
            Credentials::Basic { name, password } => {
                match self.logins.with_robot_secret(password).await? {
                    Some(robot) => robot,
                    None => self.logins.with_password(name, password).await?,
                }
            }
            Credentials::Bearer(token) => {
                let robot = self.logins.with_robot_secret(token).await?;
                robot.ok_or(AuthenticationError::Invalid)?
            }
        };
        Ok(Caller::proven(Identity::Named(named)))
    }
}

impl fmt::Debug for Gate {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = formatter.debug_struct("Gate");
        shown.field("is_open", &self.is_open());
        shown.finish_non_exhaustive()
    }
}

impl fmt::Debug for GateSettings {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = formatter.debug_struct("GateSettings");
        shown.field("htpasswd", &self.htpasswd);
        shown.field("has_accounts", &self.accounts.is_some());
        shown.field("rules", &self.rules);
        shown.field("challenge", &self.challenge);
        shown.finish()
    }
}
