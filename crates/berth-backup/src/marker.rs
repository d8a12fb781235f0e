use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::Path;

/// The file that tells a backup from the data folder of a registry.
const MARKER: &str = "backup";

/// Whether a folder is marked as a backup, which the next backup may replace. Blocks.
pub fn is_marked(folder: &Path) -> bool {
    folder.join(MARKER).is_file()
}

/// Marks a folder as a backup, durably.
pub(crate) fn mark(folder: &Path) -> io::Result<()> {
    File::create(folder.join(MARKER))?.sync_all()?;
    File::open(folder)?.sync_all()
}

/// Says, durably, that a folder is the data folder of a registry from now on, and no backup any more:
/// no [`Backup`](crate::Backup) will replace what is in it. Whoever opens a folder as a registry, having
/// claimed it, calls this first. Blocks.
///
/// # Errors
/// When the folder cannot be read or changed.
pub fn unmark(folder: &Path) -> io::Result<()> {
    if is_marked(folder) {
        match fs::remove_file(folder.join(MARKER)) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    // Whoever removed it before may not have come this far.
    File::open(folder)?.sync_all()
}
