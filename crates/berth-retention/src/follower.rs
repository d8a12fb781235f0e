//! Tags that follow a manifest. A client that wants to attach something to a manifest, and does not use
//! the `subject` field or the referrers list, sets a tag that is named after the manifest's digest.

use berth_spec::{Algorithm, Digest, Tag};

/// The list of referrers in the specification's fallback schema, and what cosign attaches.
const SUFFIXES: [&str; 4] = ["", ".sig", ".att", ".sbom"];

/// How much of the digest a tag has, at most: the specification's schema cuts off the rest.
const HEX: usize = 64;

/// What such a tag has of the digest of the manifest that it follows.
pub(crate) type Followed<'a> = (Algorithm, &'a str);

/// What tags that follow this manifest have of its digest.
pub(crate) fn followed_as(digest: &Digest) -> Followed<'_> {
    let hex = digest.hex();
    (digest.algorithm(), hex.get(..HEX).unwrap_or(hex))
}

/// What the tag follows, if it is of that form.
pub(crate) fn followed_by(tag: &Tag) -> Option<Followed<'_>> {
    let (algorithm, rest) = tag.as_str().split_once('-')?;
    let (hex, suffix) = rest.split_at_checked(HEX)?;
    let algorithm = algorithm.parse().ok()?;
    SUFFIXES.contains(&suffix).then_some((algorithm, hex))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_of_either_schema_follow() {
        for algorithm in Algorithm::ALL {
            let digest = Digest::of(algorithm, b"image");
            let stem = format!("{algorithm}-{}", &digest.hex()[..64]);
            for suffix in ["", ".sig", ".att", ".sbom"] {
                let tag: Tag = format!("{stem}{suffix}").parse().unwrap();
                assert_eq!(followed_by(&tag), Some(followed_as(&digest)));
            }
            for other in [
                format!("{stem}.txt"),
                format!("{stem}a"),
                stem[..stem.len() - 1].to_owned(),
                stem.replace('-', "_"),
                format!("md5-{}", digest.hex().get(..64).unwrap()),
            ] {
                assert_eq!(followed_by(&other.parse().unwrap()), None, "{other}");
            }
        }
    }
}
