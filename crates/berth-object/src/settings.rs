use std::time::Duration;

/// How an [`ObjectBlobs`](crate::ObjectBlobs) uses its bucket. The defaults suit S3.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The size of the first 2,000 parts of an upload, in bytes; later parts are larger, up to 64 times
    /// this. S3 takes no part below 5 MiB but the last. 8 MiB by default.
    pub part_size: u64,
    /// Larger objects are not copied by the bucket but streamed through this process, in bytes. S3
    /// copies at most 5 GiB in one request, the default.
    pub copy_limit: u64,
    /// How many parts of one upload are sent at once. Each is held in memory until it is stored.
    pub parts_at_once: usize,
    /// How many parts of all uploads are sent at once, beside one of each.
    pub spare_parts: usize,
    /// How often in a row reading a blob goes on after the connection broke and nothing came.
    pub read_attempts: u32,
    /// What is done about requests that fail.
    pub requests: Requests,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            part_size: 8 * 1024 * 1024,
            copy_limit: 5 * 1024 * 1024 * 1024,
            parts_at_once: 3,
            spare_parts: 32,
            read_attempts: 6,
            requests: Requests::default(),
        }
    }
}

/// How long requests to the bucket may take, and how often they are tried. A 5xx, 429 or 408, a
/// connection that fails, and a timeout of what can be repeated without harm are tried again.
#[derive(Clone, Debug)]
pub struct Requests {
    /// How often a request is repeated.
    pub retries: usize,
    /// How long to wait before the first repetition. Later waits are random, and longer.
    pub first_wait: Duration,
    /// How long to wait before a repetition at most.
    pub longest_wait: Duration,
    /// After this time no request is repeated any more, and no read goes on of which nothing came.
    pub give_up_after: Duration,
    /// How long to wait for a connection.
    pub connect_within: Duration,
    /// How long to wait for the head of an answer, or between two pieces of its body. What is sent has
    /// time beside this, at 256 KiB/s.
    pub answer_within: Duration,
    /// The same for requests that make the bucket itself work on many bytes: copying an object, and
    /// putting one together of its parts.
    pub work_within: Duration,
}

impl Default for Requests {
    fn default() -> Self {
        Self {
            retries: 6,
            first_wait: Duration::from_millis(100),
            longest_wait: Duration::from_secs(10),
            give_up_after: Duration::from_secs(60),
            connect_within: Duration::from_secs(5),
            answer_within: Duration::from_secs(30),
            work_within: Duration::from_secs(600),
        }
    }
}

/// S3 takes no more parts.
pub(crate) const MOST_PARTS: usize = 10_000;

/// How much larger the parts from an index on are than the first ones. All together, with the
/// default, they hold 2.2 TiB.
const GROWTH: [(usize, u64); 4] = [(6_000, 64), (4_000, 16), (2_000, 4), (0, 1)];

impl Settings {
    /// How large the part of this index is, unless it is the last.
    pub(crate) fn size_of_part(&self, index: usize) -> usize {
        let growth = GROWTH.iter().find(|(from, _)| index >= *from);
        let size = self.part_size * growth.map_or(1, |(_, times)| *times);
        usize::try_from(size).unwrap_or(usize::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_grow_so_that_ten_thousand_hold_more_than_two_tebibytes() {
        let settings = Settings::default();
        let size = |index| settings.size_of_part(index) as u64;
        assert_eq!(size(0), 8 * 1024 * 1024);
        assert_eq!(size(1_999), size(0));
        assert_eq!(size(2_000), 4 * size(0));
        assert_eq!(size(9_999), 512 * 1024 * 1024);
        let all: u64 = (0..MOST_PARTS).map(size).sum();
        assert!(all > 2 << 40);
    }
}
