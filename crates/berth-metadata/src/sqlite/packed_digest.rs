use berth_spec::{Algorithm, Digest};

/// A digest in the least memory, for where there are many.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum PackedDigest {
    Sha256([u8; 32]),
    Other(Digest),
}

impl From<Digest> for PackedDigest {
    fn from(digest: Digest) -> Self {
        let packed = match digest.algorithm() {
            Algorithm::Sha256 => digest.to_hash().try_into().ok(),
            _ => None,
        };
        packed.map_or(Self::Other(digest), Self::Sha256)
    }
}

impl PackedDigest {
    pub(super) fn unpack(&self) -> Digest {
        match self {
            Self::Sha256(hash) => Digest::from_sha256(*hash),
            Self::Other(digest) => digest.clone(),
        }
    }

    /// How much memory it takes beside itself, in bytes.
    pub(super) fn bytes_beside(&self) -> u64 {
        match self {
            Self::Sha256(_) => 0,
            Self::Other(digest) => digest.as_str().len() as u64,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_packed_is_unpacked() {
        for algorithm in [Algorithm::Sha256, Algorithm::Sha512] {
            let digest = Digest::of(algorithm, b"content");
            let packed = PackedDigest::from(digest.clone());
            let is_packed = matches!(packed, PackedDigest::Sha256(_));
            assert_eq!(is_packed, algorithm == Algorithm::Sha256);
            assert_eq!(packed.unpack(), digest);
        }
    }
}
