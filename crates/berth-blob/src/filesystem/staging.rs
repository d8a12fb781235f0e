use std::fs::{self, File, OpenOptions};
use std::io::{self, IoSlice, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::MetadataExt;
use std::sync::Arc;

use async_trait::async_trait;
use berth_spec::SessionId;
use bytes::Bytes;

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
        let mut file = OpenOptions::new()
            .write(true)
            .create(offset == 0)
            .truncate(false)
            .open(&path)
            .map_err(|error| missing(error, session, offset))?;
        let metadata = file.metadata()?;
        if metadata.len() < offset {
            return Err(BlobError::StagedBytesMissing {
                session,
                expected: offset,
                found: metadata.len(),
            });
        }
        // A second name means that the file is a published blob, which must never change.
        let is_published = metadata.nlink() > 1;
        if is_published {
            file = replace_by_copy(&layout, session, offset)?;
        } else if metadata.len() > offset {
            file.set_len(offset)?;
        }
        file.seek(SeekFrom::Start(offset))?;
        Ok(Self {
            is_new: offset == 0 || is_published,
            layout,
            file: Some(file),
            syncing: SyncBehind::default(),
        })
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
    let temporary = layout.temporary(session);
    let shared = File::open(layout.staged(session))?;
    let mut copy = File::create(&temporary)?;
    io::copy(&mut shared.take(length), &mut copy)?;
    // These bytes were acknowledged once: their copy must be durable before it takes their place.
    copy.sync_data()?;
    fs::rename(&temporary, layout.staged(session))?;
    Ok(copy)
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
