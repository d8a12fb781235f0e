use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};

use crate::harness::{digest, noise};

/// So few blobs that all clients push what others push, and what was collected comes back.
const SMALL: usize = 30;
/// So large that a bucket takes them in parts.
const LARGE: [usize; 2] = [9_000_000, 17_500_000];

/// A blob, and how to make its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Blob {
    pub(crate) digest: String,
    pub(crate) length: usize,
    source: Source,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Source {
    Noise(u64),
    Text(String),
}

impl Blob {
    pub(crate) fn noise(seed: u64, length: usize) -> Self {
        Self::of(Source::Noise(seed), length)
    }

    pub(crate) fn text(text: String) -> Self {
        let length = text.len();
        Self::of(Source::Text(text), length)
    }

    fn of(source: Source, length: usize) -> Self {
        Self {
            digest: digest(&source.bytes(length)),
            length,
            source,
        }
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.source.bytes(self.length)
    }
}

impl Source {
    fn bytes(&self, length: usize) -> Vec<u8> {
        match self {
            Self::Noise(seed) => noise(*seed, length),
            Self::Text(text) => text.clone().into_bytes(),
        }
    }
}

/// The layers that all clients make their images of.
pub(crate) struct Layers {
    small: Vec<Blob>,
    large: Vec<Blob>,
}

impl Layers {
    pub(crate) fn new(seed: u64) -> Self {
        let mut random = StdRng::seed_from_u64(seed);
        let mut noise = |length| Blob::noise(random.random(), length);
        let large = LARGE.map(&mut noise).to_vec();
        let small = |number| noise(1_000 + number * 10_000);
        Self {
            small: (0..SMALL).map(small).collect(),
            large,
        }
    }

    /// The layers of one image.
    pub(crate) fn some(&self, random: &mut StdRng) -> Vec<Blob> {
        let count = random.random_range(1..=3);
        let mut layers: Vec<Blob> = self.small.sample(random, count).cloned().collect();
        if random.random_range(0..12) == 0 {
            layers.extend(self.large.choose(random).cloned());
        }
        layers
    }
}
