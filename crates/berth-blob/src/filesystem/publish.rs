use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use berth_spec::{Digest, SessionId};

use super::layout::{Layout, sync_folder};
use super::remove_if_there;
use super::staging::{copy_into_place, missing};
use crate::BlobError;

/// Gives a staging file its name as a blob: sync the bytes, make the name, sync the folder.
pub(super) fn publish(
    layout: &Layout,
    session: SessionId,
    length: u64,
    digest: &Digest,
) -> Result<(), BlobError> {
    let staged = layout.staged(session);
    let file = open(&staged, length).map_err(|error| missing(error, session, length))?;
    let found = file.metadata()?.len();
    if found != length {
        return Err(BlobError::StagedBytesMissing {
            session,
            expected: length,
            found,
        });
    }
    // For as long as it lives: whoever has it open may count on its bytes, whatever name it has.
    file.set_permissions(Permissions::from_mode(0o444))?;
    file.sync_data()?;
    let blob = layout.blob(digest);
    let publishing = layout.somebody_publishes();
    match fs::hard_link(&staged, &blob) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            replace(layout, session, length, &blob)?;
        }
        Err(error) if lacks_links(&error) => {
            copy_into_place(&staged, length, &layout.temporary(session), &blob)?;
        }
        Err(error) => return Err(error.into()),
    }
    drop(publishing);
    // Also when the blob was there: whoever published it may not have come this far.
    sync_folder(&layout.folder(digest))?;
    Ok(())
}

/// Puts the staging file in the place of a blob's file.
fn replace(layout: &Layout, session: SessionId, length: u64, blob: &Path) -> io::Result<()> {
    let staged = layout.staged(session);
    // It has been published before, and only its folder is to be synced again.
    if is_same(&staged, blob)? {
        return Ok(());
    }
    let temporary = layout.temporary(session);
    remove_if_there(&temporary)?;
    match fs::hard_link(&staged, &temporary) {
        Ok(()) => fs::rename(&temporary, blob),
        Err(error) if lacks_links(&error) => {
            copy_into_place(&staged, length, &temporary, blob).map(drop)
        }
        Err(error) => Err(error),
    }
}

/// Whether two paths lead to one file. None of them need be there.
fn is_same(one: &Path, other: &Path) -> io::Result<bool> {
    let identity = |path| match fs::metadata(path) {
        Ok(file) => Ok(Some((file.dev(), file.ino()))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    };
    let (one, other) = (identity(one)?, identity(other)?);
    Ok(one.is_some() && one == other)
}

/// The empty blob may have never been staged.
fn open(staged: &Path, length: u64) -> io::Result<File> {
    match File::open(staged) {
        Err(error) if error.kind() == io::ErrorKind::NotFound && length == 0 => {
            File::create_new(staged)
        }
        opened => opened,
    }
}

/// Whether this is how a file system without hard links refuses one.
fn lacks_links(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::Unsupported
            | io::ErrorKind::PermissionDenied
            | io::ErrorKind::TooManyLinks
            | io::ErrorKind::CrossesDevices
    )
}
