use std::ops::BitOr;

use berth_spec::RepositoryName;

use crate::credentials::Credentials;
use crate::names::shortened;
use crate::{Access, Action, Actions, Identity};

/// What a request brings to prove who asks.
#[derive(Clone, Copy, Default)]
pub struct Presented<'a> {
    /// The bytes of the header `Authorization`, as they came.
    pub authorization: Option<&'a [u8]>,
    /// The common name of the client certificate, which TLS has verified. The header goes before it.
    pub certificate: Option<&'a str>,
}

/// Who asks, and how far the credential reaches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// Who asks.
    pub identity: Identity,
    /// Of a bearer token: nothing outside it may be done with the token, whatever the rules say. `None` for credentials
    /// without a scope.
    pub scope: Option<Vec<Access>>,
    /// Whether a credential was presented and is good. True for anonymous tokens too.
    pub is_proven: bool,
}

impl Presented<'_> {
    /// The name that the request says is the caller's, without any proof: for the log of refused logins, and to limit them. `None`
    /// where it says none, as with bearer tokens. Of a longer one it is the first 255 bytes. It can have any characters, so do
    /// not trust them.
    pub fn claimed_name(&self) -> Option<String> {
        let name = match self.authorization {
            None => self.certificate.map(certificate_name),
            Some(authorization) => match Credentials::parse(authorization)? {
                Credentials::Basic { name, .. } => Some(name),
                Credentials::Bearer(_) => None,
            },
        };
        name.map(shortened)
    }
}

/// The name of the identity that a client certificate proves.
pub(crate) fn certificate_name(common_name: &str) -> String {
    format!("certificate:{common_name}")
}

impl Caller {
    /// Somebody who presented nothing.
    pub fn anonymous() -> Self {
        Self {
            identity: Identity::Anonymous,
            scope: None,
            is_proven: false,
        }
    }

    /// Somebody whose credential is good, and reaches as far as the rules do.
    pub fn proven(identity: Identity) -> Self {
        Self {
            identity,
            scope: None,
            is_proven: true,
        }
    }

    /// Whether the credential reaches to this action in this repository. No client asks for a token for [`Action::Admin`], which
    /// lets somebody push or delete what others may not: so one for either will do.
    pub fn reaches(&self, repository: &RepositoryName, action: Action) -> bool {
        let scope = self.scope_in(repository);
        match action {
            Action::Admin => scope.contains(Action::Push) || scope.contains(Action::Delete),
            action => scope.contains(action),
        }
    }

    /// What the scope lists for this repository.
    pub(crate) fn scope_in(&self, repository: &RepositoryName) -> Actions {
        let Some(scope) = &self.scope else {
            return Actions::ALL;
        };
        let actions = scope.iter().map(|access| match access {
            Access::Repository { name, actions } if name == repository => *actions,
            Access::Repository { .. } | Access::Catalog => Actions::NONE,
        });
        actions.fold(Actions::NONE, BitOr::bitor)
    }

    /// Whether the credential reaches to the list of repositories.
    pub fn reaches_catalog(&self) -> bool {
        let scope = self.scope.as_ref();
        scope.is_none_or(|scope| scope.contains(&Access::Catalog))
    }
}

/// Without the secret in the header.
impl std::fmt::Debug for Presented<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut shown = formatter.debug_struct("Presented");
        shown.field("has_authorization", &self.authorization.is_some());
        shown.field("certificate", &self.certificate);
        shown.finish()
    }
}
