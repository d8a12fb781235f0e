//! All operations at the same time, with random delays.

mod anything;
mod delays;
mod patient;
mod promises;

use std::sync::Arc;

use berth_metadata::MemoryMetadata;
use berth_registry::MemoryBlobs;
use tokio::runtime::Runtime;

use crate::folder::Folder;
use crate::left::settle;
use crate::process::Process;
use crate::seen::{Seen, look};
use crate::session::Remembered;
use crate::tidy::tidy;
use delays::delays;

/// Things that go on over stores in memory, in an order that the seed decides.
fn in_memory(seed: u64) -> Arc<Process> {
    let stores = (
        Arc::new(MemoryMetadata::default()),
        Arc::new(MemoryBlobs::default()),
    );
    Arc::new(Process::over(stores, &delays(seed), &Remembered::default()))
}

/// Things that go on over SQLite and files, on many threads.
fn on_disk(folder: &Folder, seed: u64) -> Arc<Process> {
    let process = Process::over(folder.open(), &delays(seed), &Remembered::default());
    Arc::new(process)
}

/// Waits for the end of all that goes on, and asserts that what is there is whole, before and after
/// what a registry does every now and then.
async fn end(process: &Process) -> Seen {
    settle(process).await;
    process.faults.cease();
    let seen = look(&process.stored).await;
    tidy(process).await;
    assert_eq!(look(&process.stored).await, seen);
    seen
}

fn threads() -> Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(4)
        .enable_all()
        .build()
        .unwrap()
}
