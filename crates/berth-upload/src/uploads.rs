use std::sync::Arc;
use std::time::{Duration, SystemTime};

use berth_blob::{BlobError, BlobGuards, BlobStore, Publishing, StagedWriter};
use berth_spec::{Algorithm, BlobName, Digest, Hasher, RepositoryName, SessionId};
use tracing::{Instrument, warn};
use uuid::Uuid;

use crate::active::{ActiveSessions, Claim};
use crate::finished::Source;
use crate::lease::{self, Lease};
use crate::receive::{Received, receive, rehash};
use crate::work::{Place, Work};
use crate::{
    Content, Finished, HeldRevision, RecordsError, SessionRecord, SessionRecords, Take, UploadError,
};

/// How soon whoever waits for a session that another process has looks again, at the earliest.
const SHORTEST_LOOK: Duration = Duration::from_millis(20);

/// And at the latest: it may be given back at any time.
const LONGEST_LOOK: Duration = Duration::from_millis(500);

/// The machine of upload sessions. Cheap to clone.
///
/// Work that a caller started goes on to its end even if the caller stops waiting for it, as long as the
/// process lives: no two pieces of work ever touch the bytes of one session.
#[derive(Clone)]
pub struct Uploads(Arc<Machine>);

pub(crate) struct Machine {
    pub(crate) blobs: Arc<dyn BlobStore>,
    pub(crate) records: Arc<dyn SessionRecords>,
    pub(crate) active: ActiveSessions,
    guards: BlobGuards,
    pub(crate) lifetime: Duration,
    /// Names this process in leases.
    holder: String,
}

impl Uploads {
    /// Sessions over these blobs and records, which end `lifetime` after their last use.
    pub fn new(
        blobs: Arc<dyn BlobStore>,
        records: Arc<dyn SessionRecords>,
        lifetime: Duration,
    ) -> Self {
        Self(Arc::new(Machine {
            blobs,
            records,
            active: ActiveSessions::default(),
            guards: BlobGuards::default(),
            lifetime,
            holder: Uuid::new_v4().to_string(),
        }))
    }

    /// What keeps a blob that is published here from being removed before it is known: whoever removes
    /// any from the same store holds these.
    pub fn guards(&self) -> &BlobGuards {
        &self.0.guards
    }

    /// Begins a session (end-4a, end-4c) whose bytes are hashed by `algorithm`.
    ///
    /// # Errors
    /// When the record cannot be stored.
    pub async fn begin(
        &self,
        repository: &RepositoryName,
        algorithm: Algorithm,
    ) -> Result<SessionId, UploadError> {
        let record = SessionRecord {
            id: SessionId::random(),
            repository: repository.clone(),
            algorithm,
            offset: 0,
            hash_state: Hasher::new(algorithm).state(),
            revision: 0,
            expires_at: self.0.expiry(),
            holder: None,
        };
        self.0.records.create(&record).await?;
        Ok(record.id)
    }

    /// How many bytes the session holds (end-13): what would survive a crash.
    ///
    /// # Errors
    /// [`UploadError::Unknown`] if there is no such session in the repository.
    pub async fn status(
        &self,
        repository: &RepositoryName,
        id: SessionId,
    ) -> Result<u64, UploadError> {
        Ok(self.0.load(repository, id).await?.offset)
    }

    /// Appends to a session (end-5) and answers how many bytes it then holds, all durable.
    ///
    /// # Errors
    /// [`UploadError::Interrupted`] if the body broke off; the session keeps what had arrived.
    /// After every other error the session is as it was.
    pub async fn append(
        &self,
        repository: &RepositoryName,
        id: SessionId,
        content: Content,
    ) -> Result<u64, UploadError> {
        let machine = Arc::clone(&self.0);
        let repository = repository.clone();
        to_its_end(async move {
            let work = machine.claim(&repository, id).await?;
            let appending = async {
                let (record, _) = machine.take_in(&work, content, None).await?;
                let offset = record.offset;
                machine.save(record).await?;
                Ok(offset)
            };
            let outcome = machine.or_cut_back(&work, appending).await;
            machine.leave(work, outcome).await
        })
        .await
    }

