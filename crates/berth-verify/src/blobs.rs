use berth_blob::{BlobError, BlobIdentity, BlobReader, BlobStore};
use berth_metadata::Blob;
use berth_progress::{Progress, Unit};
use berth_spec::{BlobName, Digest, DigestRange, Hasher};
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use tokio::task::spawn_blocking;

use crate::run::{BlobRun, Run};
use crate::{BlobDamage, Fault, Problem, Quarantine, VerifyError};

/// How many records are read at once.
const PAGE: u32 = 256;

/// Reads a blob to its end and compares its bytes with its digest and its size; `None` if they agree.
///
/// # Errors
/// [`VerifyError::Interrupted`]. That its bytes cannot be read is an answer.
pub async fn examine_blob(
    blobs: &dyn BlobStore,
    blob: &Blob,
) -> Result<Option<BlobDamage>, VerifyError> {
    let examination = examine(blobs, blob, None).await?;
    Ok(examination.map(|(damage, _)| damage))
}

/// What is wrong, and with what bytes.
type Examination = Option<(BlobDamage, Option<BlobIdentity>)>;

async fn examine(
    blobs: &dyn BlobStore,
    blob: &Blob,
    run: Option<&Run<'_>>,
) -> Result<Examination, VerifyError> {
    let reader = match blobs.open(&blob.name()).await {
        Ok(Some(reader)) => reader,
        Ok(None) => return Ok(Some((BlobDamage::Missing, None))),
        Err(error) => return Ok(Some((unreadable(&error)?, None))),
    };
    let (size, identity) = (reader.size(), reader.identity());
    let damage = match hash(reader, &blob.digest, run).await {
        Ok(found) => BlobDamage::of(blob, size, found),
        Err(HashError::Read(error)) => Some(unreadable(&error)?),
        Err(HashError::Interrupted) => return Err(VerifyError::Interrupted),
    };
    Ok(damage.map(|damage| (damage, Some(identity))))
}

/// An interruption says nothing of the blob.
fn unreadable(error: &BlobError) -> Result<BlobDamage, VerifyError> {
    match error {
        BlobError::Interrupted => Err(VerifyError::Interrupted),
        error => Ok(BlobDamage::Unreadable {
            error: error.to_string(),
        }),
    }
}

enum HashError {
    Read(BlobError),
    Interrupted,
}

/// The digest of all that a reader reads. The next piece is read while one is hashed.
async fn hash(
    reader: Box<dyn BlobReader>,
    expected: &Digest,
    run: Option<&Run<'_>>,
) -> Result<Digest, HashError> {
    let size = reader.size();
    let mut hasher = Hasher::new(expected.algorithm());
    let mut pieces = reader.read(0..size);
    while let Some(piece) = pieces.next().await {
        let piece: Bytes = piece.map_err(HashError::Read)?;
        if let Some(run) = run {
            run.read(piece.len() as u64).await;
        }
        let hashing = spawn_blocking(move || {
            hasher.update(&piece);
            hasher
        });
        hasher = hashing.await.map_err(|_| HashError::Interrupted)?;
    }
    Ok(hasher.finish())
}

impl BlobRun<'_> {
    /// Verifies the blobs of a range, in the order of their digests.
    pub(crate) async fn verify(&self, range: &DigestRange) -> Result<(), VerifyError> {
        let settings = self.run.settings;
        let is_whole = *range == DigestRange::default() && settings.at_most.is_none();
        let total = match is_whole {
            true => Some(self.run.metadata.totals().await?.blob_bytes),
            false => None,
        };
        let progress = Progress::begin("verifying blobs", Unit::Bytes, total);
        self.run.begin_stage(progress);
        let mut position = range.after.clone();
        let mut rest = settings.at_most.unwrap_or(u64::MAX);
        while rest > 0 {
            let limit = u32::try_from(rest).map_or(PAGE, |rest| rest.min(PAGE));
            let mut page = self.run.metadata.blobs(position.as_ref(), limit).await?;
            page.retain(|blob| range.contains(&blob.digest));
            let Some(last) = page.last().map(|blob| blob.digest.clone()) else {
                return Ok(());
            };
            rest -= page.len() as u64;
            self.verify_page(page).await?;
            position = Some(last);
        }
        self.run.report().position = position;
        Ok(())
    }

    async fn verify_page(&self, page: Vec<Blob>) -> Result<(), VerifyError> {
        let judging = stream::iter(page).map(|blob| self.judge(blob));
        let mut judging = judging.buffered(self.run.settings.parallel.max(1));
        while let Some(judged) = judging.next().await {
            let problem = judged?;
            self.run.report().blobs += 1;
            if let Some(problem) = problem {
                self.run.tell(&problem);
            }
        }
        Ok(())
    }

    /// What is wrong with a blob, if it is not being deleted or replaced just now.
    async fn judge(&self, blob: Blob) -> Result<Option<Problem>, VerifyError> {
        let metadata = self.run.metadata;
        if self.examine(&blob).await?.is_none() {
            return Ok(None);
        }
        // Records go before bytes, and bytes come before records. So there is a problem if the bytes are
        // missed between two times at which the record is there, and means the same bytes.
        loop {
            let Some(blob) = metadata.recorded_blob(&blob.digest).await? else {
                return Ok(None);
            };
            let Some((damage, read)) = self.examine(&blob).await? else {
                return Ok(None);
            };
            match metadata.recorded_blob(&blob.digest).await? {
                None => return Ok(None),
                Some(recorded) if recorded.name() != blob.name() => continue,
                Some(_) => {}
            }
            let problem = self.run.problem(Fault::Blob {
                digest: blob.digest.clone(),
                size: blob.size,
                quarantine: Quarantine::Kept,
                damage,
            });
            let problem = self.put_aside(problem.await?, &blob.name(), read).await;
            if problem.is_some() {
                return Ok(problem);
            }
        }
    }

    /// Moves corrupt bytes to quarantine, if that is wanted; `None` if they were replaced meanwhile.
    async fn put_aside(
        &self,
        mut problem: Problem,
        name: &BlobName,
        read: Option<BlobIdentity>,
    ) -> Option<Problem> {
        let Fault::Blob {
            damage, quarantine, ..
        } = &mut problem.fault
        else {
            return Some(problem);
        };
        let guards = self.run.settings.quarantine.as_ref();
        let (Some(guards), Some(read), true) = (guards, read, damage.is_of_bytes()) else {
            return Some(problem);
        };
        // Whoever pushes it replaces it, and whoever keeps it wants it where it is.
        let Some(_removing) = guards.removing(&name.digest) else {
            return Some(problem);
        };
        *quarantine = match self.blobs.quarantine(name, &read).await {
            Ok(true) => Quarantine::Moved,
            Ok(false) => return None,
            Err(error) => Quarantine::Failed {
                error: error.to_string(),
            },
        };
        Some(problem)
    }

    async fn examine(&self, blob: &Blob) -> Result<Examination, VerifyError> {
        examine(self.blobs, blob, Some(self.run)).await
    }
}
