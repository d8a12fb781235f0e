use berth_metadata::{Counted, Quota, QuotaExceeded, Scope};
use berth_spec::{Digest, RepositoryName, SessionId};
use berth_upload::{BodyError, BodyStream, Content};
use futures_util::StreamExt;

use crate::{Authority, Registry, RegistryError};

/// How large a blob can be at most.
#[derive(Clone, Debug)]
struct Room {
    largest: u64,
    scope: Scope,
    allowed: u64,
    used: u64,
}

impl Room {
    fn take(&self, size: u64) -> Result<(), QuotaExceeded> {
        match size <= self.largest {
            true => Ok(()),
            false => Err(QuotaExceeded {
                scope: self.scope.clone(),
                counted: Counted::Bytes,
                allowed: self.allowed,
                used: self.used,
                added: size,
            }),
        }
    }

    /// The same bytes, up to where they do not fit. `held` came before them.
    fn cut(self, body: BodyStream, held: u64) -> BodyStream {
        let mut size = held;
        let taken = body.map(move |piece| {
            let piece = piece?;
            size = size.saturating_add(piece.len() as u64);
            self.take(size).map_err(BodyError::from)?;
            Ok(piece)
        });
        taken.boxed()
    }
}

impl Registry {
    /// Content of a blob of this repository, which ends with an error where it cannot fit into a quota
    /// any more, so that nobody uploads in vain, and nobody fills the disk with what is refused. Whether the
    /// blob fits is decided when it is linked.
    ///
    /// The bytes go behind those of `session`; `blob` is what they will be, if that is known already.
    ///
    /// # Errors
    /// [`RegistryError::QuotaExceeded`] if the content tells by its length that it is too large.
    pub(crate) async fn cut_to_quotas(
        &self,
        repository: &RepositoryName,
        session: Option<SessionId>,
        blob: Option<&Digest>,
        content: Content,
    ) -> Result<Content, RegistryError> {
        let bounds = self.bounds(repository, Authority::Ordinary);
        let quotas = bounds.quotas();
        if quotas.iter().all(|quota| quota.bytes.is_none()) {
            return Ok(content);
        }
        let held = match session {
            Some(id) => self.uploads.status(repository, id).await?,
            None => 0,
        };
        let known = match blob {
            Some(digest) => self.metadata.blob(repository, digest).await?,
            None => None,
        };
        let Some(mut room) = self.room(quotas, blob.is_some()).await? else {
            return Ok(content);
        };
        if let Some(known) = known {
            // It adds nothing, if it is what it is said to be: then it has this size.
            room.largest = room.largest.max(known.size);
        }
        let Some(length) = content.length else {
            let body = room.cut(content.body, held);
            return Ok(Content { body, ..content });
        };
        room.take(held.saturating_add(length))?;
        Ok(content)
    }

    async fn room(&self, quotas: &[Quota], is_new: bool) -> Result<Option<Room>, RegistryError> {
        let mut smallest: Option<Room> = None;
        for quota in quotas {
            let Some(allowed) = quota.bytes else { continue };
            let used = self.metadata.usage(&quota.scope).await?.bytes;
            let largest = match is_new {
                true => allowed.saturating_sub(used),
                // It may be there already, and then it is counted in what is used.
                false => allowed.max(used),
            };
            if smallest.as_ref().is_none_or(|room| largest < room.largest) {
                smallest = Some(Room {
                    largest,
                    scope: quota.scope.clone(),
                    allowed,
                    used,
                });
            }
        }
        Ok(smallest)
    }
}
