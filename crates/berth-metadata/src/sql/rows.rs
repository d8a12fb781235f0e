//! What rows mean.

use std::collections::HashMap;
use std::time::SystemTime;

use berth_spec::{BlobName, Digest, Generation, MediaType};
use diesel::prelude::*;
use secrecy::ExposeSecret;

use super::schema::{robot_tokens, uploads, users};
use super::stored::{milliseconds, parse, time_of, to_integer, to_number};
use crate::{
    Blob, InspectedManifest, ManifestEntry, ManifestLimits, MetadataError, NewManifest, Referrer,
    RobotTokenRecord, SigningKeyRecord, StoredManifest, TagEntry, UploadRecord, UserRecord,
};

/// Digest, size, generation.
pub type BlobRow = (String, i64, Option<String>);

/// A blob.
pub fn blob((digest, size, generation): BlobRow) -> Result<Blob, MetadataError> {
    blob_of(parse(&digest)?, size, generation)
}

/// A blob of a digest that is known.
pub fn blob_of(
    digest: Digest,
    size: i64,
    generation: Option<String>,
) -> Result<Blob, MetadataError> {
    Ok(Blob {
        digest,
        size: to_number(size)?,
        generation: generation.as_deref().map(parse).transpose()?,
    })
}

/// Digest, generation.
pub type BlobNameRow = (String, Option<String>);

/// The name of the bytes of a blob.
pub fn blob_name((digest, generation): BlobNameRow) -> Result<BlobName, MetadataError> {
    Ok(BlobName {
        digest: parse(&digest)?,
        generation: generation.as_deref().map(parse).transpose()?,
    })
}

/// Digest, generation of what was replaced.
pub type ReplacedRow = (String, String);

/// Names of what was replaced, in the order of their rows.
pub fn replaced(rows: Vec<ReplacedRow>) -> Result<Vec<BlobName>, MetadataError> {
    let named = rows.into_iter();
    named
        .map(|(digest, generation)| blob_name((digest, Some(generation))))
        .collect()
}

/// How a generation is stored.
pub fn generation_text(generation: Option<Generation>) -> Option<String> {
    generation.map(|generation| generation.to_string())
}

/// Blobs, in the order of their rows.
pub fn blobs(rows: Vec<BlobRow>) -> Result<Vec<Blob>, MetadataError> {
    rows.into_iter().map(blob).collect()
}

/// Size, generation, when it was condemned, when it was linked.
pub type LinkedRow = (i64, Option<String>, Option<i64>, i64);

/// Texts that were valid when they were stored.
pub fn parse_all<T>(texts: &[String]) -> Result<Vec<T>, MetadataError>
where
    T: std::str::FromStr<Err: std::fmt::Display>,
{
    texts.iter().map(|text| parse(text)).collect()
}

/// Digest, media type, content.
pub type ManifestRow = (String, String, Vec<u8>);

/// A manifest, with its bytes.
pub fn manifest(
    (digest, media_type, content): ManifestRow,
) -> Result<StoredManifest, MetadataError> {
    Ok(StoredManifest {
        digest: parse(&digest)?,
        media_type: parse::<MediaType>(&media_type)?,
        content: content.into(),
    })
}

/// Digest, media type, size, artifact type, annotations.
pub type ReferrerRow = (String, String, i64, Option<String>, Option<String>);

/// An entry of a list of referrers.
pub fn referrer(row: ReferrerRow) -> Result<Referrer, MetadataError> {
    let (digest, media_type, size, artifact_type, annotations) = row;
    let annotations = annotations.as_deref().unwrap_or("{}");
    Ok(Referrer {
        digest: parse(&digest)?,
        media_type: parse(&media_type)?,
        size: to_number(size)?,
        artifact_type,
        annotations: serde_json::from_str(annotations)
            .map_err(|error| MetadataError::Damaged(format!("annotations of {digest}: {error}")))?,
    })
}

