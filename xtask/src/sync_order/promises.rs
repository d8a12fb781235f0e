use std::iter;
use std::path::Path;

use super::calls::{Act, Call};
use super::order::faults;

/// A request that was answered.
pub(super) struct Request {
    /// What to call it.
    pub(super) name: &'static str,
    /// The status of the answer.
    pub(super) status: u16,
    /// What the answer said.
    pub(super) promise: Promise,
}

/// What must be durable when a request is answered.
pub(super) enum Promise {
    /// A record of the metadata.
    Record,
    /// The bytes of an upload session, at this path, and their record.
    Staged(String),
    /// A blob, at this path, and its record.
    Blob(String),
    /// A blob that was there before, at this path, and its record.
    KnownBlob(String),
}

/// What a new data folder holds, besides more of the same.
const MADE: [&str; 10] = [
    "metadata.sqlite3",
    "metadata.sqlite3-wal",
    "uploads",
    "blobs",
    "blobs/sha256",
    "blobs/sha256/00",
    "blobs/sha256/ff",
    "blobs/sha512",
    "blobs/sha512/00",
    "blobs/sha512/ff",
];

/// What is wrong with a data folder that is made at the first start: it, and each thing in it, must
/// have an entry that is durable before the first request is answered.
pub(super) fn of_a_new_folder(calls: &[Call], data: &Path) -> Vec<String> {
    let Some(answer) = answers(calls).next() else {
        return vec!["no request was answered".to_owned()];
    };
    let in_it = MADE.map(|name| text(&data.join(name)));
    let mut all = Vec::new();
    for path in iter::once(text(data)).chain(in_it) {
        let acts = [Act::Make(path.clone()), Act::Sync(folder_of(&path))];
        let found = faults(calls, 0, &acts, answer);
        all.extend(found.iter().map(|fault| format!("new {path}: {fault}")));
    }
    all
}

/// What is wrong with how these requests, which came one after the other, were answered.
pub(super) fn of_requests(calls: &[Call], data: &Path, requests: &[Request]) -> Vec<String> {
    let received = requests.iter().map(|request| Act::Answer(request.status));
    let traced = answers(calls).map(|call| call.act.clone());
    if !traced.eq(received) {
        return vec!["the trace has other answers than were received".to_owned()];
    }
    let mut all = Vec::new();
    let mut since = 0;
    for (request, answer) in requests.iter().zip(answers(calls)) {
        let found = match acts(&request.promise, calls, since, data) {
            Ok(acts) => faults(calls, since, &acts, answer),
            Err(fault) => vec![fault],
        };
        let name = request.name;
        all.extend(found.iter().map(|fault| format!("{name}: {fault}")));
        since = answer.began;
    }
    all
}

/// What must happen before the answer, in this order. Calls count that began after the line `since`.
fn acts(promise: &Promise, calls: &[Call], since: usize, data: &Path) -> Result<Vec<Act>, String> {
    let log = text(&data.join("metadata.sqlite3-wal"));
    let record = [Act::Write(log.clone()), Act::Sync(log)];
    Ok(match promise {
        Promise::Record => record.to_vec(),
        Promise::Staged(path) => {
            let uploads = Act::Sync(folder_of(path));
            let staged = [Act::Write(path.clone()), Act::Sync(path.clone()), uploads];
            [staged.as_slice(), &record].concat()
        }
        Promise::KnownBlob(path) => [&[Act::Sync(folder_of(path))], record.as_slice()].concat(),
        Promise::Blob(path) => {
            let naming = calls
                .iter()
                .filter(|call| call.began > since)
                .find_map(|call| original(&call.act, path));
            let from = naming.ok_or_else(|| format!("nothing is given the name {path}"))?;
            let published = [
                Act::Write(from.clone()),
                Act::Sync(from.clone()),
                Act::Name {
                    from: from.clone(),
                    to: path.clone(),
                },
                Act::Sync(folder_of(path)),
            ];
            // Before that, a crash would leave the record of a session without its bytes.
            [published.as_slice(), &record, &[Act::Remove(from)]].concat()
        }
    })
}

/// Which file an act gives this name.
fn original(act: &Act, name: &str) -> Option<String> {
    match act {
        Act::Name { from, to } if to == name => Some(from.clone()),
        _ => None,
    }
}

fn answers(calls: &[Call]) -> impl Iterator<Item = &Call> {
    calls
        .iter()
        .filter(|call| matches!(call.act, Act::Answer(_)))
}

fn folder_of(path: &str) -> String {
    Path::new(path).parent().map(text).unwrap_or_default()
}

