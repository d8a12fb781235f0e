//! Every URL that this crate makes parses to the route that it was made of, and nothing makes the
//! parser panic.
#![allow(clippy::unwrap_used)]

use berth_route::{MountFrom, Page, Route, Session, StartUpload, url};
use berth_spec::{Algorithm, Digest, Reference, RepositoryName, SessionId, Tag};
use http::Method;
use proptest::prelude::*;

fn repository() -> impl Strategy<Value = RepositoryName> {
    let component = prop_oneof![
        "[a-z0-9]{1,4}((\\.|_|__|-{1,2})[a-z0-9]{1,3}){0,2}",
        Just("blobs".to_owned()),
        Just("manifests".to_owned()),
        Just("tags".to_owned()),
        Just("uploads".to_owned()),
        Just("list".to_owned()),
        Just("referrers".to_owned()),
    ];
    prop::collection::vec(component, 1..5).prop_map(|parts| parts.join("/").parse().unwrap())
}

fn digest() -> impl Strategy<Value = Digest> {
    (any::<bool>(), any::<u64>()).prop_map(|(long, seed)| {
        let algorithm = if long {
            Algorithm::Sha512
        } else {
            Algorithm::Sha256
        };
        Digest::of(algorithm, &seed.to_le_bytes())
    })
}

fn tag() -> impl Strategy<Value = Tag> {
    "[a-zA-Z0-9_][a-zA-Z0-9._-]{0,10}|list|uploads".prop_map(|text| text.parse().unwrap())
}

fn reference() -> impl Strategy<Value = Reference> {
    prop_oneof![
        tag().prop_map(Reference::Tag),
        digest().prop_map(Reference::Digest)
    ]
}

fn page() -> impl Strategy<Value = Page> {
    (any::<Option<u32>>(), any::<Option<String>>()).prop_map(|(limit, last)| Page { limit, last })
}

fn start() -> impl Strategy<Value = StartUpload> {
    let from = prop_oneof![
        Just(MountFrom::Anywhere),
        Just(MountFrom::Nowhere),
        repository().prop_map(MountFrom::Repository),
    ];
    prop_oneof![
        prop::sample::select(Algorithm::ALL.to_vec()).prop_map(StartUpload::Session),
        digest().prop_map(StartUpload::Whole),
        (digest(), from).prop_map(|(digest, from)| StartUpload::Mount { digest, from }),
    ]
}

/// A route, with the method and URL of a request for it.
fn request() -> impl Strategy<Value = (Method, String, Route)> {
    let session = || {
        repository().prop_map(|repository| Session {
            repository,
            id: SessionId::random(),
        })
    };
    prop_oneof![
        Just((Method::GET, "/v2/".to_owned(), Route::Base)),
        page().prop_map(|page| (Method::GET, url::catalog(&page), Route::Catalog(page))),
        (repository(), page()).prop_map(|(repository, page)| {
            (
                Method::GET,
                url::tags(&repository, &page),
                Route::ListTags { repository, page },
            )
        }),
        (repository(), reference()).prop_map(|(repository, reference)| {
            let url = url::manifest(&repository, &reference);
            (
                Method::GET,
                url,
                Route::GetManifest {
                    repository,
                    reference,
                },
            )
        }),
        (repository(), reference()).prop_map(|(repository, reference)| {
            let url = url::manifest(&repository, &reference);
            (
                Method::DELETE,
                url,
                Route::DeleteManifest {
                    repository,
                    reference,
                },
            )
        }),
        (repository(), tag()).prop_map(|(repository, tag)| {
            let reference = Reference::Tag(tag);
            let url = url::manifest(&repository, &reference);
            (
                Method::PUT,
                url,
                Route::PutManifest {
                    repository,
                    reference,
                    tags: Vec::new(),
                },
            )
        }),
        (
            repository(),
            digest(),
            prop::collection::btree_set("[a-z]{1,3}", 0..4)
        )
            .prop_map(|(repository, digest, tags)| {
                let tags: Vec<Tag> = tags.iter().map(|tag| tag.parse().unwrap()).collect();
                let url = url::manifest_with_tags(&repository, &digest, &tags);
                let reference = Reference::Digest(digest);
                (
                    Method::PUT,
                    url,
                    Route::PutManifest {
                        repository,
                        reference,
                        tags,
                    },
                )
            }),
        (repository(), digest()).prop_map(|(repository, digest)| {
            (
                Method::HEAD,
                url::blob(&repository, &digest),
                Route::GetBlob { repository, digest },
            )
        }),
        (repository(), digest()).prop_map(|(repository, digest)| {
            (
                Method::DELETE,
                url::blob(&repository, &digest),
                Route::DeleteBlob { repository, digest },
            )
        }),
        (repository(), start()).prop_map(|(repository, start)| {
            (
                Method::POST,
                url::start_upload(&repository, &start),
                Route::StartUpload { repository, start },
            )
        }),
        session().prop_map(|session| {
            (
                Method::GET,
                url::upload_session(&session),
                Route::UploadStatus(session),
            )
        }),
        session().prop_map(|session| {
            (
                Method::PATCH,
                url::upload_session(&session),
                Route::AppendUpload(session),
            )
        }),
        session().prop_map(|session| {
            (
                Method::DELETE,
                url::upload_session(&session),
                Route::CancelUpload(session),
            )
        }),
        (session(), digest()).prop_map(|(session, digest)| {
            (
                Method::PUT,
                url::finish_upload(&session, &digest),
                Route::FinishUpload { session, digest },
            )
        }),
        (
            repository(),
            digest(),
            prop::option::of("[a-z]{1,5}/[a-z.+-]{1,9}"),
            prop::option::of(digest())
        )
            .prop_map(|(repository, subject, artifact_type, last)| {
                let url = url::referrers(
                    &repository,
                    &subject,
                    artifact_type.as_deref(),
                    last.as_ref(),
                );
                (
                    Method::GET,
                    url,
                    Route::ListReferrers {
                        repository,
                        subject,
                        artifact_type,
                        last,
                    },
                )
            }),
    ]
}

/// As a client may also write it: any byte may be percent-encoded.
fn encode_some(path: &str, which: &[bool]) -> String {
    let mut encoded = String::new();
    for (index, byte) in path.bytes().enumerate() {
        let encode = index > 0
            && which
                .get(index % which.len().max(1))
                .copied()
                .unwrap_or(false);
        if encode {
            encoded.push_str(&format!("%{byte:02x}"));
        } else {
            encoded.push(char::from(byte));
        }
    }
    encoded
}

proptest! {
    #[test]
    fn urls_parse_to_their_routes((method, url, route) in request(), which: [bool; 7]) {
        let (path, query) = match url.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (url.as_str(), None),
        };
        prop_assert_eq!(Route::parse(&method, path, query), Ok(route.clone()));
        prop_assert_eq!(Route::parse(&method, &encode_some(path, &which), query), Ok(route));
        prop_assert!(url.parse::<http::Uri>().is_ok(), "{} is no URI", url);
    }

    #[test]
    fn anything_parses_or_is_refused_with_a_message(
        method in prop::sample::select(vec![Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE]),
        path in "(/v2)?(/|//|[a-zA-Z.%\\x00]{0,3}|/tags|/list|/manifests|/blobs|/uploads|/referrers|%2[fF]|\\PC){0,8}",
        query: Option<String>,
    ) {
        if let Err(error) = Route::parse(&method, &path, query.as_deref()) {
            prop_assert!(error.status().is_client_error());
            prop_assert!(!error.to_string().is_empty());
            prop_assert_eq!(error.allow().is_some(), error.status().as_u16() == 405);
        }
    }
}
