//! The parameters of a request, read once more and in another way than in berth-route.

use berth_route::{MountFrom, Page, Route, StartUpload};
use berth_spec::{Algorithm, Reference};
use percent_encoding::percent_decode;

use crate::grammar;

/// Panics unless a route has what the query says. Of a parameter given twice, the first counts.
pub(crate) fn agree(route: &Route, query: Option<&str>) {
    let all = parameters(query.unwrap_or_default());
    let first = |name| values(&all, name).next();
    match route {
        Route::Catalog(page) | Route::ListTags { page, .. } => {
            agree_on_page(page, first("n"), first("last"));
        }
        Route::PutManifest {
            reference, tags, ..
        } => {
            let mut expected: Vec<&str> = Vec::new();
            let by_digest = matches!(reference, Reference::Digest(_));
            for tag in values(&all, "tag").filter(|_| by_digest) {
                if !expected.contains(&tag) {
                    expected.push(tag);
                }
            }
            assert!(tags.iter().map(|tag| tag.as_str()).eq(expected));
        }
        Route::FinishUpload { digest, .. } => assert_eq!(first("digest"), Some(digest.as_str())),
        Route::StartUpload { start, .. } => agree_on_start(start, first),
        Route::ListReferrers {
            artifact_type,
            last,
            ..
        } => {
            let expected = first("artifactType").filter(|text| !text.is_empty());
            let expected = expected.map(|text| text.replace(' ', "+"));
            assert_eq!(*artifact_type, expected);
            assert_eq!(last.as_ref().map(|last| last.as_str()), first("last"));
        }
        _ => {}
    }
}

fn agree_on_page(page: &Page, n: Option<&str>, last: Option<&str>) {
    assert_eq!(page.last.as_deref(), last);
    let Some(digits) = n else {
        assert_eq!(page.limit, None);
        return;
    };
    assert!(!digits.is_empty() && digits.bytes().all(|one| one.is_ascii_digit()));
    let digits = digits.trim_start_matches('0');
    let expected = match digits.len() {
        0 => 0,
        1..=10 => digits.parse::<u64>().unwrap().min(u64::from(u32::MAX)),
        _ => u64::from(u32::MAX),
    };
    assert_eq!(page.limit.map(u64::from), Some(expected));
}

fn agree_on_start<'a>(start: &StartUpload, first: impl Fn(&'static str) -> Option<&'a str>) {
    match start {
        StartUpload::Mount { digest, from } => {
            assert_eq!(first("mount"), Some(digest.as_str()));
            let name = first("from").unwrap_or_default();
            match from {
                MountFrom::Anywhere => assert_eq!(name, ""),
                MountFrom::Repository(repository) => assert_eq!(repository.as_str(), name),
                MountFrom::Nowhere => {
                    assert!(!name.is_empty() && !grammar::is_repository_name(name))
                }
            }
        }
        StartUpload::Whole(digest) => {
            assert_eq!(first("mount"), None);
            assert_eq!(first("digest"), Some(digest.as_str()));
            let algorithm = first("digest-algorithm").unwrap_or(digest.algorithm().as_str());
            assert_eq!(digest.algorithm().as_str(), algorithm);
        }
        StartUpload::Session(algorithm) => {
            assert_eq!((first("mount"), first("digest")), (None, None));
            let default = Algorithm::Sha256.as_str();
            let asked = first("digest-algorithm").unwrap_or(default);
            assert_eq!(algorithm.as_str(), asked);
        }
    }
}

type Parameter = (String, String);

/// `application/x-www-form-urlencoded`, as browsers send it.
fn parameters(query: &str) -> Vec<Parameter> {
    let pieces = query.split('&').filter(|piece| !piece.is_empty());
    pieces
        .map(|piece| {
            let end = piece.find('=').unwrap_or(piece.len());
            let value = piece.get(end + 1..).unwrap_or_default();
            (decoded(&piece[..end]), decoded(value))
        })
        .collect()
}

fn decoded(text: &str) -> String {
    let spaced = text.replace('+', " ");
    let bytes: Vec<u8> = percent_decode(spaced.as_bytes()).collect();
    String::from_utf8_lossy(&bytes).into_owned()
}

fn values<'a>(all: &'a [Parameter], name: &str) -> impl Iterator<Item = &'a str> {
    all.iter()
        .filter(move |(key, _)| key == name)
        .map(|(_, value)| value.as_str())
}
