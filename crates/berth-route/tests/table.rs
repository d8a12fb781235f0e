//! Requests and what they are.
#![allow(clippy::unwrap_used)]

use berth_route::{MountFrom, Page, Route, RouteError, Session, StartUpload};
use berth_spec::{Algorithm, Digest, ErrorCode, SessionId};
use http::Method;

const ID: &str = "6f2b0c0e-6b3b-4b53-9b0e-3d9a7f5d7f11";

fn parse(request: &str) -> Result<Route, RouteError> {
    let (method, target) = request.split_once(' ').unwrap();
    let (path, query) = match target.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (target, None),
    };
    Route::parse(&method.parse::<Method>().unwrap(), path, query)
}

fn digest() -> Digest {
    Digest::sha256(b"")
}

fn session(repository: &str) -> Session {
    Session {
        repository: repository.parse().unwrap(),
        id: ID.parse::<SessionId>().unwrap(),
    }
}

fn manifest(repository: &str, reference: &str) -> Route {
    Route::GetManifest {
        repository: repository.parse().unwrap(),
        reference: reference.parse().unwrap(),
    }
}

fn start(repository: &str, start: StartUpload) -> Route {
    Route::StartUpload {
        repository: repository.parse().unwrap(),
        start,
    }
}

fn begin(repository: &str) -> Route {
    start(repository, StartUpload::Session(Algorithm::Sha256))
}

fn tags(repository: &str, limit: Option<u32>, last: Option<&str>) -> Route {
    Route::ListTags {
        repository: repository.parse().unwrap(),
        page: Page {
            limit,
            last: last.map(str::to_owned),
        },
    }
}

#[test]
fn endpoints() {
    let digest = digest();
    let repository = || "library/alpine".parse().unwrap();
    for (request, expected) in [
        ("GET /v2".to_owned(), Route::Base),
        ("HEAD /v2/".to_owned(), Route::Base),
        (
            "GET /v2/_catalog".to_owned(),
            Route::Catalog(Page::default()),
        ),
        (
            "GET /v2/library/alpine/tags/list".to_owned(),
            tags("library/alpine", None, None),
        ),
        (
            "HEAD /v2/library/alpine/manifests/3".to_owned(),
            manifest("library/alpine", "3"),
        ),
        (
            format!("GET /v2/a/manifests/{digest}"),
            manifest("a", digest.as_str()),
        ),
        (
            "DELETE /v2/library/alpine/manifests/3".to_owned(),
            Route::DeleteManifest {
                repository: repository(),
                reference: "3".parse().unwrap(),
            },
        ),
        (
            format!("HEAD /v2/library/alpine/blobs/{digest}"),
            Route::GetBlob {
                repository: repository(),
                digest: digest.clone(),
            },
        ),
        (
            format!("DELETE /v2/library/alpine/blobs/{digest}"),
            Route::DeleteBlob {
                repository: repository(),
                digest: digest.clone(),
            },
        ),
        ("POST /v2/a/blobs/uploads/".to_owned(), begin("a")),
        ("POST /v2/a/blobs/uploads".to_owned(), begin("a")),
        (
            format!("GET /v2/a/blobs/uploads/{ID}"),
            Route::UploadStatus(session("a")),
        ),
        (
            format!("PATCH /v2/a/blobs/uploads/{ID}"),
            Route::AppendUpload(session("a")),
        ),
        (
            format!("DELETE /v2/a/blobs/uploads/{ID}"),
            Route::CancelUpload(session("a")),
        ),
        (
            format!("PUT /v2/a/blobs/uploads/{ID}?digest={digest}"),
            Route::FinishUpload {
                session: session("a"),
                digest: digest.clone(),
            },
        ),
        (
            format!(
                "GET /v2/library/alpine/referrers/{digest}?artifactType=a%2Fb%2Bc&last={digest}"
            ),
            Route::ListReferrers {
                repository: repository(),
                subject: digest.clone(),
                artifact_type: Some("a/b+c".to_owned()),
                last: Some(digest.clone()),
            },
        ),
        (
            format!("GET /v2/library/alpine/referrers/{digest}?artifactType=a/b+c"),
            Route::ListReferrers {
                repository: repository(),
                subject: digest.clone(),
                artifact_type: Some("a/b+c".to_owned()),
                last: None,
            },
        ),
    ] {
        assert_eq!(parse(&request), Ok(expected), "{request}");
    }
}

