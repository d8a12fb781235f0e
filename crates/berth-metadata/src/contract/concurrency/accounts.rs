use std::sync::Arc;
use std::time::SystemTime;

use tokio::task::JoinSet;

use super::of;
use crate::{AccountStore, RobotTokenRecord, SigningKeyRecord, UserRecord};

/// Many add the same user, token and key, as replicas and impatient people do.
///
/// # Panics
/// When not exactly one of them succeeds.
pub async fn one_who_adds_is_first(openings: &[Arc<dyn AccountStore>]) {
    let mut adding = JoinSet::new();
    for number in 0..20 {
        let store = of(openings, number);
        adding.spawn(async move { add(&*store, number).await });
    }
    let mut first = [0; 3];
    for added in adding.join_all().await {
        for (count, was_added) in first.iter_mut().zip(added) {
            *count += usize::from(was_added);
        }
    }
    assert_eq!(first, [1, 1, 1]);
    for store in openings {
        assert_eq!(store.signing_keys().await.unwrap().len(), 1);
    }
}

/// Whether the user, the token and the key were added.
async fn add(store: &dyn AccountStore, number: usize) -> [bool; 3] {
    let user = UserRecord {
        name: "alice".to_owned(),
        password_hash: "hash".into(),
        groups: ["ops".to_owned()].into(),
        created_at: SystemTime::now(),
        expires_at: None,
    };
    let token = RobotTokenRecord {
        id: number.to_string(),
        name: "ci".to_owned(),
        secret_hash: "hash".into(),
        scope: "[]".to_owned(),
        created_at: SystemTime::now(),
        expires_at: None,
        revoked_at: None,
    };
    let key = SigningKeyRecord {
        id: number.to_string(),
        private_key: "key".into(),
        created_at: SystemTime::now(),
    };
    let never = SystemTime::UNIX_EPOCH;
    [
        store.add_user(&user).await.unwrap(),
        store.add_robot_token(&token).await.unwrap(),
        store.add_signing_key(&key, never).await.unwrap(),
    ]
}
