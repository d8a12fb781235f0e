use std::time::Duration;

use crate::{Turn, TurnStore};

const HOUR: Duration = Duration::from_secs(60 * 60);

/// So short that a test can wait for it.
const MOMENT: Duration = Duration::from_millis(50);

fn tasks<const N: usize>(names: [&str; N]) -> Vec<String> {
    names.map(str::to_owned).to_vec()
}

async fn take(store: &dyn TurnStore, names: &[String], every: Duration) -> Option<Turn> {
    store.take_turn(names, every, HOUR).await.unwrap()
}

async fn take_any(store: &dyn TurnStore, names: &[String], every: Duration) -> Option<String> {
    let turn = take(store, names, every).await?;
    store.end_turn(&turn).await.unwrap();
    Some(turn.task)
}

/// Runs the suite of [`TurnStore`]. Nobody may have taken a turn in the store.
///
/// # Panics
/// When the implementation breaks the contract.
pub async fn turn_store(store: &dyn TurnStore) {
    each_is_taken_once(store).await;
    what_was_begun_the_longest_ago_comes_first(store).await;
    what_is_abandoned_is_taken_again(store).await;
    what_is_kept_is_not_taken(store).await;
    assert_eq!(take(store, &[], Duration::ZERO).await, None);
}

async fn each_is_taken_once(store: &dyn TurnStore) {
    let names = tasks(["once/b", "once/a"]);
    let first = take(store, &names, HOUR).await.unwrap();
    assert_eq!(first.task, "once/b");
    let second = take(store, &names, HOUR).await.unwrap();
    assert_eq!(second.task, "once/a");
    assert_ne!(first.token, second.token);
    assert_eq!(take(store, &names, Duration::ZERO).await, None);
    store.end_turn(&first).await.unwrap();
    // It was begun less than an hour ago.
    assert_eq!(take(store, &names, HOUR).await, None);
    let again = take(store, &names, Duration::ZERO).await.unwrap();
    assert_eq!(again.task, "once/b");
    assert_ne!(again.token, first.token);
    // That turn is over.
    assert!(!store.keep_turn(&first, HOUR).await.unwrap());
    store.end_turn(&first).await.unwrap();
    assert_eq!(take(store, &names, Duration::ZERO).await, None);
}

async fn what_was_begun_the_longest_ago_comes_first(store: &dyn TurnStore) {
    let names = tasks(["order/a", "order/b", "order/c"]);
    let mut order = Vec::new();
    for _ in 0..5 {
        order.push(take_any(store, &names, Duration::ZERO).await.unwrap());
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    assert_eq!(
        order,
        ["order/a", "order/b", "order/c", "order/a", "order/b"]
    );
    let more = tasks(["order/a", "order/d"]);
    let next = take_any(store, &more, Duration::ZERO).await;
    assert_eq!(next.as_deref(), Some("order/d"));
}

async fn what_is_abandoned_is_taken_again(store: &dyn TurnStore) {
    let names = tasks(["abandoned"]);
    let lost = store
        .take_turn(&names, HOUR, MOMENT)
        .await
        .unwrap()
        .unwrap();
    tokio::time::sleep(2 * MOMENT).await;
    let turn = take(store, &names, HOUR).await.unwrap();
    assert_eq!(turn.task, lost.task);
    assert!(!store.keep_turn(&lost, HOUR).await.unwrap());
    store.end_turn(&lost).await.unwrap();
    assert!(store.keep_turn(&turn, HOUR).await.unwrap());
}

async fn what_is_kept_is_not_taken(store: &dyn TurnStore) {
    let names = tasks(["kept"]);
    let turn = store
        .take_turn(&names, HOUR, MOMENT)
        .await
        .unwrap()
        .unwrap();
    assert!(store.keep_turn(&turn, HOUR).await.unwrap());
    tokio::time::sleep(2 * MOMENT).await;
    assert_eq!(take(store, &names, Duration::ZERO).await, None);
    store.end_turn(&turn).await.unwrap();
    assert_eq!(
        take_any(store, &names, Duration::ZERO).await,
        Some(turn.task)
    );
}
