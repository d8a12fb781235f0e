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
async fn a_key_that_somebody_adds_signs_as_soon_as_it_is_noticed() {
    let store = Arc::new(MemoryKeys::default());
    let service = replica(&store);
    let before = token(&service).await;
    let added = StoredKey::generate(SystemTime::now()).unwrap();
    store.add(&added, added.created_at).await.unwrap();
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
    let new = token(&service).await;
    assert_ne!(key_of(&new), key_of(&old));
    assert!(service.verify(old.expose_secret()).await.is_ok());
    assert!(service.verify(new.expose_secret()).await.is_ok());
}

#[tokio::test]
async fn a_key_is_forgotten_once_its_last_token_has_expired() {
    let store = Arc::new(MemoryKeys::default());
    let now = SystemTime::now();
    // Its successor is younger than a refresh token gets.
    store.put("needed", P256, now - DAY * 50);
    store.put("newest", OTHER_P256, now - DAY * 29);
    let service = replica(&store);
    token(&service).await;
    assert_eq!(store.ids(), ["needed", "newest"]);

    store.age(DAY * 3);
    pass(Duration::from_secs(130)).await;
    token(&service).await;
    let ids = store.ids();
    assert_eq!(ids.len(), 2);
    assert_eq!(ids[0], "newest");
}

#[tokio::test]
async fn a_key_that_was_made_by_hand_signs() {
    let store = Arc::new(MemoryKeys::default());
    let service = replica(&store);
    token(&service).await;
    store.put("by hand", P256, SystemTime::now() + Duration::from_secs(1));
    pass(Duration::from_secs(130)).await;
    assert_eq!(key_of(&token(&service).await), "by hand");
}

#[tokio::test]
async fn a_key_of_another_replica_is_found_when_its_first_token_comes() {
    let store = Arc::new(MemoryKeys::default());
    let (one, other) = (replica(&store), replica(&store));
    token(&one).await;
    store.put("new", P256, SystemTime::now() + Duration::from_secs(1));
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
