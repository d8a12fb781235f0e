//! What of the requests goes into the audit log.

mod entry;
mod refusal_lines;

use berth_audit::{AuditLog, Event, Outcome, Record, Text, Unwritable};
use berth_auth::{Action, Identity};
use berth_route::{MountFrom, Route, StartUpload};
use berth_spec::Reference;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use http::{HeaderValue, StatusCode, header};

use crate::access::{Required, required};
use crate::head::Head;
pub(crate) use entry::Entry;
use refusal_lines::RefusalLines;

/// The audit log, and how much strangers may put into it. Clones are the same.
#[derive(Clone, Debug)]
pub(crate) struct Audit {
    log: AuditLog,
    refusals: RefusalLines,
}

impl Audit {
    pub(crate) fn new(log: AuditLog) -> Self {
        let refusals = RefusalLines::new(log.clone());
        Self { log, refusals }
    }

    /// Whether there is to be a line of it.
    fn admits(&self, record: &Record) -> bool {
        match record.client.filter(|_| record.event.is_refusal()) {
            Some(client) => self.refusals.admit(client),
            None => true,
        }
    }

    /// Writes a line, if there is to be one of it. On the heap: few requests have one, and a record is large.
    fn write(&self, record: Record) -> BoxFuture<'_, ()> {
        async move {
            if self.admits(&record) {
                self.log.record(record).await;
            }
        }
        .boxed()
    }
}

/// What is recorded of one request; nothing without a log.
#[derive(Clone, Copy)]
pub(crate) struct AuditTrail<'a> {
    pub(crate) audit: Option<&'a Audit>,
    pub(crate) head: &'a Head<'a>,
}

