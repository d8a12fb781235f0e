use std::fs::File;
use std::io;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use bytes::Bytes;
use memmap2::{Mmap, MmapOptions};

/// The maps of files that one connection sends. All clones are the same. A map lives as long as its
/// bytes do.
#[derive(Clone, Debug, Default)]
pub struct FileMaps(Arc<Mutex<Vec<Weak<FileMap>>>>);

#[derive(Debug)]
struct FileMap {
    memory: Mmap,
    file: Arc<File>,
    /// Where in the file the memory begins.
    start: u64,
}

/// Where the bytes of a slice come from.
pub(crate) struct Origin {
    pub(crate) file: Arc<File>,
    pub(crate) offset: u64,
}

impl FileMaps {
    /// A range of a file as memory, which costs no memory as long as nobody touches it. A
    /// [`SendfileStream`](crate::SendfileStream) with these maps does not.
    ///
    /// Nobody may write to the file or make it shorter while the answer lives: touching what is gone
    /// kills the process, and the receiver of a file that is changed gets a mixture. As with every
    /// map of a file, that is a promise of the caller which the compiler cannot check.
    ///
    /// # Errors
    /// When the range is not in the file, is larger than the address space, or cannot be mapped.
    pub fn map(&self, file: Arc<File>, range: Range<u64>) -> io::Result<Bytes> {
        if range.end > file.metadata()?.len() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let length = range.end.saturating_sub(range.start);
        if length == 0 {
            return Ok(Bytes::new());
        }
        let length = usize::try_from(length).map_err(io::Error::other)?;
        let map = Arc::new(FileMap {
            memory: map_memory(&file, range.start, length)?,
            file,
            start: range.start,
        });
        let mut maps = self.lock();
        maps.retain(|map| map.strong_count() > 0);
        maps.push(Arc::downgrade(&map));
        Ok(Bytes::from_owner(Mapped(map)))
    }

    /// Where a slice comes from, if it lies in one of the maps.
    pub(crate) fn origin(&self, slice: &[u8]) -> Option<Origin> {
        // An address means something only while its map lives, which the slice itself sees to.
        self.lock()
            .iter()
            .filter_map(Weak::upgrade)
            .find_map(|map| map.origin(slice))
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Weak<FileMap>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl FileMap {
    fn origin(&self, slice: &[u8]) -> Option<Origin> {
        // Addresses are compared, and nothing is read: that would load the page.
        let within = slice
            .as_ptr()
            .addr()
            .checked_sub(self.memory.as_ptr().addr())?;
        let end = within.checked_add(slice.len())?;
        if slice.is_empty() || end > self.memory.len() {
            return None;
        }
        Some(Origin {
            file: Arc::clone(&self.file),
            offset: self.start + within as u64,
        })
    }
}

struct Mapped(Arc<FileMap>);

impl AsRef<[u8]> for Mapped {
    fn as_ref(&self) -> &[u8] {
        &self.0.memory
    }
}

#[allow(unsafe_code)]
fn map_memory(file: &File, start: u64, length: usize) -> io::Result<Mmap> {
    // SAFETY: a slice of the map is valid as long as the file keeps its length and nobody writes to
    // it. That is what `FileMaps::map` asks of its caller: it is for files that are complete before
    // anybody can open them, and are never opened for writing again, only removed, which
    // leaves open files and their maps as they are. The map is read-only, and `Mmap` unmaps it when the last
    // `Bytes` is gone.
    unsafe { MmapOptions::new().offset(start).len(length).map(file) }
}