    /// Appends the last bytes (which may be none), checks the digest of the whole, and publishes
    /// the blob (end-6). Its bytes are durable then; the caller makes it known, removes the
    /// record in the same transaction, and calls [`Uploads::release`]. If that fails, the
    /// session is as before and can be finished again.
    ///
    /// # Errors
    /// As [`Uploads::append`]; [`UploadError::DigestMismatch`] if the bytes are not those of the
    /// digest.
    pub async fn finish(
        &self,
        repository: &RepositoryName,
        id: SessionId,
        digest: &Digest,
        content: Content,
    ) -> Result<Finished, UploadError> {
        let machine = Arc::clone(&self.0);
        let repository = repository.clone();
        let digest = digest.clone();
        to_its_end(async move {
            let work = machine.claim(&repository, id).await?;
            let finishing = async {
                let (whole, hasher) = machine.take_in(&work, content, Some(&digest)).await?;
                let size = whole.offset;
                let (name, publishing) = machine.publish(id, size, hasher, &digest).await?;
                Ok((name, size, publishing))
            };
            match machine.or_cut_back(&work, finishing).await {
                Ok((name, size, _publishing)) => Ok(Finished {
                    name,
                    size,
                    from: Source::Session(work),
                    _publishing,
                }),
                Err(error) => machine.leave(work, Err(error)).await,
            }
        })
        .await
    }

    /// Stores a whole blob in one request (end-4b), without a session that could be continued.
    /// What the caller does next is as with [`Uploads::finish`].
    ///
    /// # Errors
    /// As [`Uploads::finish`]; nothing is kept.
    pub async fn push_whole(
        &self,
        digest: &Digest,
        content: Content,
    ) -> Result<Finished, UploadError> {
        let machine = Arc::clone(&self.0);
        let digest = digest.clone();
        to_its_end(async move {
            let id = SessionId::random();
            let claim = machine.active.claim(id).ok_or(UploadError::Busy(id))?;
            let finished = machine.push_whole(claim, digest, content).await;
            if finished.is_err() {
                machine.discard(id).await;
            }
            finished
        })
        .await
    }

    /// Cleans up after a blob that was finished and is known by now.
    pub async fn release(&self, finished: Finished) {
        self.0.discard(finished.session()).await;
        if let Source::Session(work) = finished.from {
            work.settle();
        }
    }

    /// Takes back the bytes of a blob that was finished and will not become known, for certain: a session
    /// is as before, and can be finished again. The blob is still where it was published; whoever removes
    /// it does so after this, if nobody else is publishing it.
    pub async fn take_back(&self, finished: Finished) {
        match finished.from {
            Source::Session(work) => {
                self.0.cut_back(&work).await;
                work.give_back().await;
            }
            Source::Request(claim) => self.0.discard(claim.id()).await,
        }
    }

    /// Leaves a blob of which it is not known whether it became known: a session that is still there can be
    /// finished again, here or elsewhere.
    pub fn leave(&self, finished: Finished) {
        self.0.blobs.abandon(finished.session());
        // The lease is given back meanwhile: what has failed may take its time.
        drop(finished);
    }

    /// Leaves a blob that will not become known, for certain, because its session has ended or is somebody else's by
    /// now: what there is of the session stays. The blob is still where it was published.
    pub fn abandon(&self, finished: Finished) {
        self.0.blobs.abandon(finished.session());
        if let Source::Session(work) = finished.from {
            work.settle();
        }
    }