impl AuditTrail<'_> {
    /// Notes that somebody proved who they are.
    pub(crate) async fn logged_in(&self, event: Event, identity: &Identity) {
        let (Some(audit), Some(_)) = (self.audit, identity.name()) else {
            return;
        };
        let record = self.record(event, Outcome::Done, StatusCode::OK);
        audit.write(by(identity, record)).await;
    }

    /// Notes that somebody did not. `name` is who they said they are, if they said it.
    pub(crate) async fn login_refused(&self, name: Option<String>, status: StatusCode) {
        let Some(audit) = self.audit else { return };
        let record = self.record(Event::LoginRefused, Outcome::Refused, status);
        let record = Record {
            identity: name.filter(|name| !name.is_empty()).map(Text::from),
            ..record
        };
        audit.write(record).await;
    }

    /// Notes that somebody wanted what they may not.
    pub(crate) async fn refused(&self, identity: &Identity, route: &Route, status: StatusCode) {
        let Some(audit) = self.audit else { return };
        let record = self.record(Event::Refused, Outcome::Refused, status);
        audit.write(by(identity, about(record, route))).await;
    }

    /// Begins to note that somebody wanted what they may not, where that is hidden from them: it is not known yet what they
    /// are told.
    pub(crate) fn hidden(&self, identity: &Identity, route: &Route) -> Option<Entry> {
        let audit = self.audit?.clone();
        let record = self.record(Event::Refused, Outcome::Refused, None);
        Some(Entry::new(audit, by(identity, about(record, route))))
    }

    /// As [`AuditTrail::hidden`], of a mount from where they may not pull.
    pub(crate) fn hidden_mount(&self, identity: &Identity, route: &Route) -> Option<Entry> {
        let audit = self.audit?.clone();
        let record = self.record(Event::Refused, Outcome::Refused, None);
        let record = Record {
            action: Some(Action::Pull.as_str()),
            ..by(identity, about(record, route))
        };
        Some(Entry::new(audit, record))
    }

    /// Begins a change, if the route is one.
    ///
    /// # Errors
    /// When there must be a record, and there can be none now.
    pub(crate) fn change(
        &self,
        identity: &Identity,
        route: &Route,
    ) -> Result<Option<Entry>, Unwritable> {
        let (Some(audit), Some(event)) = (self.audit, event(route)) else {
            return Ok(None);
        };
        audit.log.check()?;
        let record = self.record(event, Outcome::Interrupted, None);
        let record = by(identity, about(record, route));
        Ok(Some(Entry::new(audit.clone(), record)))
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

/// Adds who asks.
fn by(identity: &Identity, record: Record) -> Record {
    Record {
        identity: identity.name().map(Text::from),
        ..record
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

#[cfg(test)]
mod tests {
    use std::path::Path;

    use berth_audit::Settings;
    use berth_spec::Digest;
    use http::{Method, Request};
    use serde_json::Value;

    use super::*;
    use crate::connection::Connection;
    use crate::origin::Origins;

    const DIGEST: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    fn route(method: Method, url: &str) -> Route {
        let (path, query) = match url.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (url, None),
        };
        Route::parse(&method, path, query).unwrap()
    }

    /// Does something with the trail of a request, and answers what is in the log then.
    async fn recorded(path: &Path, work: impl AsyncFn(AuditTrail<'_>)) -> Vec<Value> {
        let (log, thread) = AuditLog::open(path, Settings::default()).unwrap();
        let request = Request::builder().header(header::USER_AGENT, "crane/1");
        let (parts, ()) = request.body(()).unwrap().into_parts();
        let (peer, local) = (([192, 0, 2, 1], 4000), ([192, 0, 2, 2], 5000));
        let connection = Connection::between(peer.into(), local.into());
        let origin = Origins::default().origin(&connection, &parts);
        let id = HeaderValue::from_static("the-id");
        let head = Head {
            parts: &parts,
            connection: &connection,
            origin: &origin,
            id: &id,
        };
        let audit = Audit::new(log);
        let trail = AuditTrail {
            audit: Some(&audit),
            head: &head,
        };
        work(trail).await;
        drop(audit);
        drop(thread);
        let lines = std::fs::read_to_string(path).unwrap();
        lines
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    #[tokio::test]
    async fn a_change_is_recorded_once_it_is_over_and_one_that_was_left_too() {
        let folder = tempfile::tempdir().unwrap();
        let alice = Identity::named("alice");
        let lines = recorded(&folder.path().join("audit"), async |trail| {
            let push = route(Method::PUT, "/v2/a/b/manifests/v1");
            let begin = || trail.change(&alice, &push).unwrap().unwrap();
            let digest: Digest = DIGEST.parse().unwrap();
            begin().end(StatusCode::CREATED, Some(digest)).await;
            // Turned down.
            begin().end(StatusCode::BAD_REQUEST, None).await;
            // The tag is immutable.
            begin().end(StatusCode::FORBIDDEN, None).await;
            begin().end(StatusCode::INTERNAL_SERVER_ERROR, None).await;
            drop(begin());
            let mount = format!("/v2/a/b/blobs/uploads/?mount={DIGEST}&from=c");
            let mount = route(Method::POST, &mount);
            let begin = || trail.change(&alice, &mount).unwrap().unwrap();
            begin().end(StatusCode::CREATED, None).await;
            // It became an upload.
            begin().end(StatusCode::ACCEPTED, None).await;
        })
        .await;
        let told: Vec<String> = lines
            .iter()
            .map(|line| format!("{} {} {}", line["event"], line["outcome"], line["status"]))
            .collect();
        assert_eq!(
            told,
            [
                r#""push_manifest" "done" 201"#,
                r#""refused" "refused" 403"#,
                r#""push_manifest" "failed" 500"#,
                r#""push_manifest" "interrupted" null"#,
                r#""mount_blob" "done" 201"#,
            ]
        );
        for line in &lines {
            assert_eq!(line["identity"], "alice");
            assert_eq!(line["client"], "192.0.2.1");
            assert_eq!(line["repository"], "a/b");
            assert_eq!(line["action"], "push");
            assert_eq!(line["request_id"], "the-id");
            assert_eq!(line["user_agent"], "crane/1");
        }
        assert_eq!(lines[0]["reference"], "v1");
        assert_eq!(lines[0]["digest"], DIGEST);
        assert_eq!(lines[4]["from"], "c");
        assert_eq!(lines[4]["digest"], DIGEST);
    }

    #[tokio::test]
    async fn a_refused_login_has_the_name_that_was_tried() {
        let folder = tempfile::tempdir().unwrap();
        let lines = recorded(&folder.path().join("audit"), async |trail| {
            let status = StatusCode::UNAUTHORIZED;
            trail.login_refused(Some("bob".to_owned()), status).await;
            trail.login_refused(Some(String::new()), status).await;
            trail.login_refused(None, status).await;
            // Nobody came in, so nothing is to be told.
            trail.logged_in(Event::Login, &Identity::Anonymous).await;
        })
        .await;
        assert_eq!(lines.len(), 3);
        assert_eq!(lines[0]["identity"], "bob");
        assert!(lines[1].get("identity").is_none() && lines[2].get("identity").is_none());
    }

    #[tokio::test]
    async fn what_is_hidden_is_recorded_with_what_was_told_also_if_nobody_is_there_to_be() {
        let folder = tempfile::tempdir().unwrap();
        let alice = Identity::named("alice");
        let lines = recorded(&folder.path().join("audit"), async |trail| {
            let tags = route(Method::GET, "/v2/a/b/tags/list");
            let entry = trail.hidden(&alice, &tags).unwrap();
            entry.end(StatusCode::NOT_FOUND, None).await;
            drop(trail.hidden(&alice, &tags).unwrap());
            let mount = format!("/v2/a/b/blobs/uploads/?mount={DIGEST}&from=c");
            let mount = route(Method::POST, &mount);
            let entry = trail.hidden_mount(&alice, &mount).unwrap();
            entry.end(StatusCode::ACCEPTED, None).await;
        })
        .await;
        let statuses: Vec<&Value> = lines.iter().map(|line| &line["status"]).collect();
        assert_eq!(statuses, [&Value::from(404), &Value::Null, &202.into()]);
        for line in &lines {
            assert_eq!(line["event"], "refused");
            assert_eq!(line["outcome"], "refused");
            assert_eq!(line["action"], "pull");
            assert_eq!(line["identity"], "alice");
        }
        assert_eq!(lines[2]["from"], "c");
    }

    #[tokio::test]
    async fn refusals_have_so_many_lines_and_changes_as_many_as_there_are() {
        let folder = tempfile::tempdir().unwrap();
        let alice = Identity::named("alice");
        let lines = recorded(&folder.path().join("audit"), async |trail| {
            let push = route(Method::PUT, "/v2/a/b/manifests/v1");
            for _ in 0..100 {
                let status = StatusCode::UNAUTHORIZED;
                trail.login_refused(None, status).await;
                trail.refused(&alice, &push, StatusCode::FORBIDDEN).await;
                drop(trail.hidden(&alice, &push));
                let change = trail.change(&alice, &push).unwrap().unwrap();
                change.end(StatusCode::CREATED, None).await;
            }
        })
        .await;
        let count = |event: &str| lines.iter().filter(|line| line["event"] == event).count();
        assert_eq!(count("push_manifest"), 100);
        assert_eq!(count("refused") + count("login_refused"), 60);
        assert_eq!(lines.last().unwrap()["count"], 240);
    }

    #[test]
    fn only_what_others_can_see_is_a_change() {
        let session = "/v2/a/blobs/uploads/0b8d3a1e-6a5c-4f0e-9d54-5a7c3a1f2b4d";
        let blob = format!("/v2/a/blobs/{DIGEST}");
        let finish = format!("{session}?digest={DIGEST}");
        let whole = format!("/v2/a/blobs/uploads/?digest={DIGEST}");
        for (method, url, expected) in [
            (Method::PUT, "/v2/a/manifests/v1", Some(Event::PushManifest)),
            (Method::DELETE, "/v2/a/manifests/v1", Some(Event::DeleteTag)),
            (Method::DELETE, &blob, Some(Event::DeleteBlob)),
            (Method::PUT, &finish, Some(Event::PushBlob)),
            (Method::POST, &whole, Some(Event::PushBlob)),
            (Method::POST, "/v2/a/blobs/uploads/", None),
            (Method::PATCH, session, None),
            (Method::DELETE, session, None),
            (Method::GET, &blob, None),
            (Method::GET, "/v2/", None),
        ] {
            assert_eq!(event(&route(method, url)), expected, "{url}");
        }
        let manifest = format!("/v2/a/manifests/{DIGEST}");
        let manifest = route(Method::DELETE, &manifest);
        assert_eq!(event(&manifest), Some(Event::DeleteManifest));
    }
}
