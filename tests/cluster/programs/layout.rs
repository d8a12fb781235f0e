use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::contents::Blob;
use crate::harness::{OCI_CONFIG, OCI_MANIFEST, digest};
use crate::ledger::{Manifest, Name, State};

/// Layers are noise. What says that it is compressed already is left as it is.
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";

/// An OCI image layout in a folder, with one image.
pub(crate) struct Layout {
    folder: PathBuf,
}

impl Layout {
    /// A new image, in place of what the folder had.
    pub(crate) fn write(
        folder: &Path,
        author: &str,
        number: u32,
        layers: Vec<Blob>,
    ) -> (Self, Manifest) {
        let layout = Self::to_be_pulled(folder);
        fs::create_dir_all(folder.join("blobs/sha256")).unwrap();
        let differences: Vec<_> = layers.iter().map(|it| it.digest.as_str()).collect();
        let config = json!({
            "architecture": "amd64",
            "os": "linux",
            "author": format!("{author} {number}"),
            "rootfs": { "type": "layers", "diff_ids": differences },
        });
        let config = Blob::text(config.to_string());
        let descriptor = |media_type: &str, blob: &Blob| json!({ "mediaType": media_type, "digest": blob.digest, "size": blob.length });
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": descriptor(OCI_CONFIG, &config),
            "layers": layers.iter().map(|it| descriptor(LAYER, it)).collect::<Vec<_>>(),
        });
        let manifest = Blob::text(manifest.to_string());
        for blob in layers.iter().chain([&config, &manifest]) {
            fs::write(layout.file_of(&blob.digest), blob.bytes()).unwrap();
        }
        let mut entry = descriptor(OCI_MANIFEST, &manifest);
        entry["annotations"] = json!({ "org.opencontainers.image.ref.name": "v1" });
        let index = json!({ "schemaVersion": 2, "manifests": [entry] });
        fs::write(folder.join("index.json"), index.to_string()).unwrap();
        let version = r#"{"imageLayoutVersion":"1.0.0"}"#;
        fs::write(folder.join("oci-layout"), version).unwrap();
        let manifest = Manifest {
            media_type: OCI_MANIFEST,
            bytes: manifest.bytes(),
            blobs: [vec![config], layers].concat(),
            children: Vec::new(),
            subject: None,
            state: State::Unknown,
            is_settled: true,
        };
        (layout, manifest)
    }

    /// A folder that a client will make.
    pub(crate) fn to_be_pulled(folder: &Path) -> Self {
        if folder.exists() {
            fs::remove_dir_all(folder).unwrap();
        }
        Self {
            folder: folder.to_owned(),
        }
    }

    /// The path, as command lines take it.
    pub(crate) fn path(&self) -> String {
        self.folder.to_str().unwrap().to_owned()
    }

    /// The digest of the image.
    pub(crate) fn digest(&self) -> String {
        let index = fs::read(self.folder.join("index.json")).unwrap();
        let index: Value = serde_json::from_slice(&index).unwrap();
        let digest = index["manifests"][0]["digest"].as_str();
        digest.unwrap().to_owned()
    }

    /// What is wrong with an image that a client has pulled.
    pub(crate) fn differs_from(&self, name: &Name, manifest: &Manifest) -> Option<String> {
        if self.digest() != name.reference {
            return Some(format!("{} was pulled for {name:?}", self.digest()));
        }
        let is_whole = |blob: &&str| {
            let bytes = fs::read(self.file_of(blob)).unwrap_or_default();
            digest(&bytes) == **blob
        };
        let mut parts = manifest.blobs.iter().map(|it| it.digest.as_str());
        let damaged = parts.find(|part| !is_whole(part))?;
        Some(format!("{damaged} was pulled wrongly for {name:?}"))
    }

    fn file_of(&self, digest: &str) -> PathBuf {
        self.folder.join("blobs").join(digest.replace(':', "/"))
    }
}