    /// Gives a session up (end-14) and removes its bytes.
    ///
    /// # Errors
    /// [`UploadError::Unknown`] if there is no such session in the repository, and
    /// [`UploadError::Busy`] if another request is writing to it. If the disk is so full that the
    /// record cannot be removed, its bytes are gone all the same, and it can only be given up again.
    pub async fn cancel(
        &self,
        repository: &RepositoryName,
        id: SessionId,
    ) -> Result<(), UploadError> {
        let machine = Arc::clone(&self.0);
        let repository = repository.clone();
        to_its_end(async move {
            let work = machine.claim(&repository, id).await?;
            let ended = work.during(machine.end(work.record())).await;
            machine.leave(work, ended).await
        })
        .await
    }

    /// Removes the sessions whose time has run out by `now`, and answers how many. Sessions that are in
    /// use stay, and so do those that cannot be removed now: the others go all the same.
    ///
    /// # Errors
    /// When records cannot be read; what was done so far stays done.
    pub async fn expire(&self, now: SystemTime) -> Result<u64, UploadError> {
        let machine = Arc::clone(&self.0);
        to_its_end(async move { machine.expire_sessions(now).await }).await
    }

    /// Removes staging areas that belong to no session, which a crash left behind, and answers how
    /// many. Looks at each staging area there is.
    ///
    /// # Errors
    /// When records or staging areas cannot be read or removed; what was done so far stays done.
    pub async fn remove_orphans(&self) -> Result<u64, UploadError> {
        let machine = Arc::clone(&self.0);
        to_its_end(async move { machine.remove_orphans().await }).await
    }
}

impl Machine {
    fn expiry(&self) -> SystemTime {
        SystemTime::now() + self.lifetime
    }

    async fn load(
        &self,
        repository: &RepositoryName,
        id: SessionId,
    ) -> Result<SessionRecord, UploadError> {
        let record = self.records.load(id).await?;
        record
            .filter(|record| record.repository == *repository)
            .filter(|record| {
                record.expires_at > SystemTime::now() || self.active.is_claimed(record.id)
            })
            .ok_or(UploadError::Unknown(id))
    }

    async fn claim(&self, repository: &RepositoryName, id: SessionId) -> Result<Work, UploadError> {
        // A session that does not exist is never busy, whoever else asks for it.
        self.load(repository, id).await?;
        let claim = self.active.claim(id).ok_or(UploadError::Busy(id))?;
        // What was loaded before the claim may have changed until the claim.
        match self.records.leases() {
            None => Ok(Work::alone(claim, self.load(repository, id).await?)),
            Some(_) => self.take(claim).await,
        }
    }

    /// Takes a session for this process. If another one has it, it may have been killed: then its lease ends. It has
    /// not if it changes the lease.
    async fn take(&self, claim: Claim) -> Result<Work, UploadError> {
        let id = claim.id();
        let mut seen = None;
        loop {
            let (until, left) = match self.take_once(id).await? {
                Take::Taken(record) => return Ok(self.leased(claim, record)),
                Take::Missing => return Err(UploadError::Unknown(id)),
                Take::Held { until, left } => (until, left),
            };
            if *seen.get_or_insert(until) != until {
                return Err(UploadError::Busy(id));
            }
            tokio::time::sleep(left.clamp(SHORTEST_LOOK, LONGEST_LOOK)).await;
        }
    }

    pub(crate) async fn take_once(&self, id: SessionId) -> Result<Take, UploadError> {
        match self.records.leases() {
            Some(leases) => Ok(leases.take(id, &self.holder, lease::DURATION).await?),
            None => Ok(Take::Missing),
        }
    }

    pub(crate) fn leased(&self, claim: Claim, record: SessionRecord) -> Work {
        let held = HeldRevision {
            id: record.id,
            revision: record.revision,
            holder: self.holder.clone(),
        };
        let lease = Lease::of(&self.records, held);
        Work::leased(claim, record, lease)
    }

    /// Ends work whose outcome is known. A session that was changed or has ended has no lease any more; any other can be
    /// taken by others at once.
    pub(crate) async fn leave<T>(
        &self,
        work: Work,
        outcome: Result<T, UploadError>,
    ) -> Result<T, UploadError> {
        match &outcome {
            Ok(_) | Err(UploadError::Interrupted { .. }) => work.settle(),
            Err(_) => {
                self.blobs.abandon(work.record().id);
                work.give_back().await;
            }
        }
        outcome
    }

