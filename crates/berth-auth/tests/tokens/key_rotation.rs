//! Signing keys are made, replaced and forgotten, by as many replicas as there are.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime};

use berth_auth::{
    AuthenticationError, Identity, Rejection, SigningKeyStore, StoredKey, TokenService,
    TokenSettings,
};
use secrecy::{ExposeSecret, SecretString};
use tokio::time;

use crate::forging::{OTHER_P256, P256, part};
use crate::signing_key_store::MemoryKeys;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const MINUTE: Duration = Duration::from_secs(60);

fn replica(store: &Arc<MemoryKeys>) -> TokenService {
    TokenService::new(TokenSettings::default(), store.clone())
}

async fn token(service: &TokenService) -> SecretString {
    let alice = Identity::named("alice");
    service.issue(&alice, &[], None).await.unwrap().token
}

fn key_of(token: &SecretString) -> String {
    let header = part(token.expose_secret(), 0);
    header["kid"].as_str().unwrap().to_owned()
}

/// Lets time pass for what is refreshed, and not for tokens.
async fn pass(duration: Duration) {
    time::pause();
    time::advance(duration).await;
    time::resume();
}

#[tokio::test]
async fn the_first_key_is_made_when_it_is_needed_and_shared() {
    let store = Arc::new(MemoryKeys::default());
    let (one, other) = (replica(&store), replica(&store));
    assert!(store.ids().is_empty());
    let (first, second) = tokio::join!(token(&one), token(&other));
    assert_eq!(store.ids().len(), 1);
    assert_eq!(key_of(&first), key_of(&second));
    assert!(other.verify(first.expose_secret()).await.is_ok());
    assert!(one.verify(second.expose_secret()).await.is_ok());
}

#[tokio::test]
async fn a_key_that_somebody_adds_signs_once_it_is_noticed() {
    let store = Arc::new(MemoryKeys::default());
    let service = replica(&store);
    let before = token(&service).await;
    let added = StoredKey::generate(SystemTime::now()).unwrap();
    store.add(&added, added.created_at).await.unwrap();
    store.age(MINUTE * 3);
    pass(Duration::from_secs(180)).await;
    let after = token(&service).await;
    assert_eq!(key_of(&after), added.id);
    for token in [before, after] {
        assert!(service.verify(token.expose_secret()).await.is_ok());
    }
}

#[tokio::test]
async fn replicas_that_start_at_once_agree_on_a_key() {
    let store = Arc::new(MemoryKeys::default());
    let replicas: Vec<_> = (0..8).map(|_| replica(&store)).map(Arc::new).collect();
    let tokens = replicas
        .iter()
        .map(Arc::clone)
        .map(|replica| tokio::spawn(async move { token(&replica).await }));
    for issued in tokens.collect::<Vec<_>>() {
        let issued = issued.await.unwrap();
        for replica in &replicas {
            assert!(replica.verify(issued.expose_secret()).await.is_ok());
        }
    }
    assert_eq!(store.ids().len(), 1);
}

#[tokio::test]
async fn an_old_key_gets_a_successor_and_still_verifies() {
    let store = Arc::new(MemoryKeys::default());
    let service = replica(&store);
    let old = token(&service).await;
    store.age(DAY * 29);
    pass(Duration::from_secs(130)).await;
    assert_eq!(key_of(&token(&service).await), key_of(&old));
    store.age(DAY * 2);
    pass(Duration::from_secs(130)).await;
    // Other replicas may not know the new one yet.
    assert_eq!(key_of(&token(&service).await), key_of(&old));
    assert_eq!(store.ids().len(), 2);
    store.age(MINUTE * 2);
    pass(Duration::from_secs(130)).await;
    let new = token(&service).await;
    assert_ne!(key_of(&new), key_of(&old));
    assert!(service.verify(old.expose_secret()).await.is_ok());
    assert!(service.verify(new.expose_secret()).await.is_ok());
}

#[tokio::test]
async fn a_key_is_forgotten_long_after_its_last_token_has_expired() {
    let store = Arc::new(MemoryKeys::default());
    let now = SystemTime::now();
    store.put("first", P256, now - DAY * 90);
    store.put("second", OTHER_P256, now - DAY * 60);
    store.put("third", P256, now - DAY * 30);
    let service = replica(&store);
    // That it is time for a fourth, one clock alone says, and it may be wrong.
    token(&service).await;
    assert_eq!(store.ids().len(), 4);
    assert_eq!(store.ids()[..3], ["first", "second", "third"]);

    // When the third was made, tokens of the first went on to be good for an hour.
    store.age(DAY * 31);
    pass(Duration::from_secs(130)).await;
    token(&service).await;
    let ids = store.ids();
    assert_eq!(ids.len(), 4);
    assert_eq!(ids[..2], ["second", "third"]);
}

#[tokio::test]
async fn a_clock_that_is_far_ahead_makes_no_key_forgotten() {
    let store = Arc::new(MemoryKeys::default());
    let now = SystemTime::now();
    store.put("older", P256, now - DAY * 40);
    store.put("newest", OTHER_P256, now - DAY * 10);
    let before = token(&replica(&store)).await;
    assert_eq!(key_of(&before), "newest");

    // A year later, as that replica sees it.
    store.age(DAY * 365);
    let ahead = replica(&store);
    token(&ahead).await;
    store.age(MINUTE * 5);
    pass(Duration::from_secs(130)).await;
    token(&ahead).await;
    assert_eq!(store.ids()[..2], ["older", "newest"]);
    assert_eq!(store.ids().len(), 3);
}

