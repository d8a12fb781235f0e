use std::fs::{self, File};
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};

use crate::TransferError;

/// A folder that another program wrote. Nothing outside of it is read, whatever links say.
#[derive(Clone, Debug)]
pub(crate) struct Folder {
    /// Without links.
    root: PathBuf,
}

/// An open file, and how many bytes it has.
pub(crate) struct OpenFile {
    pub(crate) file: File,
    pub(crate) size: u64,
    pub(crate) path: PathBuf,
}

impl Folder {
    /// Blocks, as all of these do.
    pub(crate) fn open(path: &Path) -> Result<Self, TransferError> {
        let resolved = path.canonicalize().and_then(|root| match root.is_dir() {
            true => Ok(root),
            false => Err(ErrorKind::NotADirectory.into()),
        });
        match resolved {
            Ok(root) => Ok(Self { root }),
            Err(error) => Err(TransferError::folder(path, error)),
        }
    }

    pub(crate) fn path(&self, relative: &Path) -> PathBuf {
        self.root.join(relative)
    }

    /// Whether there is something of this name, of whatever kind.
    pub(crate) fn has(&self, relative: &Path) -> bool {
        self.path(relative).symlink_metadata().is_ok()
    }

    /// A file, which may be behind links that stay in the folder.
    pub(crate) fn file(&self, relative: &Path) -> io::Result<Option<OpenFile>> {
        let path = match self.path(relative).canonicalize() {
            Err(error) if is_missing(&error) => return Ok(None),
            resolved => resolved?,
        };
        if !path.starts_with(&self.root) {
            return Err(io::Error::other(format!(
                "it is a link that leads out of {}, where nothing is read; put what is meant into the folder, or mount it there",
                self.root.display()
            )));
        }
        // What is no file may wait for ever to be opened.
        if !path.metadata()?.is_file() {
            return Err(io::Error::other("it is no file"));
        }
        let file = File::open(&path)?;
        let size = file.metadata()?.len();
        Ok(Some(OpenFile { file, size, path }))
    }

    /// The bytes of a file that should have no more than `limit`.
    pub(crate) fn read(&self, relative: &Path, limit: u64) -> io::Result<Option<Vec<u8>>> {
        let Some(open) = self.file(relative)? else {
            return Ok(None);
        };
        let mut content = Vec::new();
        open.file
            .take(limit.saturating_add(1))
            .read_to_end(&mut content)?;
        match content.len() as u64 > limit {
            true => Err(io::Error::other(format!("it has more than {limit} bytes"))),
            false => Ok(Some(content)),
        }
    }

    /// The names of the folders in a folder, sorted; links are none. No names, if there is no such folder.
    pub(crate) fn folders(&self, relative: &Path) -> io::Result<Vec<String>> {
        let entries = match fs::read_dir(self.path(relative)) {
            Err(error) if is_missing(&error) => return Ok(Vec::new()),
            entries => entries?,
        };
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                names.extend(entry.file_name().into_string().ok());
            }
        }
        names.sort_unstable();
        Ok(names)
    }
}

/// Whether there is nothing of that name.
fn is_missing(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn nothing_outside_is_read() {
        let outside = tempfile::tempdir().unwrap();
        fs::write(outside.path().join("secret"), "secret").unwrap();
        fs::create_dir(outside.path().join("folder")).unwrap();
        let inside = tempfile::tempdir().unwrap();
        let path = inside.path();
        fs::write(path.join("file"), "file").unwrap();
        symlink(outside.path().join("secret"), path.join("out")).unwrap();
        symlink(outside.path(), path.join("folder")).unwrap();
        symlink("file", path.join("in")).unwrap();
        symlink("nothing", path.join("dangling")).unwrap();
        fs::create_dir(path.join("real")).unwrap();
        let folder = Folder::open(path).unwrap();
        let read = |name: &str| folder.read(Path::new(name), 100);
        assert_eq!(read("in").unwrap().unwrap(), b"file");
        assert_eq!(read("dangling").unwrap(), None);
        for name in ["out", "folder/secret", "../secret"] {
            let outside = path.parent().unwrap().join("secret");
            fs::write(&outside, "beside").unwrap();
            let error = read(name).unwrap_err().to_string();
            fs::remove_file(outside).unwrap();
            assert!(error.contains("leads out of"), "{name}: {error}");
        }
        assert_eq!(folder.folders(Path::new("")).unwrap(), ["real"]);
        assert!(read("real").unwrap_err().to_string().contains("no file"));
    }

    #[test]
    fn a_file_that_is_too_long_is_not_taken_for_its_beginning() {
        let inside = tempfile::tempdir().unwrap();
        fs::write(inside.path().join("file"), "12345").unwrap();
        let folder = Folder::open(inside.path()).unwrap();
        assert!(folder.read(Path::new("file"), 4).is_err());
        assert_eq!(folder.read(Path::new("file"), 5).unwrap().unwrap().len(), 5);
    }
}
