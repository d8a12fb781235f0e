use std::io;

use berth_spec::Digest;

use super::layout::Layout;
use super::remove_if_there;

/// Removes the files of blobs. Their folders are not synced: a file that comes back is without a record,
/// and goes with the next sweep.
pub(super) fn delete(layout: &Layout, digests: &[Digest]) -> io::Result<u64> {
    let mut removed = 0;
    let mut failed = None;
    for digest in digests {
        match remove_if_there(&layout.blob(digest)) {
            Ok(is_removed) => removed += u64::from(is_removed),
            Err(error) => failed = Some(error),
        }
    }
    failed.map_or(Ok(removed), Err)
}
