use berth_spec::{Algorithm, Digest, Hasher};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

/// How much of the content is held in memory.
const BLOCK: usize = 4 << 20;

/// Pseudo-random content of any size, of which one block is in memory: the blocks differ only in
/// their first bytes, and so do contents of different seeds. No registry can store two of them as
/// one, and making them costs nothing while it is measured.
pub(super) struct Content {
    block: Vec<u8>,
    seed: u64,
    size: u64,
}

impl Content {
    pub(super) fn new(seed: u64, size: u64) -> Self {
        // No block is larger than the content.
        let block = usize::try_from(size).unwrap_or(usize::MAX).min(BLOCK);
        Self {
            block: random(0, block),
            seed,
            size,
        }
    }

    pub(super) fn size(&self) -> u64 {
        self.size
    }

    /// How many blocks there are; only the last may be shorter.
    pub(super) fn blocks(&self) -> u64 {
        self.size.div_ceil(BLOCK as u64)
    }

    pub(super) fn block(&mut self, number: u64) -> &[u8] {
        let mark: Vec<u8> = [self.seed, number].map(u64::to_le_bytes).concat();
        let marked = mark.len().min(self.block.len());
        self.block[..marked].copy_from_slice(&mark[..marked]);
        let left = self.size - number * BLOCK as u64;
        let length = usize::try_from(left).unwrap_or(usize::MAX);
        &self.block[..length.min(self.block.len())]
    }

    pub(super) fn digest(&mut self) -> Digest {
        let mut hasher = Hasher::new(Algorithm::Sha256);
        for number in 0..self.blocks() {
            hasher.update(self.block(number));
        }
        hasher.finish()
    }
}

/// So many pseudo-random bytes, the same for the same seed.
pub(super) fn random(seed: u64, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    StdRng::seed_from_u64(seed).fill_bytes(&mut bytes);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(content: &mut Content) -> Vec<u8> {
        let blocks = 0..content.blocks();
        blocks
            .flat_map(|number| content.block(number).to_vec())
            .collect()
    }

    #[test]
    fn content_has_its_size_and_its_digest() {
        for size in [1, 1000, BLOCK as u64, BLOCK as u64 * 2 + 5] {
            let mut content = Content::new(7, size);
            let bytes = all(&mut content);
            assert_eq!(bytes.len() as u64, size);
            assert_eq!(content.digest(), Digest::sha256(&bytes));
        }
    }

    #[test]
    fn blocks_and_seeds_differ() {
        let mut content = Content::new(1, BLOCK as u64 * 2);
        let first = content.block(0).to_vec();
        assert_ne!(first, content.block(1));
        assert_ne!(first, Content::new(2, BLOCK as u64).block(0));
        assert_eq!(first, Content::new(1, BLOCK as u64).block(0));
    }
}
