use std::collections::BTreeSet;
use std::io;

use berth_spec::Digest;

use super::layout::{Layout, sync_folder};
use super::remove_if_there;

/// Removes the files of blobs, and then syncs each of their folders once: the first sync brings nearly
/// all to the disk.
pub(super) fn delete(layout: &Layout, digests: &[Digest]) -> io::Result<u64> {
    let mut removed = 0;
    let mut folders = BTreeSet::new();
    let mut failed = None;
    for digest in digests {
        match remove_if_there(&layout.blob(digest)) {
            Ok(false) => {}
            Ok(true) => {
                removed += 1;
                folders.insert(layout.folder(digest));
            }
            Err(error) => failed = Some(error),
        }
    }
    for folder in &folders {
        sync_folder(folder)?;
    }
    failed.map_or(Ok(removed), Err)
}
