//! What one caller may do, and what becomes of requests for more.

use berth_auth::{Action, Caller, Decision, Gate};
use berth_registry::Authority;
use berth_route::{MountFrom, Route, StartUpload};
use berth_spec::RepositoryName;

use crate::access::{Required, required};
use crate::blobs::Audience;

/// What the caller of one request may do.
#[derive(Clone, Copy)]
pub(crate) struct Rights<'a> {
    pub(crate) gate: &'a Gate,
    pub(crate) caller: &'a Caller,
}

impl Rights<'_> {
    /// What becomes of a request for this route.
    pub(crate) fn decide(&self, route: &Route) -> Decision {
        match required(route) {
            Required::Proof => self.gate.decide_base(self.caller),
            Required::Catalog => self.gate.decide_catalog(self.caller),
            Required::Action(repository, action) => {
                self.gate.decide(self.caller, repository, action)
            }
        }
    }

    /// Whether the route is a mount from a repository from which the caller may not pull.
    pub(crate) fn is_mount_from_hidden(&self, route: &Route) -> bool {
        match route {
            Route::StartUpload {
                start:
                    StartUpload::Mount {
                        from: from @ MountFrom::Repository(_),
                        ..
                    },
                ..
            } => !self.may_mount(from),
            _ => false,
        }
    }

    /// The route without what the caller may not have: a mount from where they may not pull is one from nowhere, and
    /// so becomes an upload.
    pub(crate) fn narrow(&self, route: Route) -> Route {
        match route {
            Route::StartUpload {
                repository,
                start: StartUpload::Mount { digest, from },
            } if !self.may_mount(&from) => Route::StartUpload {
                repository,
                start: StartUpload::Mount {
                    digest,
                    from: MountFrom::Nowhere,
                },
            },
            route => route,
        }
    }

    fn may_mount(&self, from: &MountFrom) -> bool {
        match from {
            MountFrom::Nowhere => true,
            MountFrom::Anywhere => self.gate.may_pull_everywhere(self.caller),
            MountFrom::Repository(from) => self.gate.may(self.caller, from, Action::Pull),
        }
    }

    /// Whether the caller may move and delete tags that are immutable. Where nobody is asked who they are, nobody may.
    pub(crate) fn authority(&self, repository: &RepositoryName) -> Authority {
        let is_asked = !self.gate.is_open();
        match is_asked && self.gate.may(self.caller, repository, Action::Admin) {
            true => Authority::Admin,
            false => Authority::Ordinary,
        }
    }

    /// Who else may have what is in this repository.
    pub(crate) fn audience(&self, repository: &RepositoryName) -> Audience {
        match self
            .gate
            .may(&Caller::anonymous(), repository, Action::Pull)
        {
            true => Audience::Everybody,
            false => Audience::Caller,
        }
    }

    /// Whether the list of repositories shows all of them to the caller.
    pub(crate) fn may_list_everything(&self) -> bool {
        self.gate.may_list_everything(self.caller)
    }

    /// How the names of those begin that it may show.
    pub(crate) fn list_prefixes(&self) -> Vec<String> {
        self.gate.list_prefixes(self.caller)
    }

    /// Whether the list of repositories shows this one to the caller.
    pub(crate) fn may_list(&self, repository: &RepositoryName) -> bool {
        self.gate.may_list(self.caller, repository)
    }
}
