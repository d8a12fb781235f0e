//! What must be true when many change the same at the same time: through one opening of a store, or through several, as replicas
//! have of one database. Each test wants an empty store, and a runtime with several threads.

mod accounts;
mod bounds;
mod collection;
mod forsaking;
mod tags;
mod uploads;

use std::sync::Arc;

use berth_spec::RepositoryName;

pub use accounts::one_who_adds_is_first;
pub use bounds::{no_pushes_exceed_a_quota_together, one_push_of_an_immutable_tag_wins};
pub use collection::{nothing_that_is_pushed_is_collected, what_is_counted_is_true};
pub use forsaking::what_is_forsaken_is_recorded_nowhere;
pub use tags::no_change_of_a_tag_is_lost;
pub use uploads::{one_change_of_an_upload_wins, one_has_an_upload_at_a_time};

/// The opening that somebody uses.
fn of<S: ?Sized>(openings: &[Arc<S>], number: usize) -> Arc<S> {
    Arc::clone(&openings[number % openings.len()])
}

/// Repositories of two namespaces, one in the other.
fn repositories() -> [RepositoryName; 4] {
    ["team", "team/app", "team/app/cache", "other"].map(super::repository)
}
