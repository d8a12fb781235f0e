use berth_route::{Route, RouteError, url};
use berth_spec::Reference;
use http::{Method, Uri};
use percent_encoding::percent_decode_str;

use crate::{grammar, parameters};

/// A request line, `<method> <path>?<query>`: whatever is taken names what its path and query
/// say, and its URL is read as the same route; whatever is refused had to be.
pub fn routes(input: &[u8]) {
    let Ok(text) = str::from_utf8(input) else {
        return;
    };
    let Some((method, target)) = text.split_once(' ') else {
        return;
    };
    let Ok(method) = method.parse::<Method>() else {
        return;
    };
    let (path, query) = parts(target);
    match Route::parse(&method, path, query) {
        Ok(route) => {
            taken(&method, path, &route);
            parameters::agree(&route, query);
        }
        Err(error) => refused(&method, path, query, &error),
    }
}

fn parts(target: &str) -> (&str, Option<&str>) {
    match target.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (target, None),
    }
}

fn taken(method: &Method, path: &str, route: &Route) {
    let url = url_of(route);
    fits_in_a_header(&url);
    let (own_path, own_query) = parts(&url);
    assert_eq!(
        Route::parse(method, own_path, own_query).as_ref(),
        Ok(route),
        "{url}"
    );
    let decoded = percent_decode_str(path).decode_utf8().unwrap();
    let ends_as_it_likes = matches!(route, Route::Base | Route::StartUpload { .. });
    match own_path.strip_suffix('/').filter(|_| ends_as_it_likes) {
        Some(short) => assert_eq!(decoded.strip_suffix('/').unwrap_or(&decoded), short),
        None => assert_eq!(decoded, own_path),
    }
    assert!(!route.name().is_empty());
}

/// A URL goes into `Location`, and in angle brackets into `Link`.
fn fits_in_a_header(url: &str) {
    let is_plain = |one: u8| one.is_ascii_graphic() && !b"<>\"\\^`{|}".contains(&one);
    assert!(url.bytes().all(is_plain), "{url:?}");
    let uri: Uri = url.parse().unwrap();
    assert_eq!(uri.to_string(), url);
}

fn url_of(route: &Route) -> String {
    match route {
        Route::Base => "/v2/".to_owned(),
        Route::Catalog(page) => url::catalog(page),
        Route::ListTags { repository, page } => url::tags(repository, page),
        Route::PutManifest {
            repository,
            reference: Reference::Digest(digest),
            tags,
        } => url::manifest_with_tags(repository, digest, tags),
        Route::GetManifest {
            repository,
            reference,
        }
        | Route::DeleteManifest {
            repository,
            reference,
        }
        | Route::PutManifest {
            repository,
            reference,
            ..
        } => url::manifest(repository, reference),
        Route::GetBlob { repository, digest } | Route::DeleteBlob { repository, digest } => {
            url::blob(repository, digest)
        }
        Route::StartUpload { repository, start } => url::start_upload(repository, start),
        Route::UploadStatus(session)
        | Route::AppendUpload(session)
        | Route::CancelUpload(session) => url::upload_session(session),
        Route::FinishUpload { session, digest } => url::finish_upload(session, digest),
        Route::ListReferrers {
            repository,
            subject,
            artifact_type,
            last,
        } => url::referrers(repository, subject, artifact_type.as_deref(), last.as_ref()),
    }
}

fn refused(method: &Method, path: &str, query: Option<&str>, error: &RouteError) {
    assert!(!error.to_string().is_empty());
    assert!(error.status().is_client_error(), "{error:?}");
    assert_eq!(error.allow().is_some(), error.status() == 405, "{error:?}");
    let is_about_the_path = matches!(
        error,
        RouteError::UnknownPath | RouteError::NotText | RouteError::Name(_)
    );
    assert!(
        !(is_about_the_path && names_something(path)),
        "{path:?} was refused: {error}"
    );
    let allowed = error.allow().into_iter().flat_map(|list| list.split(", "));
    for allowed in allowed {
        assert_ne!(allowed, method.as_str());
        let other = Route::parse(&allowed.parse().unwrap(), path, query);
        assert!(!matches!(other, Err(RouteError::Method { .. })));
    }
}

/// Whether a path is one of the specification's, with a valid name and anything as the reference.
fn names_something(path: &str) -> bool {
    let Ok(path) = percent_decode_str(path).decode_utf8() else {
        return false;
    };
    let Some(rest) = path.strip_prefix("/v2/") else {
        return path == "/v2";
    };
    if matches!(rest, "" | "_catalog") {
        return true;
    }
    let has_name_before = |text: &str, end| {
        text.strip_suffix(end)
            .is_some_and(grammar::is_repository_name)
    };
    let whole = ["/tags/list", "/blobs/uploads", "/blobs/uploads/"];
    if whole.iter().any(|end| has_name_before(rest, end)) {
        return true;
    }
    let before_reference = ["/manifests", "/blobs", "/referrers", "/blobs/uploads"];
    match rest.rsplit_once('/') {
        Some((_, "")) | None => false,
        Some((start, _)) => before_reference
            .iter()
            .any(|end| has_name_before(start, end)),
    }
}
