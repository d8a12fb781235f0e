use berth_audit::{Event, Outcome, Record};
use berth_spec::Digest;
use http::StatusCode;

use super::Audit;

/// A record of what a request asks for, which is written when it is known what comes of that. If nobody waits for that to its
/// end, it is written when this is dropped.
pub(crate) struct Entry {
    audit: Audit,
    record: Option<Record>,
}

impl Entry {
    pub(super) fn new(audit: Audit, record: Record) -> Self {
        let record = Some(record);
        Self { audit, record }
    }

    /// Records what came of it: that it was done, or refused, or that the registry failed, in which case it may have
    /// been done. What the registry turned down for another reason changed nothing. `digest` is that of what the answer
    /// is about.
    pub(crate) async fn end(mut self, status: StatusCode, digest: Option<Digest>) {
        let Some(record) = self.record.take() else {
            return;
        };
        let (event, outcome) = match status {
            _ if record.event == Event::Refused => (Event::Refused, Outcome::Refused),
            // A tag is immutable, or a quota is used up.
            StatusCode::FORBIDDEN => (Event::Refused, Outcome::Refused),
            // A mount that became an upload.
            StatusCode::ACCEPTED if record.event == Event::MountBlob => return,
            status if status.is_success() => (record.event, Outcome::Done),
            status if status.is_server_error() => (record.event, Outcome::Failed),
            _ => return,
        };
        let record = Record {
            event,
            outcome,
            status: Some(status.as_u16()),
            digest: record.digest.or(digest),
            ..record
        };
        self.audit.write(record).await;
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        if let Some(record) = self.record.take()
            && self.audit.admits(&record)
        {
            self.audit.log.record_now(&record);
        }
    }
}