#[test]
fn names_may_have_the_words_of_endpoints_as_components() {
    let digest = digest();
    for (request, expected) in [
        (
            "GET /v2/a/blobs/uploads/manifests/v1".to_owned(),
            manifest("a/blobs/uploads", "v1"),
        ),
        (
            "GET /v2/manifests/manifests/manifests".to_owned(),
            manifest("manifests", "manifests"),
        ),
        (
            "GET /v2/tags/list/manifests/list".to_owned(),
            manifest("tags/list", "list"),
        ),
        (
            "GET /v2/a/tags/manifests/list".to_owned(),
            manifest("a/tags", "list"),
        ),
        (
            "GET /v2/a/manifests/tags/list".to_owned(),
            tags("a/manifests", None, None),
        ),
        (
            "GET /v2/tags/list/tags/list".to_owned(),
            tags("tags/list", None, None),
        ),
        (
            "GET /v2/a/blobs/uploads/tags/list".to_owned(),
            tags("a/blobs/uploads", None, None),
        ),
        (
            "POST /v2/blobs/uploads/blobs/uploads/".to_owned(),
            begin("blobs/uploads"),
        ),
        (
            "POST /v2/a/manifests/blobs/uploads".to_owned(),
            begin("a/manifests"),
        ),
        (
            "POST /v2/uploads/blobs/uploads".to_owned(),
            begin("uploads"),
        ),
        (
            format!("GET /v2/blobs/uploads/blobs/uploads/{ID}"),
            Route::UploadStatus(session("blobs/uploads")),
        ),
        (
            format!("GET /v2/a/blobs/uploads/blobs/{digest}"),
            Route::GetBlob {
                repository: "a/blobs/uploads".parse().unwrap(),
                digest: digest.clone(),
            },
        ),
        (
            "GET /v2/v2/v2/manifests/v2".to_owned(),
            manifest("v2/v2", "v2"),
        ),
    ] {
        assert_eq!(parse(&request), Ok(expected), "{request}");
    }
}

#[test]
fn percent_encoding_is_decoded_once() {
    assert_eq!(
        parse("GET /v2/a%2Fb/manifests/v%31"),
        Ok(manifest("a/b", "v1"))
    );
    assert_eq!(parse("GET /v%32/a/tags/l%69st"), Ok(tags("a", None, None)));
    let digest = digest();
    let encoded = digest.as_str().replace(':', "%3A");
    assert_eq!(
        parse(&format!("GET /v2/a/manifests/{encoded}")),
        Ok(manifest("a", digest.as_str()))
    );
    let twice = parse("GET /v2/a%252Fb/manifests/v1").unwrap_err();
    assert_eq!(twice.code(), ErrorCode::NameInvalid);
}

#[test]
fn what_is_at_no_path() {
    for path in [
        "",
        "/",
        "/v1/",
        "/v2x",
        "/v22/",
        "/V2/",
        "v2/",
        "//v2/",
        "/v2//",
        "/v2/a",
        "/v2/_catalog/",
        "/v2/a/_catalog",
        "/v2/a/tags",
        "/v2/a/tags/",
        "/v2/a/tags/list/",
        "/v2/tags/list",
        "/v2//tags/list",
        "/v2/manifests/v1",
        "/v2//manifests/v1",
        "/v2/a/manifests",
        "/v2/a/manifests/",
        "/v2/a/manifests/b/c",
        "/v2/a/manifests/b%2Fc",
        "/v2/a/blobs/",
        "/v2/a/blobs",
        "/v2/a/referrers/",
        "/v2/blobs/uploads/",
        "/v2//blobs/uploads/",
        "/v2/blobs/uploads",
        "/v2/a/blobs/uploads//",
        "/v2/a/manifests/../v1",
    ] {
        for method in [Method::GET, Method::POST, Method::PATCH] {
            let error = Route::parse(&method, path, None).unwrap_err();
            assert_eq!(error, RouteError::UnknownPath, "{method} {path}");
            assert_eq!(
                (error.status().as_u16(), error.code()),
                (404, ErrorCode::NameUnknown)
            );
        }
    }
}

