use anyhow::Result;
use berth_spec::Digest;

use crate::bench::content::random;
use crate::bench::http::Connection;
use crate::bench::image::{Blob, Image};
use crate::bench::push;

const LAYER_SIZE: usize = 10 << 10;

/// An image that is small enough to be held in memory, with layers of 10 KiB that no other has.
pub(in crate::bench) struct SmallImage {
    layers: Vec<(Vec<u8>, Digest)>,
    pub(in crate::bench) image: Image,
}

impl SmallImage {
    /// Images of different numbers have no blob in common.
    pub(in crate::bench) fn new(number: usize, layers: usize) -> Self {
        let layers: Vec<(Vec<u8>, Digest)> = (0..layers)
            .map(|layer| {
                let bytes = random((number * layers + layer) as u64, LAYER_SIZE);
                let digest = Digest::sha256(&bytes);
                (bytes, digest)
            })
            .collect();
        let blobs: Vec<Blob> = layers
            .iter()
            .map(|(bytes, digest)| blob(bytes, digest))
            .collect();
        let image = Image::new(&number.to_string(), &blobs);
        Self { layers, image }
    }

    /// Its layers and its config.
    pub(super) fn blobs(&self) -> Vec<Blob> {
        let layers = self
            .layers
            .iter()
            .map(|(bytes, digest)| blob(bytes, digest));
        let config = blob(&self.image.config, &self.image.config_digest);
        layers.chain([config]).collect()
    }

    /// Pushes as clients do: the layers, the config, and then the manifest.
    pub(in crate::bench) async fn push(
        &self,
        connection: &mut Connection,
        repository: &str,
        tag: &str,
    ) -> Result<()> {
        for (bytes, digest) in &self.layers {
            push::blob(connection, repository, bytes, digest).await?;
        }
        let image = &self.image;
        push::blob(connection, repository, &image.config, &image.config_digest).await?;
        push::manifest(connection, repository, tag, &image.manifest).await
    }
}

fn blob(bytes: &[u8], digest: &Digest) -> Blob {
    Blob {
        digest: digest.clone(),
        size: bytes.len() as u64,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn images_have_no_blob_in_common() {
        let blobs = (0..3).flat_map(|number| SmallImage::new(number, 2).blobs());
        let digests: BTreeSet<String> = blobs.map(|blob| blob.digest.to_string()).collect();
        assert_eq!(digests.len(), 9);
    }
}
