//! The configuration files of the peers.

use std::net::SocketAddr;
use std::path::Path;

use serde_json::{Value, json};

/// The example of its own documentation, with deletion and without passwords. YAML reads JSON.
pub(super) fn distribution(storage: &Path, address: SocketAddr) -> Value {
    json!({
        "version": 0.1,
        "log": { "fields": { "service": "registry" } },
        "storage": {
            "cache": { "blobdescriptor": "inmemory" },
            "filesystem": { "rootdirectory": storage },
            "delete": { "enabled": true },
            "tag": { "concurrencylimit": 8 },
        },
        "http": {
            "addr": address.to_string(),
            "headers": { "X-Content-Type-Options": ["nosniff"] },
        },
        "health": { "storagedriver": { "enabled": true, "interval": "10s", "threshold": 3 } },
    })
}

/// A bucket, as clients of S3 reach it.
pub(in crate::bench) struct Bucket<'a> {
    /// The URL of the server.
    pub(in crate::bench) endpoint: &'a str,
    pub(in crate::bench) region: &'a str,
    pub(in crate::bench) name: &'a str,
    pub(in crate::bench) key: &'a str,
    pub(in crate::bench) secret: &'a str,
}

/// The same with a bucket, in a folder of its name, for several processes: they go on with each other's
/// uploads by the secret. Clients are sent to the bucket for blobs, unless they are not to be redirected.
pub(in crate::bench) fn distribution_on_s3(
    bucket: &Bucket<'_>,
    address: SocketAddr,
    is_redirecting: bool,
) -> Value {
    let mut configuration = distribution(Path::new(""), address);
    let storage = &mut configuration["storage"];
    if let Some(storage) = storage.as_object_mut() {
        storage.remove("filesystem");
    }
    storage["s3"] = json!({
        "regionendpoint": bucket.endpoint,
        "region": bucket.region,
        "bucket": bucket.name,
        "accesskey": bucket.key,
        "secretkey": bucket.secret,
        "rootdirectory": "/distribution",
        "forcepathstyle": true,
        "secure": false,
    });
    storage["redirect"] = json!({ "disable": !is_redirecting });
    configuration["http"]["secret"] = "one for all processes".into();
    configuration
}

/// The minimal example of its own documentation, with the log level of the others.
pub(super) fn zot(storage: &Path, address: SocketAddr) -> Value {
    json!({
        "distSpecVersion": "1.1.1",
        "storage": { "rootDirectory": storage },
        "http": { "address": address.ip().to_string(), "port": address.port().to_string() },
        "log": { "level": "info" },
    })
}

/// The same, collecting garbage of any age as soon as it starts, and every second.
pub(super) fn collecting_zot(storage: &Path, address: SocketAddr) -> Value {
    let mut configuration = zot(storage, address);
    configuration["storage"]["gc"] = true.into();
    configuration["storage"]["gcDelay"] = "0s".into();
    configuration["storage"]["gcInterval"] = "1s".into();
    configuration
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distribution_has_one_storage() {
        let bucket = Bucket {
            endpoint: "http://127.0.0.1:7070",
            region: "us-east-1",
            name: "blobs",
            key: "key",
            secret: "secret",
        };
        let address = SocketAddr::from(([127, 0, 0, 1], 5000));
        let configuration = distribution_on_s3(&bucket, address, false);
        assert!(configuration["storage"].get("filesystem").is_none());
        assert_eq!(configuration["storage"]["s3"]["bucket"], "blobs");
        assert_eq!(configuration["storage"]["redirect"]["disable"], true);
    }

    #[test]
    fn zot_collects_in_the_storage_that_it_has_served() {
        let address = SocketAddr::from(([127, 0, 0, 1], 5000));
        let serving = zot(Path::new("/storage"), address);
        let mut collecting = collecting_zot(Path::new("/storage"), address);
        let storage = collecting["storage"].as_object_mut().unwrap();
        for (option, value) in [
            ("gc", json!(true)),
            ("gcDelay", json!("0s")),
            ("gcInterval", json!("1s")),
        ] {
            assert_eq!(storage.remove(option), Some(value));
        }
        assert_eq!(collecting, serving);
    }
}
