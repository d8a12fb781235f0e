//! Whether sending a part of a file would wait for a disk.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;

/// How far apart the bytes are that [`is_cached`] looks at. The kernel reads ahead at least as much
/// at once, and drops what it read together at about the same time.
#[cfg(target_os = "linux")]
const STEP: u64 = 128 * 1024;

/// How much [`load`] reads at once.
const LOAD_BYTES: usize = 64 * 1024;

/// Whether memory seems to hold this part of a file already: if so, it can be sent at once. Looks
/// at some of its bytes without waiting. `None` where the file system cannot tell.
#[cfg(target_os = "linux")]
pub fn is_cached(file: &File, range: Range<u64>) -> Option<bool> {
    let Some(last) = range.end.checked_sub(1) else {
        return Some(true);
    };
    let mut at = range.start;
    while at < last {
        if !has(file, at)? {
            return Some(false);
        }
        at += STEP;
    }
    has(file, last)
}

#[cfg(target_os = "linux")]
fn has(file: &File, offset: u64) -> Option<bool> {
    use rustix::io::{Errno, IoSliceMut, ReadWriteFlags, preadv2};
    let mut byte = [0];
    let mut slices = [IoSliceMut::new(&mut byte)];
    match preadv2(file, &mut slices, offset, ReadWriteFlags::NOWAIT) {
        Ok(read) => Some(read == 1),
        Err(Errno::OPNOTSUPP | Errno::NOSYS) => None,
        Err(_) => Some(false),
    }
}

/// Whether memory seems to hold this part of a file already. Not to be told here.
#[cfg(not(target_os = "linux"))]
pub fn is_cached(_file: &File, _range: Range<u64>) -> Option<bool> {
    None
}

/// Reads this part of a file, so that it can be sent at once after that. Blocks.
///
/// # Errors
/// When the disk fails, and [`io::ErrorKind::UnexpectedEof`] if the file ends before the range.
pub fn load(file: &File, range: Range<u64>) -> io::Result<()> {
    let mut scratch = vec![0; LOAD_BYTES];
    let mut at = range.start;
    while at < range.end {
        let rest = usize::try_from(range.end - at).unwrap_or(usize::MAX);
        let wanted = rest.min(LOAD_BYTES);
        file.read_exact_at(&mut scratch[..wanted], at)?;
        at += wanted as u64;
    }
    Ok(())
}
