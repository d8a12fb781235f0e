use std::fmt;

use sha2::digest::common::hazmat::SerializableState;
use sha2::{Digest as _, Sha256, Sha512};

use crate::{Algorithm, Digest};

/// Computes a [`Digest`] over bytes that arrive in pieces, and can be put aside and taken up again.
///
/// [`Hasher::state`] is small (104 or 208 bytes) whatever was hashed, so that an upload session
/// continues after a restart without reading its earlier bytes again.
///
/// ```
/// use berth_spec::{Algorithm, Digest, Hasher};
///
/// let mut first = Hasher::new(Algorithm::Sha256);
/// first.update(b"hello ");
/// let mut second = Hasher::from_state(Algorithm::Sha256, &first.state())?;
/// second.update(b"world");
/// assert_eq!(second.finish(), Digest::sha256(b"hello world"));
/// # Ok::<(), berth_spec::HasherStateError>(())
/// ```
#[derive(Clone)]
pub struct Hasher(State);

#[derive(Clone)]
enum State {
    Sha256(Sha256),
    Sha512(Sha512),
}

/// The stored state of a [`Hasher`] is damaged or belongs to another algorithm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the stored {0} state cannot be read; start the upload again")]
pub struct HasherStateError(pub Algorithm);

impl Hasher {
    /// A hasher that has seen no byte yet.
    pub fn new(algorithm: Algorithm) -> Self {
        Self(match algorithm {
            Algorithm::Sha256 => State::Sha256(Sha256::new()),
            Algorithm::Sha512 => State::Sha512(Sha512::new()),
        })
    }

    /// Takes up where [`Hasher::state`] left off.
    ///
    /// # Errors
    /// When the bytes are not a state of this algorithm.
    pub fn from_state(algorithm: Algorithm, state: &[u8]) -> Result<Self, HasherStateError> {
        let damaged = HasherStateError(algorithm);
        Ok(Self(match algorithm {
            Algorithm::Sha256 => State::Sha256(restore(state).ok_or(damaged)?),
            Algorithm::Sha512 => State::Sha512(restore(state).ok_or(damaged)?),
        }))
    }

    /// The algorithm that this hasher computes.
    pub fn algorithm(&self) -> Algorithm {
        match self.0 {
            State::Sha256(_) => Algorithm::Sha256,
            State::Sha512(_) => Algorithm::Sha512,
        }
    }

    /// Adds bytes. Costs processor time in proportion: keep it off async worker threads.
    pub fn update(&mut self, bytes: &[u8]) {
        match &mut self.0 {
            State::Sha256(hasher) => hasher.update(bytes),
            State::Sha512(hasher) => hasher.update(bytes),
        }
    }

    /// What has been hashed so far, in a form to be stored.
    pub fn state(&self) -> Vec<u8> {
        match &self.0 {
            State::Sha256(hasher) => hasher.serialize().to_vec(),
            State::Sha512(hasher) => hasher.serialize().to_vec(),
        }
    }

    /// The digest of all the bytes added.
    pub fn finish(self) -> Digest {
        match self.0 {
            State::Sha256(hasher) => Digest::from_hash(Algorithm::Sha256, &hasher.finalize()),
            State::Sha512(hasher) => Digest::from_hash(Algorithm::Sha512, &hasher.finalize()),
        }
    }
}

fn restore<H: SerializableState>(state: &[u8]) -> Option<H> {
    let state = state.try_into().ok()?;
    H::deserialize(state).ok()
}

impl fmt::Debug for Hasher {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Hasher({})", self.algorithm())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_damaged_state_is_refused() {
        let state = Hasher::new(Algorithm::Sha256).state();
        assert!(Hasher::from_state(Algorithm::Sha512, &state).is_err());
        assert!(Hasher::from_state(Algorithm::Sha256, &state[1..]).is_err());
        assert!(Hasher::from_state(Algorithm::Sha256, b"").is_err());
    }

    proptest! {
        #[test]
        fn pieces_and_restarts_make_the_digest_of_the_whole(pieces: Vec<Vec<u8>>, long: bool) {
            let algorithm = if long { Algorithm::Sha512 } else { Algorithm::Sha256 };
            let mut hasher = Hasher::new(algorithm);
            for piece in &pieces {
                hasher = Hasher::from_state(algorithm, &hasher.state()).unwrap();
                hasher.update(piece);
            }
            prop_assert_eq!(hasher.finish(), Digest::of(algorithm, &pieces.concat()));
        }
    }
}
