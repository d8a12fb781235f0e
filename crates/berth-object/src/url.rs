use std::fmt;
use std::str::FromStr;

use object_store::path::Path;
use url::Url;

/// The URL of a bucket, or of a part of one: `s3://BUCKET/PREFIX`, `gs://BUCKET/PREFIX` or
/// `az://CONTAINER/PREFIX`. The prefix may be missing. There are no credentials in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BucketUrl {
    pub(crate) provider: Provider,
    pub(crate) bucket: String,
    pub(crate) prefix: Path,
}

/// Whose buckets these are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Provider {
    /// Amazon, and whoever speaks the same.
    S3,
    Google,
    Azure,
}

/// The text is not the URL of a bucket. It is not repeated: it may have credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "this is not the URL of a bucket: write s3://BUCKET/PREFIX, gs://BUCKET/PREFIX or az://CONTAINER/PREFIX, \
     and put credentials into the environment"
)]
pub struct BucketUrlError;

impl FromStr for BucketUrl {
    type Err = BucketUrlError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let url = Url::parse(text).map_err(|_| BucketUrlError)?;
        let provider = match url.scheme() {
            "s3" => Provider::S3,
            "gs" => Provider::Google,
            "az" => Provider::Azure,
            _ => return Err(BucketUrlError),
        };
        let bucket = url.host_str().unwrap_or_default().to_owned();
        let is_plain = url.username().is_empty()
            && url.password().is_none()
            && url.port().is_none()
            && url.query().is_none()
            && url.fragment().is_none();
        match bucket.is_empty() || !is_plain {
            true => Err(BucketUrlError),
            false => Ok(Self {
                provider,
                bucket,
                prefix: Path::from_url_path(url.path()).map_err(|_| BucketUrlError)?,
            }),
        }
    }
}

impl fmt::Display for BucketUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = match self.provider {
            Provider::S3 => "s3",
            Provider::Google => "gs",
            Provider::Azure => "az",
        };
        write!(formatter, "{scheme}://{}", self.bucket)?;
        match self.prefix.as_ref() {
            "" => Ok(()),
            prefix => write!(formatter, "/{prefix}"),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_url_has_one_text() {
        for text in [
            "s3://bucket",
            "s3://bucket/of/teams",
            "gs://bucket/a",
            "az://container/a",
        ] {
            assert_eq!(text.parse::<BucketUrl>().unwrap().to_string(), text);
        }
        let url: BucketUrl = "s3://bucket/prefix/".parse().unwrap();
        assert_eq!(url.to_string(), "s3://bucket/prefix");
    }

    #[test]
    fn what_is_no_bucket_or_has_more_in_it_is_refused() {
        for text in [
            "",
            "bucket",
            "s3://",
            "s3:///prefix",
            "http://host/bucket",
            "s3://key:hidden@bucket/prefix",
            "s3://bucket/prefix?secret=hidden",
            "s3://bucket/prefix#hidden",
            "s3://bucket:80/prefix",
            "s3://bucket/a//b",
        ] {
            assert_eq!(text.parse::<BucketUrl>(), Err(BucketUrlError), "{text}");
        }
        assert!(BucketUrlError.to_string().contains("s3://BUCKET/PREFIX"));
    }
}