#[tokio::test]
async fn a_key_of_the_future_neither_signs_nor_keeps_others_from_being_made() {
    let store = Arc::new(MemoryKeys::default());
    let now = SystemTime::now();
    store.put("older", P256, now - DAY * 70);
    store.put("newest", OTHER_P256, now - DAY * 29);
    store.put("future", P256, now + DAY * 365);
    let service = replica(&store);
    assert_eq!(key_of(&token(&service).await), "newest");
    assert_eq!(store.ids(), ["older", "newest", "future"]);

    store.age(DAY * 2);
    pass(Duration::from_secs(130)).await;
    token(&service).await;
    assert_eq!(store.ids().len(), 4);
    store.age(MINUTE * 5);
    pass(Duration::from_secs(130)).await;
    assert_eq!(key_of(&token(&service).await), store.ids()[3]);
}

#[tokio::test]
async fn a_key_that_was_made_by_hand_signs_when_every_replica_knows_it() {
    let store = Arc::new(MemoryKeys::default());
    let service = replica(&store);
    let first = key_of(&token(&service).await);
    store.age(MINUTE * 10);
    store.put("by hand", P256, SystemTime::now());
    pass(Duration::from_secs(130)).await;
    assert_eq!(key_of(&token(&service).await), first);
    store.age(MINUTE * 2);
    pass(Duration::from_secs(130)).await;
    assert_eq!(key_of(&token(&service).await), "by hand");
}

#[tokio::test]
async fn of_keys_that_are_all_new_the_oldest_signs() {
    let store = Arc::new(MemoryKeys::default());
    let now = SystemTime::now();
    store.put("newest", P256, now - Duration::from_secs(1));
    store.put("oldest", OTHER_P256, now - Duration::from_secs(2));
    assert_eq!(key_of(&token(&replica(&store)).await), "oldest");
    let mut keys = store.keys().await.unwrap();
    for (later, expected) in [(0, "oldest"), (1, "oldest"), (3, "newest")] {
        let signer = StoredKey::signer(&keys, now + MINUTE * later);
        assert_eq!(signer.unwrap().id, expected);
    }
    keys.clear();
    assert!(StoredKey::signer(&keys, now).is_none());
}

#[tokio::test]
async fn a_key_of_another_replica_is_found_when_its_first_token_comes() {
    let store = Arc::new(MemoryKeys::default());
    let (one, other) = (replica(&store), replica(&store));
    token(&one).await;
    store.age(MINUTE * 10);
    store.put("new", P256, SystemTime::now() - MINUTE * 3);
    let new = token(&other).await;
    assert_eq!(key_of(&new), "new");
    pass(Duration::from_secs(3)).await;
    assert!(one.verify(new.expose_secret()).await.is_ok());
}

#[tokio::test]
async fn tokens_with_forged_keys_do_not_flood_the_store() {
    let store = Arc::new(MemoryKeys::default());
    let service = Arc::new(replica(&store));
    token(&service).await;
    let stranger = replica(&Arc::new(MemoryKeys::default()));
    let forged = token(&stranger).await;
    pass(Duration::from_secs(3)).await;
    let before = store.reads.load(Ordering::Relaxed);
    let attempts = (0..200).map(|_| {
        let (service, forged) = (Arc::clone(&service), forged.clone());
        tokio::spawn(async move { service.verify(forged.expose_secret()).await })
    });
    for attempt in attempts.collect::<Vec<_>>() {
        let attempt = attempt.await.unwrap();
        assert!(matches!(attempt, Err(Rejection::UnknownKey)));
    }
    assert!(store.reads.load(Ordering::Relaxed) - before <= 2);
}

#[tokio::test]
async fn keys_in_memory_outlast_a_store_that_is_down() {
    let store = Arc::new(MemoryKeys::default());
    let service = replica(&store);
    let before = token(&service).await;
    store.is_down.store(true, Ordering::Relaxed);
    pass(Duration::from_secs(10 * 60)).await;
    assert!(service.verify(before.expose_secret()).await.is_ok());
    token(&service).await;

    pass(Duration::from_secs(2 * 60 * 60)).await;
    let rejection = service.verify(before.expose_secret()).await.unwrap_err();
    assert!(
        matches!(rejection, Rejection::Unavailable(_)),
        "{rejection}"
    );
    let error = AuthenticationError::from(rejection);
    assert!(matches!(error, AuthenticationError::Store(_)));

    store.is_down.store(false, Ordering::Relaxed);
    pass(Duration::from_secs(10)).await;
    assert!(service.verify(before.expose_secret()).await.is_ok());
}

#[tokio::test]
async fn a_key_that_cannot_be_read_leaves_the_others() {
    let store = Arc::new(MemoryKeys::default());
    store.put("good", P256, SystemTime::now() - DAY);
    store.put("damaged", "-----BEGIN PRIVATE KEY-----", SystemTime::now());
    assert_eq!(key_of(&token(&replica(&store)).await), "good");
}
