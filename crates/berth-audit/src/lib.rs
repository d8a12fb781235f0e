//! An append-only record of who did what, as JSON lines.
//!
//! A [`Record`] says what happened; [`AuditLog`] takes records and has one thread write them, in the order in which they
//! are handed over, each as one line with one write. What is in a line is typed or bounded, and all of it is
//! printable ASCII, whatever a client sent: nothing in a line can end it, begin another one, or speak to a terminal.
//!
//! ```
//! use berth_audit::{AuditLog, Event, Outcome, Record, Settings};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! # let path = folder.path().join("audit.jsonl");
//! let (log, thread) = AuditLog::open(&path, Settings::default())?;
//! log.record(Record {
//!     identity: Some("alice".into()),
//!     repository: Some("team/app".parse()?),
//!     reference: Some("1.0".parse()?),
//!     user_agent: Some("skopeo/1.18\n{\"event\":\"login\"}".into()),
//!     ..Record::new(Event::PushManifest, Outcome::Done)
//! })
//! .await;
//! // Whoever ends sees to it that all is written.
//! drop(thread);
//!
//! let written = std::fs::read_to_string(&path)?;
//! assert_eq!(written.lines().count(), 1);
//! let line: serde_json::Value = serde_json::from_str(&written)?;
//! assert_eq!(line["event"], "push_manifest");
//! assert_eq!(line["identity"], "alice");
//! # Ok(())
//! # }
//! ```
#![forbid(unsafe_code)]

mod file;
mod line;
mod log;
mod record;
mod text;
mod writer;

pub use file::OpenError;
pub use log::{AuditLog, AuditThread, Settings, Unwritable};
pub use record::{Counts, Event, Outcome, Record};
pub use text::Text;
