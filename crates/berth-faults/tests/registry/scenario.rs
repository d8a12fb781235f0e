use std::error::Error;

use crate::process::Process;
use crate::seen::Seen;

pub(crate) type Outcome = Result<(), Box<dyn Error + Send + Sync>>;

/// Something that a registry does.
pub(crate) trait Scenario {
    /// Makes what is there before.
    async fn prepare(&self, process: &Process);

    /// Does it. To be called again after an error, or in another process after a crash; that it was done
    /// before is no error then.
    async fn operate(&self, process: &Process) -> Outcome;

    /// Asserts what clients do not see, and what is true from the moment that it is acknowledged.
    async fn assert_done(&self, _process: &Process) {}

    /// Whether clients may see this while it is not acknowledged.
    fn allows(&self, seen: &Seen, before: &Seen, after: &Seen) -> bool {
        seen == before || seen == after
    }
}
