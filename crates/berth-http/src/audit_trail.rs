//! What of the requests goes into the audit log.

use berth_audit::{AuditLog, Event, Outcome, Record, Text, Unwritable};
use berth_auth::Identity;
use berth_route::{MountFrom, Route, StartUpload};
use berth_spec::{Digest, Reference};
use http::{HeaderValue, StatusCode, header};

use crate::access::{Required, required};
use crate::head::Head;

/// What is recorded of one request; nothing without a log.
#[derive(Clone, Copy)]
pub(crate) struct AuditTrail<'a> {
    pub(crate) log: Option<&'a AuditLog>,
    pub(crate) head: &'a Head<'a>,
}

/// A change that is under way, and is recorded when it is over. If the client goes away before that, the work may go on, so that
/// is recorded then, when this is dropped.
pub(crate) struct Change<'a> {
    log: &'a AuditLog,
    record: Option<Record>,
}

impl<'a> AuditTrail<'a> {
    /// Notes that somebody proved who they are.
    pub(crate) async fn logged_in(&self, event: Event, identity: &Identity) {
        if let (Some(log), Some(name)) = (self.log, identity.name()) {
            let record = self.record(event, Outcome::Done, StatusCode::OK);
            log.record(Record {
                identity: Some(name.into()),
                ..record
            })
            .await;
        }
    }

    /// Notes that somebody did not. `name` is who they said they are, if they said it.
    pub(crate) async fn login_refused(&self, name: Option<String>, status: StatusCode) {
        if let Some(log) = self.log {
            let record = self.record(Event::LoginRefused, Outcome::Refused, status);
            log.record(Record {
                identity: name.filter(|name| !name.is_empty()).map(Text::from),
                ..record
            })
            .await;
        }
    }

    /// Notes that somebody wanted what they may not.
    /// `status` is that of most answers to that: where it is hidden that something is refused, another one may be due.
    pub(crate) async fn refused(&self, identity: &Identity, route: &Route, status: StatusCode) {
        let Some(log) = self.log else { return };
        let record = self.record(Event::Refused, Outcome::Refused, status);
        let record = Record {
            identity: identity.name().map(Text::from),
            ..about(record, route)
        };
        log.record(record).await;
    }

    /// Begins a change, if the route is one.
    ///
    /// # Errors
    /// When there must be a record, and there can be none now.
    pub(crate) fn change(
        &self,
        identity: &Identity,
        route: &Route,
    ) -> Result<Option<Change<'a>>, Unwritable> {
        let (Some(log), Some(event)) = (self.log, event(route)) else {
            return Ok(None);
        };
        log.check()?;
        let record = self.record(event, Outcome::Interrupted, None);
        let record = Record {
            identity: identity.name().map(Text::from),
            ..about(record, route)
        };
        Ok(Some(Change {
            log,
            record: Some(record),
        }))
    }

    fn record(
        &self,
        event: Event,
        outcome: Outcome,
        status: impl Into<Option<StatusCode>>,
    ) -> Record {
        let agent = self.head.parts.headers.get(header::USER_AGENT);
        Record {
            status: status.into().map(|status| status.as_u16()),
            client: Some(self.head.client()),
            request_id: Some(text(self.head.id)),
            user_agent: agent.map(text),
            ..Record::new(event, outcome)
        }
    }
}

impl Change<'_> {
    /// Records what came of it: that it was done, or that the registry failed, in which case it may have been. One that
    /// the registry turned down changed nothing. `digest` is that of what the answer is about.
    pub(crate) async fn end(mut self, status: StatusCode, digest: Option<Digest>) {
        let Some(record) = self.record.take() else {
            return;
        };
        let outcome = match status {
            // A mount that became an upload.
            StatusCode::ACCEPTED if record.event == Event::MountBlob => return,
            status if status.is_success() => Outcome::Done,
            status if status.is_server_error() => Outcome::Failed,
            _ => return,
        };
        let record = Record {
            outcome,
            status: Some(status.as_u16()),
            digest: record.digest.or(digest),
            ..record
        };
        self.log.record(record).await;
    }
}

impl Drop for Change<'_> {
    fn drop(&mut self) {
        if let Some(record) = &self.record {
            self.log.record_now(record);
        }
    }
}

/// What a route does if it changes anything that others can see.
fn event(route: &Route) -> Option<Event> {
    match route {
        Route::PutManifest { .. } => Some(Event::PushManifest),
        Route::DeleteManifest {
            reference: Reference::Tag(_),
            ..
        } => Some(Event::DeleteTag),
        Route::DeleteManifest { .. } => Some(Event::DeleteManifest),
        Route::DeleteBlob { .. } => Some(Event::DeleteBlob),
        Route::FinishUpload { .. } => Some(Event::PushBlob),
        Route::StartUpload { start, .. } => match start {
            StartUpload::Whole(_) => Some(Event::PushBlob),
            StartUpload::Mount { .. } => Some(Event::MountBlob),
            StartUpload::Session(_) => None,
        },
        Route::Base
        | Route::Catalog(_)
        | Route::ListTags { .. }
        | Route::ListReferrers { .. }
        | Route::GetManifest { .. }
        | Route::GetBlob { .. }
        | Route::UploadStatus(_)
        | Route::AppendUpload(_)
        | Route::CancelUpload(_) => None,
    }
}

/// Adds what a route is about.
fn about(mut record: Record, route: &Route) -> Record {
    if let Required::Action(repository, action) = required(route) {
        record.repository = Some(repository.clone());
        record.action = Some(action.as_str());
    }
    match route {
        Route::PutManifest {
            reference, tags, ..
        } => {
            record.reference = Some(reference.clone());
            record.tags = tags.clone();
        }
        Route::GetManifest { reference, .. } | Route::DeleteManifest { reference, .. } => {
            record.reference = Some(reference.clone());
        }
        Route::GetBlob { digest, .. }
        | Route::DeleteBlob { digest, .. }
        | Route::FinishUpload { digest, .. }
        | Route::StartUpload {
            start: StartUpload::Whole(digest),
            ..
        } => record.digest = Some(digest.clone()),
        Route::StartUpload {
            start: StartUpload::Mount { digest, from },
            ..
        } => {
            record.digest = Some(digest.clone());
            record.from = match from {
                MountFrom::Repository(from) => Some(from.clone()),
                MountFrom::Anywhere | MountFrom::Nowhere => None,
            };
        }
        _ => {}
    }
    record
}

fn text(value: &HeaderValue) -> Text {
    value.as_bytes().into()
}
