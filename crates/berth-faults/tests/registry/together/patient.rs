use berth_registry::{Content, Registry, RegistryError, UploadError};
use berth_spec::{Algorithm, Digest, RepositoryName, SessionId};
use rand::RngExt;
use rand::rngs::SmallRng;
use tokio::time::{sleep, timeout};

use super::delays::milliseconds;
use crate::contents::digest;
use crate::process::Process;

/// Pushes a blob in two chunks. The client goes away in the middle of the first, again and again, and
/// comes back to the same session.
pub(super) async fn push_in_chunks(
    process: &Process,
    repository: &RepositoryName,
    content: &'static str,
    random: &mut SmallRng,
) -> Result<(), RegistryError> {
    let begun = process
        .registry
        .begin_upload(repository, Algorithm::default());
    let push = Push {
        registry: &process.registry,
        repository,
        session: begun.await?,
        content,
    };
    let first = content.len() / 2;
    while push.offset().await? < first {
        let patience = milliseconds(random.random_range(1..40));
        if let Ok(appended) = timeout(patience, push.append(first)).await {
            appended?;
        }
    }
    push.finish(&digest(content)).await
}

struct Push<'a> {
    registry: &'a Registry,
    repository: &'a RepositoryName,
    session: SessionId,
    content: &'static str,
}

impl Push<'_> {
    async fn offset(&self) -> Result<usize, RegistryError> {
        let status = self.registry.upload_status(self.repository, self.session);
        Ok(usize::try_from(status.await?).unwrap())
    }

    async fn append(&self, end: usize) -> Result<(), RegistryError> {
        let chunk = self.chunk(self.offset().await?, end);
        let appended = self
            .registry
            .append_upload(self.repository, self.session, chunk);
        match appended.await {
            Err(error) => wait_if_busy(error).await,
            Ok(_) => Ok(()),
        }
    }

    async fn finish(&self, digest: &Digest) -> Result<(), RegistryError> {
        loop {
            let last = self.chunk(self.offset().await?, self.content.len());
            let finished = self
                .registry
                .finish_upload(self.repository, self.session, digest, last);
            match finished.await {
                Err(error) => wait_if_busy(error).await?,
                Ok(()) => return Ok(()),
            }
        }
    }

    /// Says which bytes they are: an earlier request may still be at work.
    fn chunk(&self, start: usize, end: usize) -> Content {
        let content = Content::from_bytes(&self.content[start..end]);
        content.at(start as u64..end as u64)
    }
}

async fn wait_if_busy(error: RegistryError) -> Result<(), RegistryError> {
    match error {
        RegistryError::Upload(UploadError::Busy(_) | UploadError::OutOfOrder { .. }) => {
            sleep(milliseconds(2)).await;
            Ok(())
        }
        error => Err(error),
    }
}