/// How many bytes a [`ReferrerRow`] counts for against
/// [`ReferrerLimits::bytes`](crate::ReferrerLimits::bytes).
pub fn referrer_bytes(row: &ReferrerRow) -> usize {
    let texts = [&row.3, &row.4];
    texts
        .map(|text| text.as_deref().map_or(0, str::len))
        .iter()
        .sum()
}

/// What is stored of the annotations of a manifest: nothing, if it has no subject.
pub fn annotations(manifest: &NewManifest) -> Result<Option<String>, MetadataError> {
    if manifest.subject.is_none() {
        return Ok(None);
    }
    serde_json::to_string(&manifest.annotations)
        .map(Some)
        .map_err(|error| MetadataError::Database(error.to_string()))
}

/// Repository, digest, media type, content.
pub type InspectedRow = (String, String, String, Vec<u8>);

/// A page of manifests while it fills.
pub struct ManifestPage {
    limits: ManifestLimits,
    manifests: Vec<InspectedManifest>,
    bytes: usize,
    is_full: bool,
}

impl ManifestPage {
    /// An empty page.
    pub fn new(limits: ManifestLimits) -> Self {
        Self {
            limits,
            manifests: Vec::new(),
            bytes: 0,
            is_full: false,
        }
    }

    /// For how many more manifests there may be room.
    pub fn room(&self) -> i64 {
        let taken = i64::try_from(self.manifests.len()).unwrap_or(i64::MAX);
        i64::from(self.limits.count).saturating_sub(taken)
    }

    /// Whether a manifest did not fit.
    pub fn is_full(&self) -> bool {
        self.is_full
    }

    /// Adds a manifest. `false` if there was no room for it.
    pub fn add(&mut self, row: InspectedRow) -> Result<bool, MetadataError> {
        let (repository, digest, media_type, content) = row;
        self.bytes = self.bytes.saturating_add(content.len());
        self.is_full = self.bytes > self.limits.bytes && !self.manifests.is_empty();
        if self.is_full {
            return Ok(false);
        }
        self.manifests.push(InspectedManifest {
            repository: parse(&repository)?,
            manifest: manifest((digest, media_type, content))?,
        });
        Ok(true)
    }

    /// What is on the page.
    pub fn into_manifests(self) -> Vec<InspectedManifest> {
        self.manifests
    }
}

/// Name, digest of the manifest, time of the last change.
pub type TagRow = (String, String, i64);

/// A tag, as retention sees it.
pub fn tag_entry((name, digest, updated_at): TagRow) -> Result<TagEntry, MetadataError> {
    Ok(TagEntry {
        tag: parse(&name)?,
        digest: parse(&digest)?,
        updated_at: time_of(updated_at),
    })
}

/// Id, digest, size, time of the last use, subject.
pub type ManifestEntryRow = (i64, String, i64, i64, Option<String>);

/// Manifests, as retention sees them. `edges` are ids of parents with the digests of their children, in the order of those.
pub fn manifest_entries(
    rows: Vec<ManifestEntryRow>,
    edges: Vec<(i64, String)>,
) -> Result<Vec<ManifestEntry>, MetadataError> {
    let mut children: HashMap<i64, Vec<Digest>> = HashMap::new();
    for (parent_id, child) in edges {
        children.entry(parent_id).or_default().push(parse(&child)?);
    }
    let entry = |(id, digest, size, used_at, subject): ManifestEntryRow| {
        Ok(ManifestEntry {
            digest: parse(&digest)?,
            size: to_number(size)?,
            used_at: time_of(used_at),
            subject: subject.as_deref().map(parse).transpose()?,
            children: children.remove(&id).unwrap_or_default(),
        })
    };
    rows.into_iter().map(entry).collect()
}

/// A row of `uploads`.
#[derive(Queryable, QueryableByName, Insertable, AsChangeset)]
#[diesel(table_name = uploads)]
pub struct UploadRow {
    id: String,
    repository: String,
    algorithm: String,
    offset: i64,
    hash_state: Vec<u8>,
    revision: i64,
    updated_at: i64,
    expires_at: i64,
}

