use std::time::Duration;

use p256::elliptic_curve::Generate;
use quick_cache::sync::Cache;
use secrecy::{ExposeSecret, SecretBox, SecretString};
use sha2::{Digest, Sha256};
use tokio::time::Instant;

use super::StoredHash;
use crate::RandomError;

/// How many verdicts are kept.
const KEPT: usize = 8192;

/// How long it is known that a password is right. It is known of one stored hash: a password that was changed since is
/// verified anew.
const RIGHT_FOR: Duration = Duration::from_secs(300);

/// How long it is known that a password is wrong.
const WRONG_FOR: Duration = Duration::from_secs(10);

/// What was found of passwords lately, so that a client that shows the same one again costs nothing. No password is kept, but a
/// hash of it that is worth nothing without the key, and the key is in this process alone.
pub(super) struct Verdicts {
    key: SecretBox<[u8; 32]>,
    verdicts: Cache<Attempt, Verdict>,
}

/// The keyed hash of a name, a password and the hash that it was compared with.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Attempt([u8; 32]);

#[derive(Clone, Copy)]
struct Verdict {
    is_right: bool,
    until: Instant,
}

impl Verdicts {
    pub(super) fn new() -> Result<Self, RandomError> {
        let key = <[u8; 32]>::try_generate().map_err(|error| RandomError(error.into()))?;
        Ok(Self {
            key: SecretBox::new(Box::new(key)),
            verdicts: Cache::new(KEPT),
        })
    }

    pub(super) fn attempt(
        &self,
        name: &str,
        password: &SecretString,
        hash: &StoredHash,
    ) -> Attempt {
        // Nobody gets to see the outcome, so a key in front is as good as an HMAC.
        let mut hasher = Sha256::new_with_prefix(self.key.expose_secret());
        for part in [name, password.expose_secret(), hash.text().expose_secret()] {
            hasher.update((part.len() as u64).to_le_bytes());
            hasher.update(part);
        }
        Attempt(hasher.finalize().into())
    }

    /// The verdict that is known, or else the one that `judging` comes to. Of several that ask for the same at the same
    /// time, one judges.
    pub(super) async fn of<E>(
        &self,
        attempt: &Attempt,
        judging: impl Future<Output = Result<bool, E>>,
    ) -> Result<bool, E> {
        let is_over = |verdict: &Verdict| verdict.until <= Instant::now();
        self.verdicts.remove_if(attempt, is_over);
        let guard = match self.verdicts.get_value_or_guard_async(attempt).await {
            Ok(verdict) => return Ok(verdict.is_right),
            Err(guard) => guard,
        };
        let is_right = judging.await?;
        let time = match is_right {
            true => RIGHT_FOR,
            false => WRONG_FOR,
        };
        let until = Instant::now() + time;
        // It is refused when the verdict was removed meanwhile, which does no harm.
        let _ = guard.insert(Verdict { is_right, until });
        Ok(is_right)
    }

    /// Whether the verdict is known, and the password right.
    pub(super) fn is_right(&self, attempt: &Attempt) -> bool {
        let verdict = self.verdicts.get(attempt);
        verdict.is_some_and(|verdict| verdict.is_right && Instant::now() < verdict.until)
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        self.verdicts.len()
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::future::pending;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::task::JoinSet;
    use tokio::time::{advance, sleep, timeout};

    use super::*;

    /// Judges, and counts how often.
    #[derive(Default)]
    struct Judge(AtomicUsize);

    impl Judge {
        async fn says(&self, is_right: bool) -> Result<bool, Infallible> {
            self.0.fetch_add(1, Ordering::Relaxed);
            sleep(Duration::from_millis(10)).await;
            Ok(is_right)
        }

        fn count(&self) -> usize {
            self.0.load(Ordering::Relaxed)
        }
    }

    fn attempt_of(verdicts: &Verdicts, name: &str, password: &str) -> Attempt {
        verdicts.attempt(name, &password.into(), &StoredHash::of_nobody_here())
    }

    #[tokio::test(start_paused = true)]
    async fn a_verdict_is_known_for_its_time() {
        for (is_right, time) in [(true, RIGHT_FOR), (false, WRONG_FOR)] {
            let verdicts = Verdicts::new().expect("random bytes");
            let attempt = attempt_of(&verdicts, "alice", "secret");
            let judge = Judge::default();
            for _ in 0..3 {
                assert_eq!(
                    verdicts.of(&attempt, judge.says(is_right)).await,
                    Ok(is_right)
                );
            }
            assert_eq!(judge.count(), 1);
            assert_eq!(verdicts.is_right(&attempt), is_right);
            advance(time).await;
            assert!(!verdicts.is_right(&attempt));
            // What was right once is judged anew.
            assert_eq!(verdicts.of(&attempt, judge.says(false)).await, Ok(false));
            assert_eq!(judge.count(), 2);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn of_many_at_once_one_judges() {
        let verdicts = Arc::new(Verdicts::new().expect("random bytes"));
        let attempt = attempt_of(&verdicts, "alice", "secret");
        let judge = Arc::new(Judge::default());
        let mut asking = JoinSet::new();
        for _ in 0..20 {
            let (verdicts, judge) = (Arc::clone(&verdicts), Arc::clone(&judge));
            asking.spawn(async move { verdicts.of(&attempt, judge.says(true)).await });
        }
        let found = asking.join_all().await;
        assert_eq!(found, vec![Ok(true); 20]);
        assert_eq!(judge.count(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn who_goes_away_or_fails_leaves_no_verdict() {
        let verdicts = Verdicts::new().expect("random bytes");
        let attempt = attempt_of(&verdicts, "alice", "secret");
        let never = verdicts.of::<Infallible>(&attempt, pending());
        assert!(timeout(Duration::from_secs(1), never).await.is_err());
        assert_eq!(
            verdicts.of(&attempt, async { Err("full") }).await,
            Err("full")
        );

        let judge = Judge::default();
        assert_eq!(verdicts.of(&attempt, judge.says(true)).await, Ok(true));
        assert_eq!(judge.count(), 1);
    }

    #[test]
    fn each_part_of_an_attempt_counts() {
        let verdicts = Verdicts::new().expect("random bytes");
        let others = Verdicts::new().expect("random bytes");
        let attempts = [
            attempt_of(&verdicts, "alice", "secret"),
            attempt_of(&verdicts, "alic", "esecret"),
            attempt_of(&verdicts, "bob", "secret"),
            attempt_of(&verdicts, "alice", "Secret"),
            verdicts.attempt("alice", &"secret".into(), &other_hash()),
            attempt_of(&others, "alice", "secret"),
        ];
        for (position, attempt) in attempts.iter().enumerate() {
            assert!(!attempts[position + 1..].contains(attempt), "{position}");
        }
        assert!(attempts[0] == attempt_of(&verdicts, "alice", "secret"));
    }

    fn other_hash() -> StoredHash {
        let text = "$2y$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW";
        StoredHash::parse(text).expect("a hash")
    }

    #[tokio::test]
    async fn they_do_not_grow_without_bound() {
        let verdicts = Verdicts::new().expect("random bytes");
        for number in 0..KEPT + 1000 {
            let attempt = attempt_of(&verdicts, "alice", &number.to_string());
            let wrong = async { Ok::<_, Infallible>(false) };
            assert_eq!(verdicts.of(&attempt, wrong).await, Ok(false));
        }
        assert!(verdicts.len() <= KEPT);
    }
}
