use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use berth_spec::Digest;

use super::layout::{Layout, sync_folder};
use super::remove_if_there;
use crate::BlobError;

/// Moves a blob's file aside, if it is the one that was `read`.
pub(super) fn quarantine(layout: &Layout, digest: &Digest, read: &File) -> Result<bool, BlobError> {
    fs::create_dir_all(layout.quarantine())?;
    sync_folder(layout.root())?;
    let _alone = layout.nobody_publishes();
    let blob = layout.blob(digest);
    if !is_file(&blob, read)? {
        return Ok(false);
    }
    let place = reserve(layout.quarantine(), digest)?;
    if let Err(error) = fs::rename(&blob, &place) {
        remove_if_there(&place)?;
        // Somebody deleted it, which needs no lock.
        let is_gone = error.kind() == io::ErrorKind::NotFound;
        return if is_gone {
            Ok(false)
        } else {
            Err(error.into())
        };
    }
    // The new name, and then that the old one is gone: a crash must not take both.
    sync_folder(layout.quarantine())?;
    sync_folder(&layout.folder(digest))?;
    Ok(true)
}

/// Whether a path leads to an open file.
fn is_file(path: &Path, open: &File) -> io::Result<bool> {
    let found = match fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        found => found?,
    };
    let open = open.metadata()?;
    Ok((found.dev(), found.ino()) == (open.dev(), open.ino()))
}

/// Makes an empty file to be replaced, so that nothing that is there already is.
fn reserve(quarantine: &Path, digest: &Digest) -> io::Result<PathBuf> {
    let (algorithm, hex) = (digest.algorithm(), digest.hex());
    for number in 1u64.. {
        let place = quarantine.join(format!("{algorithm}-{hex}.{number}"));
        match File::create_new(&place) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            made => return made.map(|_| place),
        }
    }
    Err(io::ErrorKind::AlreadyExists.into())
}