#[test]
fn names_that_break_the_grammar() {
    for path in [
        "/v2/../manifests/v1",
        "/v2/a/../manifests/v1",
        "/v2/a//b/manifests/v1",
        "/v2/a//manifests/v1",
        "/v2//a/manifests/v1",
        "/v2/A/tags/list",
        "/v2/a%00b/manifests/v1",
        "/v2/%2e%2e/manifests/v1",
        "/v2/a%2F..%2Fb/blobs/uploads/",
        "/v2/%ff/tags/list",
        "/v2/_a/tags/list",
        "/v2/a%20b/tags/list",
        "/v2/a/./b/tags/list",
    ] {
        // The name is checked before the method.
        for method in [Method::GET, Method::TRACE] {
            let error = Route::parse(&method, path, None).unwrap_err();
            assert_eq!(
                (error.status().as_u16(), error.code()),
                (400, ErrorCode::NameInvalid),
                "{path}"
            );
        }
    }
}

#[test]
fn other_methods_are_told_what_there_is() {
    let digest = digest();
    for (path, allow) in [
        ("/v2/".to_owned(), "GET, HEAD"),
        ("/v2/_catalog".to_owned(), "GET"),
        ("/v2/a/tags/list".to_owned(), "GET"),
        ("/v2/a/manifests/v1".to_owned(), "GET, HEAD, PUT, DELETE"),
        (format!("/v2/a/blobs/{digest}"), "GET, HEAD, DELETE"),
        ("/v2/a/blobs/uploads/".to_owned(), "POST"),
        (
            format!("/v2/a/blobs/uploads/{ID}"),
            "GET, PATCH, PUT, DELETE",
        ),
        (format!("/v2/a/referrers/{digest}"), "GET"),
    ] {
        for method in [
            "GET", "HEAD", "PUT", "POST", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "get",
        ] {
            let allowed = allow.split(", ").any(|allowed| allowed == method);
            let result = Route::parse(
                &method.parse().unwrap(),
                &path,
                Some(&format!("digest={digest}")),
            );
            if allowed {
                assert!(result.is_ok(), "{method} {path}: {result:?}");
                continue;
            }
            let error = result.unwrap_err();
            assert_eq!(
                (error.status().as_u16(), error.code()),
                (405, ErrorCode::Unsupported),
                "{method} {path}"
            );
            assert_eq!(error.allow(), Some(allow));
            assert!(error.to_string().contains(allow));
        }
    }
}

#[test]
fn starts_of_uploads() {
    let digest = digest();
    let other = Digest::of(Algorithm::Sha512, b"");
    let mount = |from| StartUpload::Mount {
        digest: digest.clone(),
        from,
    };
    for (query, expected) in [
        (
            "digest-algorithm=sha512".to_owned(),
            StartUpload::Session(Algorithm::Sha512),
        ),
        (format!("digest={other}"), StartUpload::Whole(other.clone())),
        (
            format!("digest={other}&digest-algorithm=sha512"),
            StartUpload::Whole(other.clone()),
        ),
        (format!("mount={digest}"), mount(MountFrom::Anywhere)),
        (format!("mount={digest}&from="), mount(MountFrom::Anywhere)),
        (format!("mount={digest}&from=A"), mount(MountFrom::Nowhere)),
        (
            format!("from=b%2Fc&mount={digest}&digest={other}"),
            mount(MountFrom::Repository("b/c".parse().unwrap())),
        ),
        ("from=b".to_owned(), StartUpload::Session(Algorithm::Sha256)),
    ] {
        assert_eq!(
            parse(&format!("POST /v2/a/blobs/uploads/?{query}")),
            Ok(start("a", expected)),
            "{query}"
        );
    }
}