/// A path, as a trace has it.
pub(super) fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::super::lines::calls;
    use super::*;

    const STAGED: [&str; 2] = [
        r#"3 writev(5</d/uploads/u>, [{iov_base="abc"..., iov_len=9}], 1) = 9"#,
        "3 fdatasync(5</d/uploads/u>) = 0",
    ];
    const PUBLISHED: [&str; 2] = [
        r#"3 linkat(AT_FDCWD</>, "/d/uploads/u", AT_FDCWD</>, "/d/blobs/sha256/ab/ab1", 0) = 0"#,
        "3 fsync(6</d/blobs/sha256/ab>) = 0",
    ];
    const RECORDED: [&str; 2] = [
        r#"2 pwrite64(4</d/metadata.sqlite3-wal>, "\0"..., 24, 32) = 24"#,
        "2 fsync(4</d/metadata.sqlite3-wal>) = 0",
    ];
    const REMOVED: [&str; 1] = [r#"3 unlink("/d/uploads/u") = 0"#];
    const CREATED: [&str; 1] =
        [r#"1 writev(9<socket:[7]>, [{iov_base="HTTP/1.1 201 Created"..., iov_len=9}], 1) = 9"#];
    const ACCEPTED: [&str; 1] =
        [r#"1 writev(9<socket:[7]>, [{iov_base="HTTP/1.1 202 Accepted"..., iov_len=9}], 1) = 9"#];

    fn request(status: u16, promise: Promise) -> Request {
        Request {
            name: "request",
            status,
            promise,
        }
    }

    fn blob() -> Request {
        request(201, Promise::Blob("/d/blobs/sha256/ab/ab1".to_owned()))
    }

    fn faults_of(parts: &[&[&str]], requests: &[Request]) -> Vec<String> {
        let calls = calls(&parts.concat().join("\n"));
        of_requests(&calls, Path::new("/d"), requests)
    }

    #[test]
    fn a_blob_is_synced_named_recorded_and_only_then_answered() {
        let whole = [&STAGED[..], &PUBLISHED, &RECORDED, &REMOVED, &CREATED];
        assert_eq!(faults_of(&whole, &[blob()]), Vec::<String>::new());
        for missing in 0..whole.len() - 1 {
            let mut parts = whole.to_vec();
            parts.remove(missing);
            assert!(!faults_of(&parts, &[blob()]).is_empty(), "{missing}");
        }
        let unsynced = [&STAGED[..], &PUBLISHED, &RECORDED[..1], &REMOVED, &CREATED];
        assert_eq!(
            faults_of(&unsynced, &[blob()]),
            ["request: the sync of /d/metadata.sqlite3-wal is missing"]
        );
        let unnamed = [&STAGED[..], &RECORDED, &CREATED];
        assert_eq!(
            faults_of(&unnamed, &[blob()]),
            ["request: nothing is given the name /d/blobs/sha256/ab/ab1"]
        );
    }

    #[test]
    fn what_an_earlier_request_synced_does_not_count() {
        let record = || request(202, Promise::Record);
        let both = [&RECORDED[..], &ACCEPTED, &RECORDED, &ACCEPTED];
        assert!(faults_of(&both, &[record(), record()]).is_empty());
        let first = [&RECORDED[..], &ACCEPTED, &ACCEPTED];
        assert_eq!(
            faults_of(&first, &[record(), record()]),
            [
                "request: the last write to /d/metadata.sqlite3-wal is missing",
                "request: the sync of /d/metadata.sqlite3-wal is missing"
            ]
        );
    }

    #[test]
    fn an_upload_is_durable_with_its_entry_before_its_record_is_written() {
        let folder = ["3 fsync(6</d/uploads>) = 0"];
        let upload = || [request(202, Promise::Staged("/d/uploads/u".to_owned()))];
        let whole = [&STAGED[..], &folder, &RECORDED, &ACCEPTED];
        assert!(faults_of(&whole, &upload()).is_empty());
        let late = [&RECORDED[..], &STAGED, &folder, &ACCEPTED];
        assert_eq!(faults_of(&late, &upload()).len(), 2);
    }

    #[test]
    fn a_trace_with_other_answers_is_not_that_of_the_requests() {
        let record = || request(202, Promise::Record);
        assert!(faults_of(&[&RECORDED, &ACCEPTED], &[record()]).is_empty());
        for parts in [&[][..], &[&CREATED[..]], &[&ACCEPTED[..], &ACCEPTED]] {
            assert_eq!(faults_of(parts, &[record()]).len(), 1, "{parts:?}");
        }
    }

    #[test]
    fn a_new_folder_is_durable_with_all_that_is_in_it() {
        let mut lines = vec![r#"1 mkdir("/d", 0777) = 0"#.to_owned()];
        lines.extend(MADE.map(|name| format!(r#"1 mkdir("/d/{name}", 0777) = 0"#)));
        let folders = ["/", "/d", "/d/blobs", "/d/blobs/sha256", "/d/blobs/sha512"];
        lines.extend(folders.map(|folder| format!("1 fsync(5<{folder}>) = 0")));
        lines.extend(CREATED.map(str::to_owned));
        let faults = |lines: &[String]| of_a_new_folder(&calls(&lines.join("\n")), Path::new("/d"));
        assert_eq!(faults(&lines), Vec::<String>::new());
        lines.retain(|line| line != "1 fsync(5</>) = 0");
        assert_eq!(faults(&lines), ["new /d: the sync of / is missing"]);
        assert_eq!(faults(&[]), ["no request was answered"]);
    }
}
