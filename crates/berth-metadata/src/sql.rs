//! What stores in SQL databases have in common: the tables, queries that are the same in every database, and what their
//! rows mean. For whoever implements the traits of this crate over another database; whoever uses them needs none of it.

pub mod pages;
pub mod rows;
pub mod schema;
pub mod stored;
pub mod usage;

/// The state of a blob that may be read for good.
pub const LIVE: &str = "live";

/// The state of a blob that goes, unless somebody needs it again.
pub const CONDEMNED: &str = "condemned";