impl UploadRow {
    /// What is stored of a session that changes now.
    pub fn of(upload: &UploadRecord) -> Result<Self, MetadataError> {
        Ok(Self {
            id: upload.id.to_string(),
            repository: upload.repository.to_string(),
            algorithm: upload.algorithm.to_string(),
            offset: to_integer(upload.offset)?,
            hash_state: upload.hash_state.clone(),
            revision: to_integer(upload.revision)?,
            updated_at: milliseconds(SystemTime::now()),
            expires_at: milliseconds(upload.expires_at),
        })
    }

    /// The record of the session.
    pub fn record(self) -> Result<UploadRecord, MetadataError> {
        Ok(UploadRecord {
            id: parse(&self.id)?,
            repository: parse(&self.repository)?,
            algorithm: parse(&self.algorithm)?,
            offset: to_number(self.offset)?,
            hash_state: self.hash_state,
            revision: to_number(self.revision)?,
            expires_at: time_of(self.expires_at),
            holder: None,
        })
    }
}

/// A row of `users`.
#[derive(Queryable, Insertable)]
#[diesel(table_name = users)]
pub struct UserRow {
    name: String,
    password_hash: String,
    groups: String,
    created_at: i64,
    expires_at: Option<i64>,
}

impl UserRow {
    /// What is stored of a user.
    pub fn of(user: &UserRecord) -> Result<Self, MetadataError> {
        let groups = serde_json::to_string(&user.groups).map_err(|error| {
            MetadataError::Database(format!("groups cannot be written: {error}"))
        })?;
        Ok(Self {
            name: user.name.clone(),
            password_hash: user.password_hash.expose_secret().to_owned(),
            groups,
            created_at: milliseconds(user.created_at),
            expires_at: user.expires_at.map(milliseconds),
        })
    }

    /// The record of the user.
    pub fn record(self) -> Result<UserRecord, MetadataError> {
        let groups = serde_json::from_str(&self.groups).map_err(|error| {
            MetadataError::Damaged(format!("groups of the user {:?}: {error}", self.name))
        })?;
        Ok(UserRecord {
            name: self.name,
            password_hash: self.password_hash.into(),
            groups,
            created_at: time_of(self.created_at),
            expires_at: self.expires_at.map(time_of),
        })
    }
}

/// A row of `robot_tokens`.
#[derive(Queryable, Insertable)]
#[diesel(table_name = robot_tokens)]
pub struct RobotTokenRow {
    id: String,
    name: String,
    secret_hash: String,
    scope: String,
    created_at: i64,
    expires_at: Option<i64>,
    revoked_at: Option<i64>,
}

impl RobotTokenRow {
    /// What is stored of a token.
    pub fn of(token: &RobotTokenRecord) -> Self {
        Self {
            id: token.id.clone(),
            name: token.name.clone(),
            secret_hash: token.secret_hash.expose_secret().to_owned(),
            scope: token.scope.clone(),
            created_at: milliseconds(token.created_at),
            expires_at: token.expires_at.map(milliseconds),
            revoked_at: token.revoked_at.map(milliseconds),
        }
    }

    /// The record of the token.
    pub fn record(self) -> RobotTokenRecord {
        RobotTokenRecord {
            id: self.id,
            name: self.name,
            secret_hash: self.secret_hash.into(),
            scope: self.scope,
            created_at: time_of(self.created_at),
            expires_at: self.expires_at.map(time_of),
            revoked_at: self.revoked_at.map(time_of),
        }
    }
}

/// Id, private key, time of its making.
pub type SigningKeyRow = (String, String, i64);

/// A signing key.
pub fn signing_key((id, private_key, created_at): SigningKeyRow) -> SigningKeyRecord {
    SigningKeyRecord {
        id,
        private_key: private_key.into(),
        created_at: time_of(created_at),
    }
}
