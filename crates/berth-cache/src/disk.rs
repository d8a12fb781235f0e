use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;
use std::time::SystemTime;

/// What is asked of the disk while the cache is used, so that tests can have it fail. All of it blocks.
pub(crate) trait Disk: Send + Sync + 'static {
    /// Makes a file that is not there, for writing and reading.
    fn create(&self, path: &Path) -> io::Result<File> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create_new(true);
        options.mode(0o600).open(path)
    }

    fn write(&self, file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
        file.write_all_at(bytes, offset)
    }

    fn sync(&self, file: &File) -> io::Result<()> {
        file.sync_data()
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    /// Opens a file for reading, and remembers that it was used now, for the next start.
    fn open(&self, path: &Path) -> io::Result<File> {
        let file = File::open(path)?;
        // A folder that cannot be written can be read all the same.
        let _ = file.set_modified(SystemTime::now());
        Ok(file)
    }
}

/// The disk as it is.
pub(crate) struct RealDisk;

impl Disk for RealDisk {}
