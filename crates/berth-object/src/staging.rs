use std::sync::Arc;

use async_trait::async_trait;
use berth_blob::{BlobError, StagedWriter};
use berth_spec::SessionId;
use bytes::{Bytes, BytesMut};
use futures_util::TryStreamExt;
use uuid::Uuid;

use crate::error::failed;
use crate::parts::Parts;
use crate::publish::complete;
use crate::reading;
use crate::record::{Record, Staged, Upload};
use crate::shared::Shared;

/// Opens a staging area so that it ends at `offset`.
pub(crate) async fn open(
    shared: &Arc<Shared>,
    session: SessionId,
    offset: u64,
    fence: u64,
) -> Result<ObjectWriter, BlobError> {
    let closed = shared.closed().remove(&session);
    let loaded = shared.load(session).await?;
    let found = match (closed, loaded) {
        // Nobody else has written since.
        (Some(closed), Some(loaded)) if closed.is_of(loaded.version.as_ref()) => Some(closed),
        (_, loaded) => loaded,
    };
    let mut found = match found {
        None if offset == 0 => create(shared, session, fence).await?,
        None => return Err(missing(session, offset, 0)),
        Some(found) => found,
    };
    // Whoever has written it since this one was told to is not written over. And what it writes after this look is
    // another version than the one that was looked at, so it is not written over either.
    if found.record.fence > fence {
        return Err(BlobError::Superseded(session));
    }
    found.record.fence = fence;
    if found.record.length < offset {
        return Err(missing(session, offset, found.record.length));
    }
    let mut writer = ObjectWriter::new(shared, session, found);
    if writer.length() > offset {
        writer.cut(offset).await?;
    }
    Ok(writer)
}

/// Makes an empty staging area.
async fn create(shared: &Arc<Shared>, session: SessionId, fence: u64) -> Result<Staged, BlobError> {
    let mut empty = Staged::default();
    empty.record.fence = fence;
    shared.save(session, &mut empty).await?;
    Ok(empty)
}

pub(crate) fn missing(session: SessionId, expected: u64, found: u64) -> BlobError {
    BlobError::StagedBytesMissing {
        session,
        expected,
        found,
    }
}

/// A staging area that is open for appending.
///
/// Bytes gather in memory until they fill a part. Full parts go into a multipart upload, and at a sync
/// the rest goes into the record, with the list of parts.
pub(crate) struct ObjectWriter {
    shared: Arc<Shared>,
    session: SessionId,
    /// What the record object holds.
    saved: Staged,
    /// The session's upload, with the parts that are known to be stored.
    upload: Option<Upload>,
    /// How many uploads were begun.
    begun: u64,
    sending: Option<Parts>,
    /// How many bytes are in parts, also in those that are being sent.
    in_parts: u64,
    gathered: BytesMut,
    /// Nothing may be written any more.
    is_closed: bool,
    /// What this knows is less than what is saved, and must not take its place.
    is_broken: bool,
}

impl ObjectWriter {
    fn new(shared: &Arc<Shared>, session: SessionId, saved: Staged) -> Self {
        let Record { upload, begun, .. } = saved.record.clone();
        Self {
            shared: Arc::clone(shared),
            session,
            upload,
            begun,
            sending: None,
            in_parts: saved.record.in_parts(),
            gathered: BytesMut::from(&saved.tail[..]),
            saved,
            is_closed: false,
            is_broken: false,
        }
    }

    fn length(&self) -> u64 {
        self.in_parts + self.gathered.len() as u64
    }

    /// Cuts off what is beyond `offset`, at once.
    async fn cut(&mut self, offset: u64) -> Result<(), BlobError> {
        let is_open = self.upload.as_ref().is_none_or(|upload| !upload.sealed);
        match offset.checked_sub(self.in_parts) {
            Some(rest) if is_open => self.gathered.truncate(length(rest)),
            // Bytes of parts cannot be read, and no part can be cut: they become an object first.
            _ => self.begin_again(offset).await?,
        }
        self.save().await
    }

    /// Puts the first `length` bytes of what is saved into a new upload, or into none.
    async fn begin_again(&mut self, length: u64) -> Result<(), BlobError> {
        self.is_broken = true;
        let mut old = None;
        if length > 0 {
            let data = complete(&self.shared, self.session, &mut self.saved).await?;
            old = Some(reading::object(&self.shared, &data, 0..length).await?);
        } else if let Some(upload) = self.upload.take() {
            // A sealed one too: whoever sealed it may have been killed before it was completed.
            abort(&self.shared, self.session, &upload).await?;
        }
        (self.upload, self.sending, self.in_parts) = (None, None, 0);
        self.gathered.clear();
        if let Some(mut old) = old {
            while let Some(piece) = old.try_next().await? {
                self.append(piece).await?;
            }
        }
        self.is_broken = false;
        Ok(())
    }

    async fn append(&mut self, mut piece: Bytes) -> Result<(), BlobError> {
        while !piece.is_empty() {
            let room = self.size_of_part().saturating_sub(self.gathered.len());
            let fits = piece.split_to(room.min(piece.len()));
            self.gathered.extend_from_slice(&fits);
            if self.gathered.len() >= self.size_of_part() {
                self.send_part().await?;
            }
        }
        Ok(())
    }

