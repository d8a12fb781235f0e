use std::sync::{Arc, Mutex};

use berth_registry::{Content, Registry, RegistryError, UploadError};
use berth_spec::{Algorithm, Digest, SessionId};
use bytes::Bytes;
use futures_util::{StreamExt, stream};

use crate::contents::{HERE, LAYER, by_sha512, digest};
use crate::every_fault::try_every_fault;
use crate::left::leave_at_every_step;
use crate::process::Process;
use crate::scenario::{Outcome, Scenario};

/// The session that a client pushes by, and how many bytes it was told are there.
pub(crate) type Remembered = Arc<Mutex<Option<(SessionId, u64)>>>;

/// Where the chunks end that come before the last.
const CHUNKS: [u64; 2] = [10, 25];

/// A push in chunks by a client that goes on where it was, whatever happened to the registry.
struct InChunks {
    digest: Digest,
    /// The first chunk breaks off.
    breaks_off: bool,
}

impl InChunks {
    fn of(digest: Digest) -> Self {
        Self {
            digest,
            breaks_off: false,
        }
    }

    /// The session to go on with, if there is one still, and where.
    async fn resume(&self, process: &Process) -> Result<Option<(SessionId, u64)>, RegistryError> {
        let remembered = *process.remembered.lock().unwrap();
        let Some((session, acknowledged)) = remembered else {
            return Ok(None);
        };
        match process.registry.upload_status(&HERE, session).await {
            Ok(offset) => {
                assert!(offset >= acknowledged, "an acknowledged chunk is lost");
                Ok(Some((session, offset)))
            }
            Err(RegistryError::Upload(UploadError::Unknown(_))) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn begin(&self, process: &Process) -> Result<(SessionId, u64), RegistryError> {
        let begun = process.registry.begin_upload(&HERE, Algorithm::default());
        let session = begun.await?;
        *process.remembered.lock().unwrap() = Some((session, 0));
        Ok((session, 0))
    }

    async fn append(
        &self,
        registry: &Registry,
        session: SessionId,
        offset: u64,
        end: u64,
    ) -> Result<u64, RegistryError> {
        let chunk = chunk(offset, end);
        if !self.breaks_off || offset > 0 {
            return registry.append_upload(&HERE, session, chunk).await;
        }
        let gone = stream::iter([Err("the client is gone".into())]);
        let broken = Content {
            length: None,
            range: None,
            body: chunk.body.chain(gone).boxed(),
        };
        match registry.append_upload(&HERE, session, broken).await {
            Err(RegistryError::Upload(UploadError::Interrupted { kept, .. })) => Ok(kept),
            other => other,
        }
    }
}

fn chunk(start: u64, end: u64) -> Content {
    let index = |offset| usize::try_from(offset).unwrap();
    let bytes = Bytes::from_static(&LAYER.as_bytes()[index(start)..index(end)]);
    Content::from_bytes(bytes).at(start..end)
}

impl Scenario for InChunks {
    async fn prepare(&self, _: &Process) {}

    async fn operate(&self, process: &Process) -> Outcome {
        let registry = &process.registry;
        let resumed = self.resume(process).await?;
        let was_begun = process.remembered.lock().unwrap().is_some();
        if resumed.is_none() && was_begun {
            // A session ends by becoming a blob, and not otherwise.
            registry.blob(&HERE, &self.digest).await?;
            return Ok(());
        }
        let (session, mut offset) = match resumed {
            Some(resumed) => resumed,
            None => self.begin(process).await?,
        };
        for end in CHUNKS
            .into_iter()
            .filter(|end| *end > offset)
            .collect::<Vec<_>>()
        {
            offset = self.append(registry, session, offset, end).await?;
            assert_eq!(offset, end);
            *process.remembered.lock().unwrap() = Some((session, offset));
        }
        let last = chunk(offset, LAYER.len() as u64);
        registry
            .finish_upload(&HERE, session, &self.digest, last)
            .await?;
        Ok(())
    }
}

#[test]
fn a_push_in_chunks_survives_every_fault() {
    try_every_fault(&InChunks::of(digest(LAYER)));
}

#[test]
fn a_push_in_chunks_can_be_left_at_every_step() {
    leave_at_every_step(&InChunks::of(digest(LAYER)));
}

#[test]
fn a_push_that_broke_off_once_survives_every_fault() {
    try_every_fault(&InChunks {
        breaks_off: true,
        ..InChunks::of(digest(LAYER))
    });
}

#[test]
fn a_push_that_is_hashed_again_survives_every_fault() {
    try_every_fault(&InChunks::of(by_sha512(LAYER)));
}
