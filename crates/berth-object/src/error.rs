use std::error::Error;
use std::io;

use berth_blob::BlobError;
use object_store::Error as StoreError;

/// What went wrong, in words that may be logged: answers of a bucket can repeat the head of a request,
/// and with it a session token.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Failure(String);

/// A failure of the bucket as one of a blob store.
pub(crate) fn failed(error: &StoreError) -> BlobError {
    let text = text_of(error);
    let kind = match error {
        StoreError::NotFound { .. } => io::ErrorKind::NotFound,
        StoreError::PermissionDenied { .. } | StoreError::Unauthenticated { .. } => {
            return other(
                io::ErrorKind::PermissionDenied,
                format!("the bucket refuses the credentials: {text}"),
            );
        }
        _ if is_full(&text) => io::ErrorKind::StorageFull,
        _ => io::ErrorKind::Other,
    };
    other(kind, text)
}

/// A failure of a blob store that the bucket knows nothing of.
pub(crate) fn refused(text: impl Into<String>) -> BlobError {
    other(io::ErrorKind::Other, text.into())
}

fn other(kind: io::ErrorKind, text: String) -> BlobError {
    io::Error::new(kind, Failure(text)).into()
}

/// The text has names of objects in it, so a number alone tells nothing.
fn is_full(text: &str) -> bool {
    [
        "QuotaExceeded",
        "StorageFull",
        "InsufficientStorage",
        "status code: 507",
    ]
    .iter()
    .any(|sign| text.contains(sign))
}

/// The words of an error and of what caused it, without the bodies of answers.
pub(crate) fn text_of(error: &StoreError) -> String {
    let mut text = without_body(&error.to_string());
    let mut cause = error.source();
    while let Some(error) = cause {
        let words = without_body(&error.to_string());
        if !text.contains(&words) {
            text = format!("{text}: {words}");
        }
        cause = error.source();
    }
    text
}

/// Of an XML body, only its code and message stay.
fn without_body(text: &str) -> String {
    let Some((before, body)) = text.split_once('<') else {
        return text.to_owned();
    };
    let element = |name: &str| {
        let (_, rest) = body.split_once(&format!("{name}>"))?;
        let (content, _) = rest.split_once('<')?;
        Some(content.to_owned())
    };
    let rest = [element("Code"), element("Message")];
    let rest: Vec<String> = rest.into_iter().flatten().collect();
    format!("{before}{}", rest.join(": ")).trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &str = "<?xml version=\"1.0\"?><Error><Code>SignatureDoesNotMatch</Code><Message>The request \
        signature we calculated does not match</Message><CanonicalRequest>GET\nx-amz-security-token:hidden\
        </CanonicalRequest></Error>";

    fn generic(text: String) -> StoreError {
        StoreError::Generic {
            store: "S3",
            source: text.into(),
        }
    }

    #[test]
    fn what_a_bucket_repeats_of_a_request_is_not_told() {
        let error = failed(&generic(format!("status 403: {BODY}")));
        let (words, details) = (error.to_string(), format!("{error:?}"));
        assert!(
            words.contains("SignatureDoesNotMatch: The request signature"),
            "{words}"
        );
        assert!(
            !words.contains("hidden") && !details.contains("hidden"),
            "{details}"
        );
    }

    #[test]
    fn a_full_bucket_is_known() {
        let full = "status 400: <Error><Code>QuotaExceeded</Code></Error>";
        assert!(matches!(
            failed(&generic(full.to_owned())),
            BlobError::StorageFull
        ));
        let status = |number: u16| {
            let path = "blobs/sha256/4c/4c07";
            generic(format!(
                "Error performing PUT http://host/{path}507 in 2s - Server returned non-2xx status code: {number} \
                 Some Reason: "
            ))
        };
        assert!(matches!(failed(&status(507)), BlobError::StorageFull));
        assert!(matches!(failed(&status(500)), BlobError::Io(_)));
    }
}
