use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, IoSlice, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use berth_spec::SessionId;
use bytes::Bytes;
use tracing::warn;

use super::blocking::blocking;
use super::layout::{Layout, sync_folder};
use super::sync_behind::SyncBehind;
use crate::{BlobError, StagedWriter};

/// A staging file that is open for appending.
pub(super) struct FileWriter {
    layout: Arc<Layout>,
    /// `None` while a blocking thread has it, and ever after if that thread was cut off.
    file: Option<File>,
    /// Whether the file's entry in its folder may not be durable yet.
    is_new: bool,
    /// The session, if the file is a published blob still and must be replaced before it is written.
    published: Option<SessionId>,
    /// How many bytes it had when it was opened.
    length: u64,
    syncing: SyncBehind,
}

impl FileWriter {
    /// Opens the staging file so that it ends at `offset`.
    pub(super) fn open(
        layout: Arc<Layout>,
        session: SessionId,
        offset: u64,
    ) -> Result<Self, BlobError> {
        let path = layout.staged(session);
        let opened = match is_published(&path)? {
            true => File::open(&path),
            false => OpenOptions::new()
                .write(true)
                .create(offset == 0)
                .truncate(false)
                .open(&path),
        };
        let mut file = opened.map_err(|error| missing(error, session, offset))?;
        let metadata = file.metadata()?;
        if metadata.len() < offset {
            return Err(BlobError::StagedBytesMissing {
                session,
                expected: offset,
                found: metadata.len(),
            });
        }
        let is_published = was_published(&metadata);
        let is_longer = metadata.len() > offset;
        if is_published && is_longer {
            file = replace_by_copy(&layout, session, offset)?;
        } else if is_longer {
            file.set_len(offset)?;
        }
        file.seek(SeekFrom::Start(offset))?;
        Ok(Self {
            is_new: offset == 0 || is_published,
            // Until something is appended, which may never be, no copy is needed.
            published: (is_published && !is_longer).then_some(session),
            length: offset,
            layout,
            file: Some(file),
            syncing: SyncBehind::default(),
        })
    }

    /// Replaces a file that is also a published blob.
    async fn own_the_file(&mut self) -> Result<(), BlobError> {
        let Some(session) = self.published else {
            return Ok(());
        };
        let (layout, length) = (Arc::clone(&self.layout), self.length);
        self.with_file(move |file| {
            *file = replace_by_copy(&layout, session, length)?;
            Ok(())
        })
        .await?;
        self.published = None;
        Ok(())
    }

    /// Lends the file to a blocking thread.
    async fn with_file(
        &mut self,
        work: impl FnOnce(&mut File) -> Result<(), BlobError> + Send + 'static,
    ) -> Result<(), BlobError> {
        let mut file = self.file.take().ok_or(BlobError::Interrupted)?;
        let (file, done) = blocking(move || {
            let done = work(&mut file);
            Ok((file, done))
        })
        .await?;
        self.file = Some(file);
        done
    }
}

#[async_trait]
impl StagedWriter for FileWriter {
    async fn write(&mut self, pieces: Vec<Bytes>) -> Result<(), BlobError> {
        let length = pieces.iter().map(Bytes::len).sum();
        self.own_the_file().await?;
        self.with_file(move |file| Ok(write_all(file, &pieces)?))
            .await?;
        match &self.file {
            Some(file) => self.syncing.written(file, length).await,
            None => Err(BlobError::Interrupted),
        }
    }

    async fn sync(&mut self) -> Result<(), BlobError> {
        self.syncing.finish().await?;
        let layout = self.is_new.then(|| Arc::clone(&self.layout));
        self.with_file(move |file| {
            file.sync_data()?;
            if let Some(layout) = layout {
                sync_folder(layout.uploads())?;
            }
            Ok(())
        })
        .await?;
        self.is_new = false;
        Ok(())
    }

    async fn close(&mut self) -> Result<(), BlobError> {
        self.syncing.finish().await
    }
}

fn is_published(path: &Path) -> io::Result<bool> {
    match fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        metadata => Ok(was_published(&metadata?)),
    }
}

/// Whether the file is a published blob, or was once, so that somebody may still read it: it must never
/// change. Earlier versions left only a second name as a sign of that.
fn was_published(metadata: &Metadata) -> bool {
    metadata.permissions().readonly() || metadata.nlink() > 1
}

