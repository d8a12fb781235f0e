use std::collections::HashMap;

use berth_metadata::BlobReferences;
use berth_spec::Digest;

use crate::report::UnneededBlobs;

/// Finds out which blobs nothing would need if manifests were gone: those whose last manifest goes.
#[derive(Default)]
pub(crate) struct Unneeded {
    /// How many manifests still need each of those blobs that some need, and some no more.
    needed: HashMap<Digest, u64>,
    found: UnneededBlobs,
}

impl Unneeded {
    /// Takes note that a manifest which is linked to these blobs would go.
    pub(crate) fn without_manifest_of(&mut self, references: Vec<BlobReferences>) {
        for BlobReferences { blob, manifests } in references {
            let needed = self.needed.get(&blob.digest).copied().unwrap_or(manifests);
            if needed > 1 {
                self.needed.insert(blob.digest, needed - 1);
                continue;
            }
            self.needed.remove(&blob.digest);
            self.found.count += 1;
            self.found.bytes = self.found.bytes.saturating_add(blob.size);
        }
    }

    pub(crate) fn found(&self) -> UnneededBlobs {
        self.found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use berth_metadata::Blob;

    #[test]
    fn a_blob_is_found_when_its_last_manifest_goes() {
        let references = |content: &[u8], manifests| BlobReferences {
            blob: Blob {
                digest: Digest::sha256(content),
                size: content.len() as u64,
            },
            manifests,
        };
        let mut unneeded = Unneeded::default();
        unneeded.without_manifest_of(vec![references(b"own", 1), references(b"shared", 3)]);
        unneeded.without_manifest_of(vec![references(b"shared", 3)]);
        assert_eq!(unneeded.found(), UnneededBlobs { count: 1, bytes: 3 });
        unneeded.without_manifest_of(vec![references(b"shared", 3)]);
        assert_eq!(unneeded.found(), UnneededBlobs { count: 2, bytes: 9 });
        assert!(unneeded.needed.is_empty());
    }
}
