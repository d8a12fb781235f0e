use std::fmt;

use crate::{Algorithm, Digest};

/// A sixteenth of all digests: those whose hexadecimal text begins with one digit. So several can share the work on all that
/// there is, page by page in byte order.
///
/// ```
/// use berth_spec::{Digest, Shard};
///
/// let digest = Digest::sha256(b"hello");
/// let holds = |shard: &Shard| shard.ranges().iter().any(|range| range.contains(&digest));
/// let shards: Vec<String> = Shard::all().filter(holds).map(|shard| shard.to_string()).collect();
/// assert_eq!(shards, ["2"]);
/// assert!(digest.hex().starts_with('2'));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Shard(u8);

/// Digests that follow each other in byte order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DigestRange {
    /// The digest before the first; `None` if there is none before.
    pub after: Option<Digest>,
    /// The last digest; `None` if there is none behind.
    pub last: Option<Digest>,
}

impl DigestRange {
    /// Whether the digest is one of these.
    pub fn contains(&self, digest: &Digest) -> bool {
        let begins = self.after.as_ref().is_none_or(|after| digest > after);
        begins && !self.ends_before(digest)
    }

    /// Whether all of these come before the digest.
    pub fn ends_before(&self, digest: &Digest) -> bool {
        self.last.as_ref().is_some_and(|last| digest > last)
    }
}

impl Shard {
    /// All sixteen.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..16).map(Self)
    }

    /// The one that a digest is in.
    pub fn of(digest: &Digest) -> Self {
        let digit = digest.hex().chars().next().and_then(|it| it.to_digit(16));
        Self(digit.and_then(|it| it.try_into().ok()).unwrap_or_default())
    }

    /// Its digests, those of each algorithm by themselves.
    pub fn ranges(self) -> [DigestRange; Algorithm::ALL.len()] {
        let mut before = None;
        Algorithm::ALL.map(|algorithm| {
            let after = match self.0.checked_sub(1) {
                Some(digit) => Some(Digest::greatest(algorithm, digit)),
                None => before.map(|before| Digest::greatest(before, 15)),
            };
            before = Some(algorithm);
            let last = Some(Digest::greatest(algorithm, self.0));
            DigestRange { after, last }
        })
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:x}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_digest_is_in_one_range_of_its_shard_and_in_no_other() {
        for number in 0..200_u32 {
            for algorithm in Algorithm::ALL {
                let digest = Digest::of(algorithm, &number.to_le_bytes());
                let all = Shard::all().flat_map(|shard| shard.ranges().map(|range| (shard, range)));
                let found: Vec<_> = all.filter(|(_, range)| range.contains(&digest)).collect();
                assert_eq!(found.len(), 1, "{digest}");
                assert_eq!(found[0].0, Shard::of(&digest));
                assert!(digest.hex().starts_with(&found[0].0.to_string()));
            }
        }
    }

    #[test]
    fn ranges_follow_each_other_without_a_gap() {
        let mut last = None;
        for position in 0..Algorithm::ALL.len() {
            for shard in Shard::all() {
                let range = shard.ranges()[position].clone();
                assert_eq!(range.after, last);
                last = range.last;
            }
        }
        assert_eq!(last, Some(Digest::greatest(Algorithm::Sha512, 15)));
        let everything = DigestRange::default();
        assert!(everything.contains(&Digest::sha256(b"anything")));
    }

    #[test]
    fn the_bounds_are_digests() {
        for shard in Shard::all() {
            for DigestRange { after, last } in shard.ranges() {
                for digest in after.into_iter().chain(last) {
                    assert_eq!(digest.as_str().parse(), Ok(digest));
                }
            }
        }
    }
}
