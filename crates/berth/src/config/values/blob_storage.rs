use std::fmt;
use std::str::FromStr;

use berth_object::BucketUrl;

use super::text::text_in_files;

/// Where blobs are: in a bucket, or in the data folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BlobStorage(pub(crate) Option<BucketUrl>);

impl FromStr for BlobStorage {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "folder" {
            return Ok(Self(None));
        }
        match text.parse() {
            Ok(url) => Ok(Self(Some(url))),
            Err(error) => Err(format!("{error}; folder would do too")),
        }
    }
}

impl fmt::Display for BlobStorage {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            None => formatter.write_str("folder"),
            Some(url) => url.fmt(formatter),
        }
    }
}

text_in_files! {
    BlobStorage: "\"folder\", or the URL of a bucket in quotes, such as \"s3://BUCKET/PREFIX\"",
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_folder_or_a_bucket() {
        for text in ["folder", "s3://bucket/prefix"] {
            assert_eq!(text.parse::<BlobStorage>().unwrap().to_string(), text);
        }
        let message = "s3://key:hidden@bucket".parse::<BlobStorage>().unwrap_err();
        assert!(message.contains("would do"), "{message}");
        assert!(!message.contains("hidden"), "{message}");
    }
}
