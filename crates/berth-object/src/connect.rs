use std::sync::Arc;

use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey, S3ConditionalPut};
use object_store::azure::{AzureConfigKey, MicrosoftAzureBuilder};
use object_store::gcp::{GoogleCloudStorageBuilder, GoogleConfigKey};
use object_store::signer::Signer;
use object_store::{BackoffConfig, RetryConfig};

use crate::client::Connector;
use crate::error::text_of;
use crate::shared::Bucket;
use crate::url::{BucketUrl, Provider};
use crate::{ObjectBlobs, Requests, Settings};

/// The environment has something that the bucket cannot be used with.
#[derive(Debug, thiserror::Error)]
#[error("cannot use the bucket {url}: {reason}")]
pub struct ConnectError {
    /// The bucket.
    pub url: BucketUrl,
    /// What is wrong.
    pub reason: String,
}

impl ObjectBlobs {
    /// Blobs in the bucket of a URL.
    ///
    /// Where the bucket is and what credentials it takes is in `variables`, usually those of the
    /// environment: the `AWS_*` that the tools of AWS know (`AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`,
    /// `AWS_SESSION_TOKEN`, `AWS_REGION`, `AWS_ENDPOINT_URL`, `AWS_WEB_IDENTITY_TOKEN_FILE`, …), the
    /// `GOOGLE_*` or the `AZURE_*`. Without keys, those of the machine or the pod are asked for. An endpoint
    /// may be `http://`: then everything goes over the network in the clear, and requests are
    /// signed with their content. Nothing is sent yet.
    ///
    /// # Errors
    /// If the variables cannot be used.
    pub fn connect(
        url: &BucketUrl,
        variables: impl IntoIterator<Item = (String, String)>,
        settings: Settings,
    ) -> Result<Self, ConnectError> {
        let opened = match url.provider {
            Provider::S3 => s3(&url.bucket, variables, &settings.requests),
            Provider::Google => google(&url.bucket, variables, &settings.requests),
            Provider::Azure => azure(&url.bucket, variables, &settings.requests),
        };
        let (bucket, signer) = opened.map_err(|error| ConnectError {
            url: url.clone(),
            reason: text_of(&error),
        })?;
        Ok(Self::signing(bucket, signer, url.prefix.clone(), settings))
    }
}

type Opened = (Arc<dyn Bucket>, Arc<dyn Signer>);

fn opened<T: Bucket + Signer>(bucket: T) -> Opened {
    let bucket = Arc::new(bucket);
    (Arc::clone(&bucket) as Arc<dyn Bucket>, bucket)
}

fn s3(
    bucket: &str,
    variables: impl IntoIterator<Item = (String, String)>,
    requests: &Requests,
) -> object_store::Result<Opened> {
    let mut builder = AmazonS3Builder::new();
    for (name, value) in variables {
        let key = name
            .starts_with("AWS_")
            .then(|| name.to_ascii_lowercase().parse());
        if let Some(Ok(key)) = key {
            builder = builder.with_config(key, value);
        }
    }
    let endpoints = [AmazonS3ConfigKey::S3Endpoint, AmazonS3ConfigKey::Endpoint];
    let endpoint = endpoints
        .iter()
        .find_map(|key| builder.get_config_value(key));
    let is_secure = endpoint.is_none_or(|endpoint| !is_in_the_clear(&endpoint));
    let bucket = builder
        .with_bucket_name(bucket)
        // TLS proves that the content arrives as it was sent, so that no hash is needed for that.
        .with_unsigned_payload(is_secure)
        .with_conditional_put(S3ConditionalPut::ETagMatch)
        .with_retry(retry(requests))
        .with_http_connector(Connector::new(requests.clone()))
        .build()?;
    Ok(opened(bucket))
}

/// Schemes may be written in any case.
fn is_in_the_clear(endpoint: &str) -> bool {
    let scheme = endpoint.split("://").next();
    scheme.is_some_and(|scheme| scheme.eq_ignore_ascii_case("http"))
}

fn google(
    bucket: &str,
    variables: impl IntoIterator<Item = (String, String)>,
    requests: &Requests,
) -> object_store::Result<Opened> {
    let mut builder = GoogleCloudStorageBuilder::new();
    for (name, value) in variables {
        let key = name
            .starts_with("GOOGLE_")
            .then(|| name.to_ascii_lowercase().parse::<GoogleConfigKey>());
        if let Some(Ok(key)) = key {
            builder = builder.with_config(key, value);
        }
    }
    let bucket = builder
        .with_bucket_name(bucket)
        .with_retry(retry(requests))
        .with_http_connector(Connector::new(requests.clone()))
        .build()?;
    Ok(opened(bucket))
}

fn azure(
    container: &str,
    variables: impl IntoIterator<Item = (String, String)>,
    requests: &Requests,
) -> object_store::Result<Opened> {
    let mut builder = MicrosoftAzureBuilder::new();
    for (name, value) in variables {
        let key = name
            .starts_with("AZURE_")
            .then(|| name.to_ascii_lowercase().parse::<AzureConfigKey>());
        if let Some(Ok(key)) = key {
            builder = builder.with_config(key, value);
        }
    }
    let bucket = builder
        .with_container_name(container)
        .with_retry(retry(requests))
        .with_http_connector(Connector::new(requests.clone()))
        .build()?;
    Ok(opened(bucket))
}

fn retry(requests: &Requests) -> RetryConfig {
    RetryConfig {
        backoff: BackoffConfig {
            init_backoff: requests.first_wait,
            max_backoff: requests.longest_wait,
            base: 2.0,
        },
        max_retries: requests.retries,
        retry_timeout: requests.give_up_after,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_in_the_clear_is_known() {
        for (endpoint, expected) in [
            ("http://minio:9000", true),
            ("HTTP://minio:9000", true),
            ("https://http", false),
        ] {
            assert_eq!(is_in_the_clear(endpoint), expected, "{endpoint}");
        }
    }
}