    fn size_of_part(&self) -> usize {
        let stored = self.upload.as_ref().map_or(0, |upload| upload.parts.len());
        let next = self.sending.as_ref().map_or(stored, Parts::next);
        self.shared.settings.size_of_part(next)
    }

    async fn send_part(&mut self) -> Result<(), BlobError> {
        let mut sending = match self.sending.take() {
            Some(sending) => sending,
            None => self.begin_sending().await?,
        };
        let content = self.gathered.split().freeze();
        self.in_parts += content.len() as u64;
        let sent = sending.send(content).await;
        self.sending = Some(sending);
        sent
    }

    async fn begin_sending(&mut self) -> Result<Parts, BlobError> {
        // There may be parts in it of a writer that crashed or lost the session.
        let is_unused = |upload: &mut Upload| upload.parts.is_empty();
        if let Some(unused) = self.upload.take_if(is_unused) {
            abort(&self.shared, self.session, &unused).await?;
        }
        let (number, id, stored) = match &self.upload {
            Some(upload) => (upload.number, upload.id.clone(), upload.parts.len()),
            None => self.begin_upload().await?,
        };
        let data = self.shared.layout.data(self.session, number);
        Ok(Parts::new(&self.shared, data, id, stored))
    }

    async fn begin_upload(&mut self) -> Result<(u64, String, usize), BlobError> {
        let (number, _) = Uuid::new_v4().as_u64_pair();
        let data = self.shared.layout.data(self.session, number);
        let begun = self.shared.bucket.create_multipart(&data).await;
        let id = begun.map_err(|error| failed(&error))?;
        self.begun += 1;
        let upload = Upload {
            number,
            id: id.clone(),
            parts: Vec::new(),
            sealed: false,
        };
        // Before the first part, so that whoever removes the staging area after a crash knows of it.
        let record = &mut self.saved.record;
        match record.is_small() {
            true => record.upload = Some(upload.clone()),
            false => record.unfinished.push(upload.clone()),
        }
        record.begun = self.begun;
        if let Err(error) = self.shared.save(self.session, &mut self.saved).await {
            // It has no parts. If the record names it all the same, whoever goes on begins another in its place.
            let _left = abort(&self.shared, self.session, &upload).await;
            return Err(error);
        }
        self.upload = Some(upload);
        Ok((number, id, 0))
    }

    /// Makes the record tell what there is. No part may be under way.
    async fn save(&mut self) -> Result<(), BlobError> {
        if self.is_broken {
            return Err(BlobError::Interrupted);
        }
        if let Some(sending) = &mut self.sending {
            let stored = sending.finish().await?;
            let upload = self.upload.as_mut().ok_or(BlobError::Interrupted)?;
            upload.parts.extend(stored);
        }
        let record = &self.saved.record;
        let is_same = record.length == self.length() && record.upload == self.upload;
        if is_same && !self.saved.is_unsaved {
            return Ok(());
        }
        let mut staged = self.state();
        self.shared.save(self.session, &mut staged).await?;
        self.saved = staged;
        Ok(())
    }

    fn state(&self) -> Staged {
        let mut staged = self.saved.clone();
        staged.record.length = self.length();
        staged.record.begun = self.begun;
        staged.record.upload = self.upload.clone();
        let number = self.upload.as_ref().map(|upload| upload.number);
        let unfinished = &mut staged.record.unfinished;
        unfinished.retain(|upload| Some(upload.number) != number);
        staged.tail = Bytes::copy_from_slice(&self.gathered);
        staged.is_unsaved = true;
        staged
    }
}

#[async_trait]
impl StagedWriter for ObjectWriter {
    async fn write(&mut self, pieces: Vec<Bytes>) -> Result<(), BlobError> {
        if self.is_closed {
            return Err(BlobError::Interrupted);
        }
        if pieces.iter().all(Bytes::is_empty) {
            return Ok(());
        }
        // Until here, or forever if this is given up or fails.
        self.is_closed = true;
        if self.upload.as_ref().is_some_and(|upload| upload.sealed) {
            self.begin_again(self.length()).await?;
        }
        for piece in pieces {
            self.append(piece).await?;
        }
        self.is_closed = false;
        Ok(())
    }

    async fn sync(&mut self) -> Result<(), BlobError> {
        self.save().await
    }

    async fn close(&mut self) -> Result<(), BlobError> {
        self.is_closed = true;
        let closed = match self.in_parts > 0 || self.is_broken {
            true => {
                self.save().await?;
                self.saved.clone()
            }
            // A small one is published from memory: it need not go to the bucket twice.
            false => self.state(),
        };
        self.shared.closed().insert(self.session, closed);
        Ok(())
    }
}

fn length(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

/// Gives an upload up. One that was completed stays.
pub(crate) async fn abort(
    shared: &Shared,
    session: SessionId,
    upload: &Upload,
) -> Result<(), BlobError> {
    let data = shared.layout.data(session, upload.number);
    let Err(error) = shared.bucket.abort_multipart(&data, &upload.id).await else {
        return Ok(());
    };
    let is_gone = matches!(error, object_store::Error::NotFound { .. });
    match is_gone || shared.find(&data).await?.is_some() {
        true => Ok(()),
        false => Err(failed(&error)),
    }
}