#[test]
fn bad_parameters() {
    let digest = digest();
    for (request, status, code) in [
        (
            "GET /v2/a/blobs/sha256:12".to_owned(),
            400,
            ErrorCode::DigestInvalid,
        ),
        (
            "GET /v2/a/blobs/latest".to_owned(),
            400,
            ErrorCode::DigestInvalid,
        ),
        (
            "GET /v2/a/manifests/md5:12".to_owned(),
            400,
            ErrorCode::DigestInvalid,
        ),
        (
            "GET /v2/a/referrers/latest".to_owned(),
            400,
            ErrorCode::DigestInvalid,
        ),
        (
            format!("GET /v2/a/referrers/{digest}?last=x"),
            400,
            ErrorCode::DigestInvalid,
        ),
        (
            "GET /v2/a/manifests/.x".to_owned(),
            404,
            ErrorCode::ManifestUnknown,
        ),
        (
            "DELETE /v2/a/manifests/.x".to_owned(),
            404,
            ErrorCode::ManifestUnknown,
        ),
        (
            "PUT /v2/a/manifests/.x".to_owned(),
            400,
            ErrorCode::ManifestInvalid,
        ),
        (
            format!("PUT /v2/a/manifests/{digest}?tag=ok&tag=.x"),
            400,
            ErrorCode::ManifestInvalid,
        ),
        (
            "PATCH /v2/a/blobs/uploads/x".to_owned(),
            404,
            ErrorCode::BlobUploadUnknown,
        ),
        (
            format!("PUT /v2/a/blobs/uploads/{ID}"),
            400,
            ErrorCode::DigestInvalid,
        ),
        (
            format!("PUT /v2/a/blobs/uploads/{ID}?digest=x"),
            400,
            ErrorCode::DigestInvalid,
        ),
        (
            "POST /v2/a/blobs/uploads/?mount=x".to_owned(),
            400,
            ErrorCode::DigestInvalid,
        ),
        (
            "POST /v2/a/blobs/uploads/?digest=x".to_owned(),
            400,
            ErrorCode::DigestInvalid,
        ),
        (
            "POST /v2/a/blobs/uploads/?digest-algorithm=md5".to_owned(),
            400,
            ErrorCode::DigestInvalid,
        ),
        (
            format!("POST /v2/a/blobs/uploads/?digest={digest}&digest-algorithm=sha512"),
            400,
            ErrorCode::DigestInvalid,
        ),
        (
            "GET /v2/a/tags/list?n=-1".to_owned(),
            400,
            ErrorCode::Unsupported,
        ),
        (
            "GET /v2/_catalog?n=".to_owned(),
            400,
            ErrorCode::Unsupported,
        ),
        (
            "GET /v2/_catalog?n=1e3".to_owned(),
            400,
            ErrorCode::Unsupported,
        ),
    ] {
        let error = parse(&request).unwrap_err();
        assert_eq!(
            (error.status().as_u16(), error.code()),
            (status, code),
            "{request}"
        );
        assert_eq!(error.allow(), None);
    }
}

#[test]
fn pages() {
    for (query, limit, last) in [
        ("n=0", Some(0), None),
        ("n=5&last=v1", Some(5), Some("v1")),
        ("n=99999999999999999999999999", Some(u32::MAX), None),
        ("last=", None, Some("")),
        ("last=a%00b&n=007", Some(7), Some("a\0b")),
        ("n=1&n=2&unknown", Some(1), None),
    ] {
        assert_eq!(
            parse(&format!("GET /v2/a/tags/list?{query}")),
            Ok(tags("a", limit, last)),
            "{query}"
        );
    }
}

#[test]
fn tags_of_a_push_count_once_and_only_by_digest() {
    let digest = digest();
    let put = |reference: &str, tags: &[&str]| Route::PutManifest {
        repository: "a".parse().unwrap(),
        reference: reference.parse().unwrap(),
        tags: tags.iter().map(|tag| tag.parse().unwrap()).collect(),
    };
    let by_digest = parse(&format!("PUT /v2/a/manifests/{digest}?tag=b&tag=a&tag=b"));
    assert_eq!(by_digest, Ok(put(digest.as_str(), &["b", "a"])));
    assert_eq!(parse("PUT /v2/a/manifests/v1?tag=b"), Ok(put("v1", &[])));
}
