use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tracing::{debug, warn};

/// Lets this process have as many file handles as it may. It begins with the few that programs with old
/// ways to wait for files can cope with, commonly 1024, and each connection takes one.
pub(crate) fn allow_all() {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    match setrlimit(Resource::Nofile, raised) {
        Ok(()) => debug!(from = limit.current, to = limit.maximum, "file handles"),
        Err(error) => warn!(%error, "cannot raise the limit of file handles"),
    }
}

/// How many file handles this process may have.
pub(crate) fn allowed() -> u64 {
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}
