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
