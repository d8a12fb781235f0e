use std::time::Duration;

/// How much is measured.
#[derive(Clone, Debug)]
pub(super) struct Scale {
    /// How often each case is measured, each time with a fresh database and bucket: the report tells medians.
    pub(super) rounds: usize,
    /// How many servers there are: up to as many as the last.
    pub(super) servers: &'static [usize],
    /// How long requests for manifests are sent, and images pushed, in each case of a round.
    pub(super) duration: Duration,
    /// The size of the blob that is pulled.
    pub(super) pulled: u64,
    /// How often each connection pulls it.
    pub(super) pulls: usize,
    /// The size of the blobs that are pushed.
    pub(super) pushed: u64,
    /// How often an operation is done whose calls are counted.
    pub(super) operations: usize,
    /// How many manifests the database is filled with.
    pub(super) manifests: usize,
}

impl Scale {
    pub(super) fn of(is_quick: bool) -> Self {
        match is_quick {
            false => Self {
                rounds: 3,
                servers: &[1, 2, 3],
                duration: Duration::from_secs(3),
                pulled: 64 << 20,
                pulls: 2,
                pushed: 32 << 20,
                operations: 50,
                manifests: 100_000,
            },
            true => Self {
                rounds: 3,
                servers: &[1, 3],
                duration: Duration::from_millis(500),
                pulled: 16 << 20,
                pulls: 1,
                pushed: 16 << 20,
                operations: 10,
                manifests: 5_000,
            },
        }
    }

    /// How many servers of each kind are started.
    pub(super) fn most_servers(&self) -> usize {
        self.servers.iter().copied().max().unwrap_or(1)
    }
}
