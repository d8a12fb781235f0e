use std::collections::HashMap;

use berth_metadata::Blob;
use berth_spec::Digest;

use crate::report::UnneededBlobs;

/// Finds out which blobs nothing would need if manifests were gone: those whose last manifest goes.
#[derive(Default)]
pub(crate) struct Unneeded {
    /// How many manifests still need each blob that was counted.
    needed: HashMap<Digest, u64>,
    found: UnneededBlobs,
}

impl Unneeded {
    /// How many manifests still need a blob, if it was counted.
    pub(crate) fn still_needed(&self, blob: &Digest) -> Option<u64> {
        self.needed.get(blob).copied()
    }

    /// Takes note that one of the manifests that still need a blob would go.
    pub(crate) fn without_manifest_of(&mut self, blob: &Blob, needed: u64) {
        if needed == 1 {
            self.found.count += 1;
            self.found.bytes = self.found.bytes.saturating_add(blob.size);
        }
        let left = needed.saturating_sub(1);
        self.needed.insert(blob.digest.clone(), left);
    }

    pub(crate) fn found(&self) -> UnneededBlobs {
        self.found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_blob_is_found_when_its_last_manifest_goes() {
        let [own, shared] = [b"own" as &[u8], b"shared"]
            .map(|content| Blob::new(Digest::sha256(content), content.len() as u64));
        let mut unneeded = Unneeded::default();
        assert_eq!(unneeded.still_needed(&shared.digest), None);
        unneeded.without_manifest_of(&own, 1);
        unneeded.without_manifest_of(&shared, 3);
        unneeded.without_manifest_of(&shared, 2);
        assert_eq!(unneeded.found(), UnneededBlobs { count: 1, bytes: 3 });
        assert_eq!(unneeded.still_needed(&shared.digest), Some(1));
        unneeded.without_manifest_of(&shared, 1);
        assert_eq!(unneeded.found(), UnneededBlobs { count: 2, bytes: 9 });
        assert_eq!(unneeded.still_needed(&shared.digest), Some(0));
    }
}
