//! Who may read the files: there are signing keys in them, and hashes of passwords.

use std::fs::{self, OpenOptions, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use tracing::warn;

use super::connection::unusable;
use super::snapshot::beside;
use crate::MetadataError;

const OWNER_ONLY: u32 = 0o600;
const OTHERS: u32 = 0o077;

/// Makes an empty file for a database that is only its owner's; SQLite gives the files beside it the same mode.
pub(super) fn make_new(path: &Path) -> Result<(), MetadataError> {
    create(path).map_err(|error| unusable(path, &error))
}

/// As [`make_new`]; if there is a file, an older version may have made it, so nobody else may read it from now on.
pub(super) fn make(path: &Path) -> Result<(), MetadataError> {
    match create(path) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
        made => return made.map_err(|error| unusable(path, &error)),
    }
    for file in [path.to_owned(), beside(path, "-wal"), beside(path, "-shm")] {
        if let Err(error) = close_to_others(&file) {
            // Its owner may want that, and runs berth as somebody else.
            let file = file.display();
            warn!(%file, %error, "others can read the metadata, and that cannot be changed");
        }
    }
    Ok(())
}

fn create(path: &Path) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(OWNER_ONLY);
    options.open(path).map(drop)
}

/// By its path: closing the file after having opened it would end the locks that this process has on it.
fn close_to_others(path: &Path) -> io::Result<()> {
    let permissions = match fs::metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        metadata => metadata?.permissions(),
    };
    let mode = permissions.mode();
    match mode & OTHERS {
        0 => Ok(()),
        _ => fs::set_permissions(path, Permissions::from_mode(mode & !OTHERS)),
    }
}
