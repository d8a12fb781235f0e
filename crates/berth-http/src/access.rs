//! What each route needs to be allowed.

use berth_auth::{Access, Action, Actions};
use berth_route::{MountFrom, Route, StartUpload};
use berth_spec::RepositoryName;

/// What a request must be allowed, before anything is looked at that is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Required<'a> {
    /// To have shown a credential, or a token that was given to somebody without one.
    Proof,
    /// To see some of the names of the repositories.
    Catalog,
    /// To do something in a repository.
    Action(&'a RepositoryName, Action),
}

/// What a route needs.
pub(crate) fn required(route: &Route) -> Required<'_> {
    let (repository, action) = match route {
        Route::Base => return Required::Proof,
        Route::Catalog(_) => return Required::Catalog,
        Route::ListTags { repository, .. }
        | Route::ListReferrers { repository, .. }
        | Route::GetManifest { repository, .. }
        | Route::GetBlob { repository, .. } => (repository, Action::Pull),
        Route::PutManifest { repository, .. } | Route::StartUpload { repository, .. } => {
            (repository, Action::Push)
        }
        Route::UploadStatus(session)
        | Route::AppendUpload(session)
        | Route::FinishUpload { session, .. }
        | Route::CancelUpload(session) => (&session.repository, Action::Push),
        Route::DeleteManifest { repository, .. } | Route::DeleteBlob { repository, .. } => {
            (repository, Action::Delete)
        }
    };
    Required::Action(repository, action)
}

/// The scopes that a token for this route should have. One to push has pull too, since who pushes looks first at what
/// is there already; one to mount has pull for where the blob comes from.
pub(crate) fn scopes(route: &Route) -> Vec<Access> {
    let (repository, action) = match required(route) {
        Required::Proof => return Vec::new(),
        Required::Catalog => return vec![Access::Catalog],
        Required::Action(repository, action) => (repository, action),
    };
    let actions = match action {
        Action::Push => Actions::from(Action::Pull) | Action::Push.into(),
        action => action.into(),
    };
    let mut scopes = vec![Access::Repository {
        name: repository.clone(),
        actions,
    }];
    if let Some(from) = mount_source(route).filter(|from| *from != repository) {
        scopes.push(Access::to(from, Action::Pull));
    }
    scopes
}

/// The repository that a blob is to be mounted from.
fn mount_source(route: &Route) -> Option<&RepositoryName> {
    match route {
        Route::StartUpload {
            start:
                StartUpload::Mount {
                    from: MountFrom::Repository(from),
                    ..
                },
            ..
        } => Some(from),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::Method;

    const DIGEST: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    const SESSION: &str = "/v2/a/b/blobs/uploads/0b8d3a1e-6a5c-4f0e-9d54-5a7c3a1f2b4d";

    fn route(method: &str, url: &str) -> Route {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let (path, query) = match url.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (url, None),
        };
        Route::parse(&method, path, query).unwrap_or_else(|error| panic!("{method} {url}: {error}"))
    }

    #[test]
    fn every_route_needs_its_action_and_asks_for_its_scopes() {
        use Action::{Delete, Pull, Push};
        let manifest = format!("/v2/a/b/manifests/{DIGEST}");
        let blob = format!("/v2/a/b/blobs/{DIGEST}");
        let referrers = format!("/v2/a/b/referrers/{DIGEST}");
        let finish = format!("{SESSION}?digest={DIGEST}");
        let uploads = "/v2/a/b/blobs/uploads/";
        let pull = "repository:a/b:pull";
        let push = "repository:a/b:pull,push";
        let delete = "repository:a/b:delete";
        let mounts = |from: &str| format!("{uploads}?mount={DIGEST}{from}");
        for (method, url, action, scopes_asked) in [
            ("GET", "/v2/a/b/tags/list?n=1", Pull, pull),
            ("GET", &referrers, Pull, pull),
            ("GET", "/v2/a/b/manifests/v1", Pull, pull),
            ("HEAD", &manifest, Pull, pull),
            ("GET", &blob, Pull, pull),
            ("HEAD", &blob, Pull, pull),
            ("PUT", "/v2/a/b/manifests/v1", Push, push),
            ("PUT", &format!("{manifest}?tag=v1"), Push, push),
            ("POST", uploads, Push, push),
            ("POST", &format!("{uploads}?digest={DIGEST}"), Push, push),
            ("GET", SESSION, Push, push),
            ("PATCH", SESSION, Push, push),
            ("PUT", &finish, Push, push),
            ("DELETE", SESSION, Push, push),
            ("DELETE", "/v2/a/b/manifests/v1", Delete, delete),
            ("DELETE", &manifest, Delete, delete),
            ("DELETE", &blob, Delete, delete),
            ("POST", &mounts(""), Push, push),
            ("POST", &mounts("&from=a/b"), Push, push),
            ("POST", &mounts("&from=Not/a/name"), Push, push),
            (
                "POST",
                &mounts("&from=other/c"),
                Push,
                "repository:a/b:pull,push repository:other/c:pull",
            ),
        ] {
            let route = route(method, url);
            let repository: RepositoryName = "a/b".parse().unwrap();
            assert_eq!(
                required(&route),
                Required::Action(&repository, action),
                "{method} {url}"
            );
            let scopes: Vec<String> = scopes(&route).iter().map(ToString::to_string).collect();
            assert_eq!(scopes.join(" "), scopes_asked, "{method} {url}");
        }
    }

    #[test]
    fn the_base_asks_for_no_scope_and_the_catalog_for_its_own() {
        for method in ["GET", "HEAD"] {
            let base = route(method, "/v2/");
            assert_eq!(required(&base), Required::Proof);
            assert_eq!(scopes(&base), Vec::new());
        }
        let catalog = route("GET", "/v2/_catalog?n=5&last=a");
        assert_eq!(required(&catalog), Required::Catalog);
        assert_eq!(scopes(&catalog), vec![Access::Catalog]);
    }
}
