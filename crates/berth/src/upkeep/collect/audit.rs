//! What the audit log is told of what goes because nobody needs it.

use berth_audit::{Counts, Event, Outcome, Record};
use berth_retention::{Deleted, Deletion};

use super::Done;

/// That a retention rule deleted something.
pub(super) fn of_deletion(deletion: &Deletion) -> Record {
    let Deletion {
        repository,
        rule,
        deleted,
    } = deletion;
    let (event, reference, digest) = match deleted {
        Deleted::Tag { tag, digest } => (Event::DeleteTag, tag.clone().into(), digest),
        Deleted::Manifest { digest, .. } => (Event::DeleteManifest, digest.clone().into(), digest),
    };
    Record {
        repository: Some(repository.clone()),
        reference: Some(reference),
        digest: Some(digest.clone()),
        subject: Some(format!("retention rule {rule}").into()),
        ..Record::new(event, Outcome::Done)
    }
}

/// What a run took away; nothing of one that took nothing.
pub(super) fn of_run(done: &Done) -> Option<Record> {
    let (sweep, retention) = (done.sweep.as_ref(), done.retention.as_ref());
    let counts = Counts {
        upload_sessions: done.expired_sessions + done.staged_without_session,
        tags: retention.map_or(0, |retention| retention.tags),
        manifests: retention.map_or(0, |retention| retention.manifests),
        blobs: done.blobs.deleted.blobs,
        files: done.blobs.replaced.blobs + sweep.map_or(0, |sweep| sweep.unrecorded.blobs),
    };
    (counts != Counts::default()).then(|| Record {
        counts: Some(counts),
        ..Record::new(Event::Collected, Outcome::Done)
    })
}