    /// Receives content behind what the session holds, and answers the record as it then is, not
    /// saved yet, and the hash of all its bytes, by the algorithm of the digest wanted.
    async fn take_in(
        &self,
        work: &Work,
        content: Content,
        wanted: Option<&Digest>,
    ) -> Result<(SessionRecord, Hasher), UploadError> {
        let mut record = work.record().clone();
        check_range(record.offset, &content)?;
        let algorithm = wanted.map_or(record.algorithm, Digest::algorithm);
        // Even without a byte to append: opening the staging area cuts off what an earlier request
        // left there unacknowledged.
        let hasher = Hasher::from_state(record.algorithm, &record.hash_state)?;
        let syncing = wanted.is_none();
        let received = self.write(work.place(), hasher, content, syncing).await?;
        record.offset += received.length;
        record.hash_state = received.hasher.state();
        if let Some(source) = received.interrupted {
            let kept = record.offset;
            self.save(record).await?;
            return Err(UploadError::Interrupted { kept, source });
        }
        let hasher = match algorithm == record.algorithm {
            true => received.hasher,
            false => self.rehash(&record, algorithm).await?,
        };
        Ok((record, hasher))
    }

    /// The hash of all bytes of a session, by another algorithm than it was begun with.
    async fn rehash(
        &self,
        record: &SessionRecord,
        algorithm: Algorithm,
    ) -> Result<Hasher, UploadError> {
        let hasher = Hasher::new(algorithm);
        if record.offset == 0 {
            return Ok(hasher);
        }
        let bytes = self.blobs.read_staged(record.id, record.offset).await?;
        Ok(rehash(hasher, bytes).await?)
    }

    /// Writes content at a place. It is made durable if `syncing` says so, or if it broke off
    /// and is to be kept.
    async fn write(
        &self,
        place: Place,
        hasher: Hasher,
        content: Content,
        syncing: bool,
    ) -> Result<Received, UploadError> {
        let announced = content.announced();
        let limit = announced.unwrap_or(u64::MAX);
        let mut writer = self.stage(place).await?;
        let received = receive(&mut *writer, hasher, content.body, limit).await?;
        let complete = announced.is_none_or(|announced| announced == received.length);
        if !complete && (received.interrupted.is_none() || received.length > limit) {
            return Err(UploadError::LengthMismatch {
                announced: limit,
                received: received.length,
            });
        }
        match syncing || received.interrupted.is_some() {
            true => writer.sync().await?,
            false => writer.close().await?,
        }
        Ok(received)
    }

    async fn save(&self, mut record: SessionRecord) -> Result<(), UploadError> {
        record.revision += 1;
        record.expires_at = self.expiry();
        if self.records.update(&record).await? {
            return Ok(());
        }
        match self.records.load(record.id).await? {
            Some(_) => Err(UploadError::Lost(record.id)),
            None => Err(UploadError::Unknown(record.id)),
        }
    }

    async fn push_whole(
        &self,
        claim: Claim,
        digest: Digest,
        content: Content,
    ) -> Result<Finished, UploadError> {
        check_range(0, &content)?;
        let hasher = Hasher::new(digest.algorithm());
        let place = Place::start_of(claim.id());
        let received = self.write(place, hasher, content, false).await?;
        if let Some(source) = received.interrupted {
            return Err(UploadError::Interrupted { kept: 0, source });
        }
        let size = received.length;
        let (name, _publishing) = self
            .publish(claim.id(), size, received.hasher, &digest)
            .await?;
        Ok(Finished {
            name,
            size,
            from: Source::Request(claim),
            _publishing,
        })
    }

