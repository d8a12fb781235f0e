//! An append-only record of who did what, as JSON lines.
#![forbid(unsafe_code)]
