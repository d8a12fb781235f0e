use std::borrow::Cow;
use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use tracing::{error, info};

/// The audit log cannot be opened.
#[derive(Debug, thiserror::Error)]
#[error(
    "the audit log {} cannot be opened: {source}; its folder must be there, and the registry must be allowed to write to it",
    path.display()
)]
pub struct OpenError {
    path: PathBuf,
    source: io::Error,
}

impl OpenError {
    pub(crate) fn new(path: &Path, source: io::Error) -> Self {
        Self {
            path: path.to_owned(),
            source,
        }
    }
}

/// The file to which lines are appended, whatever it is renamed to meanwhile.
#[derive(Debug)]
pub(crate) struct LogFile {
    path: PathBuf,
    open: OpenFile,
    /// It was renamed, and there cannot be a new one.
    is_stuck: bool,
}

#[derive(Debug)]
struct OpenFile {
    file: File,
    identity: (u64, u64),
    /// A device or a pipe has nothing to sync.
    is_regular: bool,
    /// What was written last is not the end of a line.
    is_torn: bool,
}

impl LogFile {
    pub(crate) fn open(path: &Path) -> Result<Self, OpenError> {
        let open = OpenFile::open(path).map_err(|source| OpenError::new(path, source))?;
        Ok(Self {
            path: path.to_owned(),
            open,
            is_stuck: false,
        })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Goes on in a new file if the old one was renamed or removed.
    ///
    /// # Errors
    /// When it is gone and there cannot be a new one.
    pub(crate) fn follow(&mut self) -> io::Result<()> {
        let named = fs::metadata(&self.path);
        match named.is_ok_and(|named| identity(&named) == self.open.identity) {
            true => Ok(()),
            false => self.reopen(),
        }
    }

    /// Goes on in the file that has the log's name now, which is made if there is none.
    ///
    /// # Errors
    /// When there cannot be one, and the one before is gone.
    pub(crate) fn reopen(&mut self) -> io::Result<()> {
        let path = self.path.display();
        match OpenFile::open(&self.path) {
            Ok(open) => {
                if let Err(error) = self.open.sync() {
                    error!(%error, %path, "the end of the audit log's last file may not be durable");
                }
                self.open = open;
                self.is_stuck = false;
                info!(%path, "the audit log goes on in a new file");
                Ok(())
            }
            Err(error) if self.open.is_somewhere() => {
                if !self.is_stuck {
                    error!(%error, %path, "the audit log was moved, and there cannot be a new file: it goes on in the old one");
                }
                self.is_stuck = true;
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    /// Appends a line, with one write. Where that stops in the middle, the next line begins with an end of line.
    pub(crate) fn append(&mut self, line: &[u8]) -> io::Result<()> {
        self.open.append(line)
    }

    /// Makes durable what was appended.
    pub(crate) fn sync(&self) -> io::Result<()> {
        self.open.sync()
    }
}

impl OpenFile {
    fn open(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .mode(0o600)
            .open(path)?;
        let metadata = file.metadata()?;
        let is_regular = metadata.is_file();
        if is_regular {
            // Else a new file could be gone after a crash, with all that was synced to it.
            File::open(folder_of(path))?.sync_all()?;
        }
        Ok(Self {
            is_torn: is_regular && is_torn(&file, metadata.len())?,
            identity: identity(&metadata),
            file,
            is_regular,
        })
    }

    fn append(&mut self, line: &[u8]) -> io::Result<()> {
        let bytes = match self.is_torn {
            true => Cow::Owned([b"\n", line].concat()),
            false => Cow::Borrowed(line),
        };
        let mut rest = &*bytes;
        while !rest.is_empty() {
            match self.file.write(rest) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => {
                    self.is_torn = rest[written - 1] != b'\n';
                    rest = &rest[written..];
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        match self.is_regular {
            true => self.file.sync_data(),
            false => Ok(()),
        }
    }

    /// Whether it still has a name.
    fn is_somewhere(&self) -> bool {
        self.file.metadata().is_ok_and(|open| open.nlink() > 0)
    }
}

/// Whether a file ends in the middle of a line, as after a crash while the disk was full.
fn is_torn(file: &File, length: u64) -> io::Result<bool> {
    let Some(last) = length.checked_sub(1) else {
        return Ok(false);
    };
    let mut byte = [0];
    file.read_exact_at(&mut byte, last)?;
    Ok(byte != *b"\n")
}

fn identity(metadata: &Metadata) -> (u64, u64) {
    (metadata.dev(), metadata.ino())
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}
