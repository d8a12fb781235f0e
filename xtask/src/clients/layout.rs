use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use berth_spec::{Digest, media_types};
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};

const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";

/// An OCI image layout in a folder, with one entry, tagged `v1`.
pub(super) struct Layout {
    pub(super) folder: PathBuf,
}

impl Layout {
    /// One image with two layers.
    pub(super) fn image(folder: &Path) -> Result<Self> {
        let layout = Self::empty(folder)?;
        let image = layout.write_image("amd64")?;
        layout.finish(image)
    }

    /// An index of three platforms, which share a layer.
    pub(super) fn index(folder: &Path) -> Result<Self> {
        let layout = Self::empty(folder)?;
        let manifests = ["amd64", "arm64", "riscv64"]
            .map(|architecture| layout.write_image(architecture))
            .into_iter()
            .collect::<Result<Vec<Value>>>()?;
        let index = json!({
            "schemaVersion": 2,
            "mediaType": media_types::OCI_IMAGE_INDEX,
            "manifests": manifests,
        });
        let index = layout.write_json(media_types::OCI_IMAGE_INDEX, &index)?;
        layout.finish(index)
    }

    /// A layout that some client wrote.
    pub(super) fn at(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// The path, as command lines take it.
    pub(super) fn path(&self) -> String {
        self.folder.to_string_lossy().into_owned()
    }

    /// The digest of the only entry.
    pub(super) fn digest(&self) -> Result<String> {
        let index: Value = serde_json::from_slice(&fs::read(self.folder.join("index.json"))?)?;
        let entries = index["manifests"]
            .as_array()
            .context("the layout has no entries")?;
        ensure!(
            entries.len() == 1,
            "the layout has {} entries",
            entries.len()
        );
        let digest = entries[0]["digest"].as_str();
        Ok(digest.context("the entry has no digest")?.to_owned())
    }

    /// The bytes of the only entry.
    pub(super) fn manifest(&self) -> Result<Vec<u8>> {
        self.read(&self.digest()?)
    }

    /// The bytes of a blob.
    pub(super) fn read(&self, digest: &str) -> Result<Vec<u8>> {
        let path = self.folder.join("blobs").join(digest.replace(':', "/"));
        fs::read(&path).with_context(|| format!("cannot read {}", path.display()))
    }

    /// The digests of all blobs, sorted.
    pub(super) fn blobs(&self) -> Result<Vec<String>> {
        let mut digests = Vec::new();
        for entry in fs::read_dir(self.folder.join("blobs/sha256"))? {
            digests.push(format!("sha256:{}", entry?.file_name().to_string_lossy()));
        }
        digests.sort();
        Ok(digests)
    }

    /// Another layout must hold the same entry and the same blobs, byte for byte.
    pub(super) fn is_same_as(&self, other: &Self) -> Result<()> {
        ensure!(self.digest()? == other.digest()?, "the entries differ");
        ensure!(self.blobs()? == other.blobs()?, "the blobs differ");
        for digest in self.blobs()? {
            ensure!(
                self.read(&digest)? == other.read(&digest)?,
                "{digest} differs"
            );
        }
        Ok(())
    }

    fn empty(folder: &Path) -> Result<Self> {
        fs::create_dir_all(folder.join("blobs/sha256"))?;
        fs::write(
            folder.join("oci-layout"),
            r#"{"imageLayoutVersion":"1.0.0"}"#,
        )?;
        Ok(Self {
            folder: folder.to_owned(),
        })
    }

    fn finish(self, mut entry: Value) -> Result<Self> {
        entry["annotations"] = json!({ "org.opencontainers.image.ref.name": "v1" });
        let index = json!({ "schemaVersion": 2, "manifests": [entry] });
        fs::write(self.folder.join("index.json"), index.to_string())?;
        Ok(self)
    }

    fn write_image(&self, architecture: &str) -> Result<Value> {
        // Larger than any buffer on the way, and not compressible.
        let mut noise = String::new();
        for number in 0..60_000_u32 {
            noise.push_str(Digest::sha256(&number.to_le_bytes()).hex());
        }
        let tars = [
            tar("noise", noise.as_bytes())?,
            tar("architecture", architecture.as_bytes())?,
        ];
        let difference_ids: Vec<Digest> = tars.iter().map(|tar| Digest::sha256(tar)).collect();
        let layers = tars
            .iter()
            .map(|tar| self.write(LAYER, &gzip(tar)?))
            .collect::<Result<Vec<Value>>>()?;
        let config = json!({
            "architecture": architecture,
            "os": "linux",
            "config": { "Cmd": ["/architecture"] },
            "rootfs": { "type": "layers", "diff_ids": difference_ids },
        });
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": media_types::OCI_IMAGE_MANIFEST,
            "config": self.write_json(CONFIG, &config)?,
            "layers": layers,
        });
        let mut descriptor = self.write_json(media_types::OCI_IMAGE_MANIFEST, &manifest)?;
        descriptor["platform"] = json!({ "architecture": architecture, "os": "linux" });
        Ok(descriptor)
    }

    fn write_json(&self, media_type: &str, content: &Value) -> Result<Value> {
        self.write(media_type, content.to_string().as_bytes())
    }

    /// Writes a blob and answers its descriptor.
    fn write(&self, media_type: &str, content: &[u8]) -> Result<Value> {
        let digest = Digest::sha256(content);
        fs::write(self.folder.join("blobs/sha256").join(digest.hex()), content)?;
        Ok(json!({ "mediaType": media_type, "digest": digest, "size": content.len() }))
    }
}

/// A tar archive of one file.
pub(super) fn tar(name: &str, content: &[u8]) -> Result<Vec<u8>> {
    let mut archive = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_size(u64::try_from(content.len())?);
    header.set_mode(0o644);
    archive.append_data(&mut header, name, content)?;
    Ok(archive.into_inner()?)
}

fn gzip(content: &[u8]) -> Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    std::io::Write::write_all(&mut encoder, content)?;
    Ok(encoder.finish()?)
}