fn write_all(file: &mut File, pieces: &[Bytes]) -> io::Result<()> {
    let mut slices: Vec<IoSlice<'_>> = pieces.iter().map(|piece| IoSlice::new(piece)).collect();
    let mut rest = slices.as_mut_slice();
    // Leading empty slices would make the first write look like the end of the disk.
    IoSlice::advance_slices(&mut rest, 0);
    while !rest.is_empty() {
        match file.write_vectored(rest) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => IoSlice::advance_slices(&mut rest, written),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Gives the session a file of its own with the first `length` bytes of the shared one.
fn replace_by_copy(layout: &Layout, session: SessionId, length: u64) -> Result<File, BlobError> {
    let staged = layout.staged(session);
    Ok(copy_into_place(
        &staged,
        length,
        &layout.temporary(session),
        &staged,
    )?)
}

/// Puts a durable copy of the first `length` bytes of a file where another one is, or is to be. What
/// is there stays as it is until then; and if the copy fails, its room is given back.
pub(super) fn copy_into_place(
    original: &Path,
    length: u64,
    temporary: &Path,
    place: &Path,
) -> io::Result<File> {
    let original = File::open(original)?;
    let mut copy = File::create(temporary)?;
    let placed = fill(&mut copy, original, length).and_then(|()| fs::rename(temporary, place));
    if placed.is_err()
        && let Err(error) = fs::remove_file(temporary)
    {
        warn!(path = %temporary.display(), %error, "cannot remove what a failed copy left");
    }
    placed.map(|()| copy)
}

fn fill(copy: &mut File, original: File, length: u64) -> io::Result<()> {
    let copied = io::copy(&mut original.take(length), copy)?;
    if copied < length {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    // These bytes were acknowledged once: their copy must be durable before it takes their place.
    copy.sync_data()
}

/// Opens a staging file that has at least `length` bytes.
pub(super) fn open_for_reading(
    layout: &Layout,
    session: SessionId,
    length: u64,
) -> Result<File, BlobError> {
    let file =
        File::open(layout.staged(session)).map_err(|error| missing(error, session, length))?;
    match file.metadata()?.len() {
        found if found < length => Err(BlobError::StagedBytesMissing {
            session,
            expected: length,
            found,
        }),
        _ => Ok(file),
    }
}

/// A file that is not there holds no bytes.
pub(super) fn missing(error: io::Error, session: SessionId, expected: u64) -> BlobError {
    if error.kind() != io::ErrorKind::NotFound {
        return error.into();
    }
    BlobError::StagedBytesMissing {
        session,
        expected,
        found: 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::OwnedFd;

    /// The kernel tells of a failed sync once, and then the file looks as if nothing had happened.
    #[tokio::test]
    async fn a_sync_that_failed_in_the_background_is_told_at_the_end() {
        let folder = tempfile::tempdir().unwrap();
        let layout = Arc::new(Layout::create(folder.path()).unwrap());
        for is_synced in [false, true] {
            let session = SessionId::random();
            let mut writer = FileWriter::open(Arc::clone(&layout), session, 0).unwrap();
            let (_, unsyncable) = io::pipe().unwrap();
            let unsyncable = File::from(OwnedFd::from(unsyncable));
            let stride = SyncBehind::STRIDE;
            writer.syncing.written(&unsyncable, stride).await.unwrap();
            let ended = match is_synced {
                true => writer.sync().await,
                false => writer.close().await,
            };
            assert!(ended.is_err());
        }
    }

    #[test]
    fn a_copy_that_fails_gives_its_room_back() {
        let folder = tempfile::tempdir().unwrap();
        let [original, temporary, place] =
            ["original", "temporary", "place"].map(|name| folder.path().join(name));
        fs::write(&original, b"content").unwrap();
        let too_long = copy_into_place(&original, 8, &temporary, &place);
        assert_eq!(too_long.unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
        fs::create_dir(&place).unwrap();
        assert!(copy_into_place(&original, 7, &temporary, &place).is_err());
        assert!(!temporary.exists());
        fs::remove_dir(&place).unwrap();
        copy_into_place(&original, 7, &temporary, &place).unwrap();
        assert_eq!(fs::read(&place).unwrap(), b"content");
        assert!(!temporary.exists());
    }
}
