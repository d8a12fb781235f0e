use berth_spec::{Algorithm, Digest, Reference, RepositoryName, SessionId, Tag};

/// A request that the registry serves: one endpoint of the specification with its parameters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Route {
    /// end-1: `GET` or `HEAD` `/v2/`, whether this is a registry.
    Base,
    /// `GET /v2/_catalog`, the names of the repositories.
    Catalog(Page),
    /// end-8a, end-8b: the tags of a repository.
    ListTags {
        /// The repository.
        repository: RepositoryName,
        /// Which part of the list.
        page: Page,
    },
    /// end-3: `GET` or `HEAD` of a manifest.
    GetManifest {
        /// The repository.
        repository: RepositoryName,
        /// Which manifest.
        reference: Reference,
    },
    /// end-7a, end-7b: push a manifest.
    PutManifest {
        /// The repository.
        repository: RepositoryName,
        /// A tag to point at it, or the digest that it must have.
        reference: Reference,
        /// The `tag` parameters, in order, of a push by digest.
        tags: Vec<Tag>,
    },
    /// end-9: delete a manifest or a tag.
    DeleteManifest {
        /// The repository.
        repository: RepositoryName,
        /// Which manifest, or which tag.
        reference: Reference,
    },
    /// end-2: `GET` or `HEAD` of a blob.
    GetBlob {
        /// The repository.
        repository: RepositoryName,
        /// Which blob.
        digest: Digest,
    },
    /// end-10: delete a blob.
    DeleteBlob {
        /// The repository.
        repository: RepositoryName,
        /// Which blob.
        digest: Digest,
    },
    /// end-4a, end-4b, end-4c, end-11: begin an upload, push a whole blob, or mount one.
    StartUpload {
        /// The repository.
        repository: RepositoryName,
        /// What kind of start.
        start: StartUpload,
    },
    /// end-13: how far an upload session has come.
    UploadStatus(Session),
    /// end-5: append to an upload session.
    AppendUpload(Session),
    /// end-6: append what the body holds, and make the session a blob.
    FinishUpload {
        /// The session.
        session: Session,
        /// The digest that the blob must have.
        digest: Digest,
    },
    /// end-14: give an upload session up.
    CancelUpload(Session),
    /// end-12a, end-12b: the manifests that name a subject.
    ListReferrers {
        /// The repository.
        repository: RepositoryName,
        /// The subject.
        subject: Digest,
        /// Only referrers of this type.
        artifact_type: Option<String>,
        /// Only referrers after this digest: the next page.
        last: Option<Digest>,
    },
}

/// How an upload starts (`POST /v2/<name>/blobs/uploads/`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StartUpload {
    /// end-4a, end-4c: a session, whose bytes are hashed by this algorithm.
    Session(Algorithm),
    /// end-4b: the body is the whole blob, of this digest.
    Whole(Digest),
    /// end-11: link a blob of another repository; if it is not to be had, a session.
    Mount {
        /// The blob.
        digest: Digest,
        /// The repository that has it; any, if none is given. A `from` that is no valid name
        /// cannot have it: the mount becomes a session.
        from: MountFrom,
    },
}

/// Where a blob to be mounted comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MountFrom {
    /// The request names no repository.
    Anywhere,
    /// The request names this one.
    Repository(RepositoryName),
    /// The request names something that cannot be a repository.
    Nowhere,
}

/// An upload session of a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// The repository that the blob is for.
    pub repository: RepositoryName,
    /// The session.
    pub id: SessionId,
}

/// Which part of a list is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// `n`: at most so many entries. Values too large for the type are its largest.
    pub limit: Option<u32>,
    /// `last`: only entries after this text, in byte order.
    pub last: Option<String>,
}
