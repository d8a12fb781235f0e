use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

/// Makes a folder, which is its owner's alone if it was not there, and those above it, and syncs the entry of each, or a power cut could take the whole
/// folder along, with all that was synced in it. Those that are there are synced too: whoever made
/// them may not have come that far. Blocks.
///
/// # Errors
/// When it cannot be made, or what is above it cannot be synced that should be.
pub fn make_folder(path: &Path) -> io::Result<()> {
    make_private(path)?;
    for folder in path.canonicalize()?.ancestors().skip(1) {
        match File::open(folder).and_then(|folder| folder.sync_all()) {
            Err(error) if is_not_ours(&error) => {}
            synced => synced?,
        }
    }
    Ok(())
}

fn make_private(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    match DirBuilder::new().mode(0o700).create(path) {
        // Somebody else was faster.
        Err(_) if path.is_dir() => Ok(()),
        made => made,
    }
}

/// Copies what is in a file, and not its mode: the copy will be written to, and only its owner may read it.
pub(crate) fn copy_file(from: &Path, to: &Path) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    let (mut from, mut to) = (File::open(from)?, options.open(to)?);
    io::copy(&mut from, &mut to)?;
    to.sync_all()
}

/// Syncs all that was ever written to the file system that a folder is on.
#[cfg(target_os = "linux")]
pub(crate) fn sync_file_system(folder: &Path) -> io::Result<()> {
    Ok(rustix::fs::syncfs(File::open(folder)?)?)
}

/// Syncs all that was ever written to any file system.
#[cfg(not(target_os = "linux"))]
pub(crate) fn sync_file_system(_: &Path) -> io::Result<()> {
    rustix::fs::sync();
    Ok(())
}

/// Whether this is how a folder that was there before says that it cannot be read or synced: by its
/// permissions, or because its file system has nothing to sync.
fn is_not_ours(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::PermissionDenied
            | io::ErrorKind::InvalidInput
            | io::ErrorKind::ReadOnlyFilesystem
            | io::ErrorKind::Unsupported
    )
}
