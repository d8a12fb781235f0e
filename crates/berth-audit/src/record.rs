use std::net::IpAddr;
use std::time::SystemTime;

use berth_spec::{Digest, Reference, RepositoryName, Tag};
use serde::{Serialize, Serializer};

use crate::Text;

/// Something that somebody did, or tried to do. What is not known or does not apply is absent from the line.
///
/// There is no field for a secret, nor for what a client says freely besides the bounded [`Text`]s.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Record {
    /// When. In the line: UTC, to the millisecond (RFC 3339).
    #[serde(serialize_with = "rfc_3339")]
    pub time: SystemTime,
    /// What.
    pub event: Event,
    /// How it came out.
    pub outcome: Outcome,
    /// The status of the answer, over HTTP.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// Who: the proven name, or of a refused login the one that was tried.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub identity: Option<Text>,
    /// The address from which it was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client: Option<IpAddr>,
    /// What was to be done, as authorization names it: `pull`, `push`, `delete`, `admin`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub action: Option<&'static str>,
    /// The repository that it was about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repository: Option<RepositoryName>,
    /// From which repository, for a mount.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<RepositoryName>,
    /// The tag or digest by which a manifest was named.
    #[serde(
        skip_serializing_if = "Option::is_none",
        serialize_with = "some_reference"
    )]
    pub reference: Option<Reference>,
    /// The digest of the manifest or blob.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
    /// The tags that a push by digest set.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<Tag>,
    /// The account, robot token or key that was made or ended, by the name or id that is no secret; of what retention
    /// deletes, the rule.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<Text>,
    /// How many of what the event is about, if it is about many.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
    /// How many of each, of what was collected.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub counts: Option<Counts>,
    /// The id of the request: the registry's log has more under it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<Text>,
    /// What the client says it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_agent: Option<Text>,
}

impl Record {
    /// Of something that happens now, and of which nothing more is known.
    pub fn new(event: Event, outcome: Outcome) -> Self {
        Self {
            time: SystemTime::now(),
            event,
            outcome,
            status: None,
            identity: None,
            client: None,
            action: None,
            repository: None,
            from: None,
            reference: None,
            digest: None,
            tags: Vec::new(),
            subject: None,
            count: None,
            counts: None,
            request_id: None,
            user_agent: None,
        }
    }
}

/// How much was collected because nobody needs it any more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Uploads that nobody finished.
    pub upload_sessions: u64,
    /// Tags that retention deleted. Each has a line of its own, too.
    pub tags: u64,
    /// Manifests that retention deleted. Each has a line of its own, too.
    pub manifests: u64,
    /// Blobs that were deleted.
    pub blobs: u64,
    /// Files that no record knew.
    pub files: u64,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// A credential was presented, and good.
    Login,
    /// A credential was presented, and not good, or too many had not been good before.
    LoginRefused,
    /// A bearer token was given out.
    TokenIssued,
    /// Somebody wanted what is not allowed.
    Refused,
    /// More lines of the two kinds of refusals that one client caused in a minute, and that were left out.
    RefusalsLeftOut,
    /// A manifest was pushed, and tags set.
    PushManifest,
    /// The bytes of a blob were pushed.
    PushBlob,
    /// A blob was mounted from another repository.
    MountBlob,
    /// A manifest was deleted, by somebody or by a retention rule.
    DeleteManifest,
    /// A tag was deleted, by somebody or by a retention rule.
    DeleteTag,
    /// A blob was deleted from a repository.
    DeleteBlob,
    /// Garbage was collected.
    Collected,
    /// A user was added.
    UserAdded,
    /// A user's password, groups or expiry were changed.
    UserChanged,
    /// A user was removed.
    UserRemoved,
    /// A robot token was made.
    RobotTokenAdded,
    /// A robot token was revoked.
    RobotTokenRevoked,
    /// A key that signs tokens was made.
    SigningKeyAdded,
}

impl Event {
    /// Whether it tells of something that was refused, which anybody can cause as often as they like.
    pub fn is_refusal(self) -> bool {
        matches!(
            self,
            Self::LoginRefused | Self::Refused | Self::RefusalsLeftOut
        )
    }
}

/// How it came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It was done.
    Done,
    /// It was not allowed.
    Refused,
    /// It was allowed, and not possible: what was asked for was wrong, or the registry failed.
    Failed,
    /// It was allowed, and whoever asked went away before it was over: it may have been done.
    Interrupted,
}

pub(crate) fn rfc_3339<S: Serializer>(time: &SystemTime, serializer: S) -> Result<S::Ok, S::Error> {
    // A clock that is wrong by half a century must not end the record.
    let time = SystemTime::UNIX_EPOCH.max(*time);
    serializer.collect_str(&humantime::format_rfc3339_millis(time))
}

fn some_reference<S: Serializer>(
    reference: &Option<Reference>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match reference {
        Some(reference) => serializer.collect_str(reference),
        None => serializer.serialize_none(),
    }
}
