//! How far a long task has come, told to whoever shows it.
//!
//! A task tells an [`Observer`] of its [`Progress`]; whether that becomes a bar on a terminal, a line
//! in a log, or a message to another process is not its business.
//!
//! ```
//! use std::sync::Mutex;
//! use berth_progress::{Observer, Progress, Unit};
//!
//! #[derive(Default)]
//! struct Lines(Mutex<Vec<String>>);
//!
//! impl Observer for Lines {
//!     fn tell(&self, progress: &Progress) {
//!         if let Ok(mut lines) = self.0.lock() {
//!             lines.push(format!("{} {}", progress.stage, progress.done));
//!         }
//!     }
//! }
//!
//! let lines = Lines::default();
//! let mut progress = Progress::begin("verifying blobs", Unit::Bytes, Some(10));
//! progress.advance(4, &lines);
//! progress.advance(6, &lines);
//! assert_eq!(*lines.0.lock().unwrap(), ["verifying blobs 4", "verifying blobs 10"]);
//! ```
#![forbid(unsafe_code)]

use serde::{Deserialize, Serialize};

/// How far a stage of a task has come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// What is being done, as in "verifying blobs".
    pub stage: String,
    /// What is counted.
    pub unit: Unit,
    /// How much is done.
    pub done: u64,
    /// How much there is to do, where that is known. It may turn out to be more or less.
    pub total: Option<u64>,
}

/// What a [`Progress`] counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// Things, one by one.
    Items,
    /// Bytes.
    Bytes,
}

impl Progress {
    /// A stage of which nothing is done.
    pub fn begin(stage: impl Into<String>, unit: Unit, total: Option<u64>) -> Self {
        Self {
            stage: stage.into(),
            unit,
            done: 0,
            total,
        }
    }

    /// Counts more as done, and tells of it.
    pub fn advance(&mut self, done: u64, observer: &dyn Observer) {
        self.done = self.done.saturating_add(done);
        observer.tell(self);
    }
}

/// Who wants to know how far a task has come. Is told often, from async code: it must be quick, and
/// may leave out what comes too fast.
pub trait Observer: Send + Sync {
    /// Takes note.
    fn tell(&self, progress: &Progress);
}

/// Nobody.
#[derive(Clone, Copy, Debug, Default)]
pub struct Nobody;

impl Observer for Nobody {
    fn tell(&self, _: &Progress) {}
}
