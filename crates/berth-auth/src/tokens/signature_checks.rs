use std::num::NonZero;
use std::sync::LazyLock;

use tokio::sync::Semaphore;

/// One for each processor but one: each takes a part of a millisecond, too little for a thread of its own, but a flood of
/// forged tokens must leave a processor to other requests.
static TURNS: LazyLock<Semaphore> = LazyLock::new(|| {
    let processors = std::thread::available_parallelism().map_or(1, NonZero::get);
    Semaphore::new((processors - 1).max(1))
});

/// Makes or checks a signature when it is its turn: first come, first served.
pub(super) async fn in_turn<T>(work: impl FnOnce() -> T) -> T {
    // It is never closed.
    let _turn = TURNS.acquire().await;
    work()
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 16)]
    async fn a_flood_leaves_processors_to_others() {
        static AT_WORK: AtomicUsize = AtomicUsize::new(0);
        static MOST: AtomicUsize = AtomicUsize::new(0);
        let flood = (0..64).map(|_| {
            tokio::spawn(in_turn(|| {
                let at_work = AT_WORK.fetch_add(1, Ordering::SeqCst) + 1;
                MOST.fetch_max(at_work, Ordering::SeqCst);
                std::thread::sleep(Duration::from_millis(5));
                AT_WORK.fetch_sub(1, Ordering::SeqCst);
            }))
        });
        for checked in flood.collect::<Vec<_>>() {
            checked.await.expect("a check");
        }
        let processors = std::thread::available_parallelism().map_or(1, NonZero::get);
        let most = MOST.load(Ordering::SeqCst);
        assert!(most <= (processors - 1).max(1), "{most} of {processors}");
    }
}
