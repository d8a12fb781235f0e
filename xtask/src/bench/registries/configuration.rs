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
