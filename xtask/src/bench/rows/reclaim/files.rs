use std::collections::{HashMap, HashSet};
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use crate::bench::image::Blob;

/// The files that hold the bytes of some blobs.
pub(super) struct BlobFiles {
    left: Vec<PathBuf>,
    count: usize,
}

impl BlobFiles {
    /// Finds the files of these blobs beneath a folder, however a registry arranges them: such a
    /// file is as large as the blob, and it or its folder is named after the digest.
    pub(super) fn find(folder: &Path, blobs: &[Blob]) -> Result<Self> {
        let sizes: HashMap<&OsStr, u64> = blobs
            .iter()
            .map(|blob| (OsStr::new(blob.digest.hex()), blob.size))
            .collect();
        let mut found = HashSet::new();
        let mut left = Vec::new();
        walk(folder, &mut |path, size| {
            let names = [path.file_name(), path.parent().and_then(Path::file_name)];
            let mut names = names.into_iter().flatten();
            if let Some(name) = names.find(|name| sizes.get(name) == Some(&size)) {
                found.insert(name.to_owned());
                left.push(path.to_owned());
            }
        })?;
        let missing = sizes.len() - found.len();
        ensure!(
            missing == 0,
            "{missing} blobs have no file that could be watched"
        );
        Ok(Self {
            count: left.len(),
            left,
        })
    }

    /// How many there were.
    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// Whether all are gone. Looks only until it finds one, and not again for what is gone: it can be
    /// asked often and takes the registry no time.
    pub(super) fn are_gone(&mut self) -> bool {
        while self.left.last().is_some_and(|path| !path.exists()) {
            self.left.pop();
        }
        self.left.is_empty()
    }

    /// How many are still there.
    pub(super) fn left(&mut self) -> usize {
        self.left.retain(|path| path.exists());
        self.left.len()
    }
}

/// Tells the path and the size of every file beneath a folder.
fn walk(folder: &Path, tell: &mut impl FnMut(&Path, u64)) -> Result<()> {
    let shown = folder.display();
    let entries = fs::read_dir(folder).with_context(|| format!("cannot read {shown}"))?;
    for entry in entries {
        let entry = entry?;
        let metadata = entry.metadata()?;
        if metadata.is_dir() {
            walk(&entry.path(), tell)?;
        } else {
            tell(&entry.path(), metadata.len());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use berth_spec::Digest;

    use super::*;

    fn blob(bytes: &[u8]) -> Blob {
        Blob {
            digest: Digest::sha256(bytes),
            size: bytes.len() as u64,
        }
    }

    fn write(folder: &Path, path: &str, bytes: &[u8]) -> PathBuf {
        let path = folder.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, bytes).unwrap();
        path
    }

    #[test]
    fn files_are_found_in_every_arrangement_and_watched() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let blobs = [blob(b"layer"), blob(b"config")];
        let [layer, config] = [0, 1].map(|number| blobs[number].digest.hex());
        let by_name = write(folder, &format!("blobs/sha256/{layer}"), b"layer");
        let in_folder = write(folder, &format!("blobs/{config}/data"), b"config");
        write(
            folder,
            &format!("_layers/{layer}/link"),
            b"sha256:of a layer",
        );
        write(folder, "other", b"layer");
        let mut files = BlobFiles::find(folder, &blobs).unwrap();
        assert_eq!((files.count(), files.left()), (2, 2));
        for (path, left) in [(by_name, 1), (in_folder, 0)] {
            assert!(!files.are_gone());
            fs::remove_file(path).unwrap();
            assert_eq!(files.left(), left);
        }
        assert!(files.are_gone());
        assert_eq!(files.count(), 2);
    }

    #[test]
    fn a_blob_without_a_file_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), blob(b"layer").digest.hex(), b"lay");
        assert!(BlobFiles::find(folder.path(), &[blob(b"layer")]).is_err());
    }
}