    async fn publish(
        &self,
        id: SessionId,
        size: u64,
        hasher: Hasher,
        digest: &Digest,
    ) -> Result<(BlobName, Publishing), UploadError> {
        let actual = hasher.finish();
        if actual != *digest {
            return Err(UploadError::DigestMismatch {
                expected: digest.clone(),
                actual,
            });
        }
        // Not before all bytes are here: how long a client takes must not hold up who removes the blob.
        let publishing = self.guards.publishing(digest).await;
        let name = self.blobs.publish(id, size, digest).await?;
        Ok((name, publishing))
    }

    /// Does work on a session as long as it may be worked on, and gives the room of bytes that were not taken back
    /// at once: when the disk is full, that is what others wait for.
    async fn or_cut_back<T>(
        &self,
        work: &Work,
        doing: impl Future<Output = Result<T, UploadError>>,
    ) -> Result<T, UploadError> {
        let id = work.record().id;
        let outcome = work.during(doing).await.map_err(|error| match error {
            UploadError::Blob(BlobError::Superseded(_)) => UploadError::Lost(id),
            error => error,
        });
        match &outcome {
            // What had arrived is kept.
            Ok(_) | Err(UploadError::Interrupted { .. }) => {}
            // The record may have been stored all the same: it must not count on bytes that are gone.
            Err(UploadError::Records(RecordsError::Failed(_))) => {}
            // The bytes that are there are somebody else's.
            Err(UploadError::Lost(_) | UploadError::Unknown(_)) => {}
            Err(_) => self.cut_back(work).await,
        }
        outcome
    }

    async fn cut_back(&self, work: &Work) {
        let cutting = async { Ok(self.stage(work.place()).await.map(drop)?) };
        if let Err(error) = work.during(cutting).await {
            warn!(session = %work.record().id, %error, "cannot cut off what was not taken of a request");
        }
    }

    async fn stage(&self, place: Place) -> Result<Box<dyn StagedWriter>, BlobError> {
        let Place { id, offset, fence } = place;
        self.blobs.stage_fenced(id, offset, fence).await
    }

    /// Ends a session without a blob. Its record goes first, so that no record ever counts on bytes
    /// that are gone; only on a full disk do the bytes go first, which makes the room that the
    /// record needs to be removed. (Records that several processes share are on a disk of their own.)
    pub(crate) async fn end(&self, record: &SessionRecord) -> Result<(), UploadError> {
        let is_alone = self.records.leases().is_none();
        let is_removed = match self.records.remove(record).await {
            Err(RecordsError::StorageFull) if is_alone => {
                self.discard(record.id).await;
                self.records.remove(record).await?
            }
            removed => removed?,
        };
        if !is_removed && self.records.load(record.id).await?.is_some() {
            return Err(UploadError::Lost(record.id));
        }
        self.discard(record.id).await;
        Ok(())
    }

    /// Removes a staging area that nobody needs. If that fails, [`Uploads::remove_orphans`] does it later.
    async fn discard(&self, id: SessionId) {
        if let Err(error) = self.blobs.discard(id).await {
            warn!(session = %id, %error, "cannot remove the bytes of an ended upload session yet");
        }
    }
}

fn check_range(offset: u64, content: &Content) -> Result<(), UploadError> {
    let Some(range) = &content.range else {
        return Ok(());
    };
    if range.start != offset {
        return Err(UploadError::OutOfOrder {
            offset,
            given: range.start,
        });
    }
    let announced = range.end.saturating_sub(range.start);
    match content.length {
        Some(received) if received != announced => Err(UploadError::LengthMismatch {
            announced,
            received,
        }),
        _ => Ok(()),
    }
}

/// Runs work on a task of its own, so that it is not cut off when the caller goes away.
async fn to_its_end<T: Send + 'static>(
    work: impl Future<Output = Result<T, UploadError>> + Send + 'static,
) -> Result<T, UploadError> {
    let task = tokio::spawn(work.in_current_span());
    task.await
        .unwrap_or(Err(UploadError::Blob(BlobError::Interrupted)))
}
