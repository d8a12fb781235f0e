-- Times are milliseconds since the Unix epoch. Texts compare by their bytes (BINARY is SQLite's
-- default collation), which is the order of all lists.

CREATE TABLE repositories (
    id INTEGER PRIMARY KEY NOT NULL,
    name TEXT NOT NULL UNIQUE,
    created_at INTEGER NOT NULL
) STRICT;

-- One row for each content, whatever the number of repositories that have it. No reference to a
-- blob cascades: a row that somebody needs cannot be deleted.
CREATE TABLE blobs (
    id INTEGER PRIMARY KEY NOT NULL,
    digest TEXT NOT NULL UNIQUE,
    size INTEGER NOT NULL CHECK (size >= 0),
    state TEXT NOT NULL CHECK (state IN ('live', 'condemned')),
    stored_at INTEGER NOT NULL,
    condemned_at INTEGER CHECK ((condemned_at IS NULL) = (state = 'live'))
) STRICT;

-- Through which repositories a blob may be read.
CREATE TABLE repository_blobs (
    repository_id INTEGER NOT NULL REFERENCES repositories (id) ON DELETE CASCADE,
    blob_id INTEGER NOT NULL REFERENCES blobs (id),
    linked_at INTEGER NOT NULL,
    PRIMARY KEY (repository_id, blob_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX repository_blobs_of_blob ON repository_blobs (blob_id);

-- The content comes last: reading the columns before it does not touch its pages.
CREATE TABLE manifests (
    id INTEGER PRIMARY KEY NOT NULL,
    repository_id INTEGER NOT NULL REFERENCES repositories (id) ON DELETE CASCADE,
    digest TEXT NOT NULL,
    media_type TEXT NOT NULL,
    artifact_type TEXT,
    subject_digest TEXT,
    -- A JSON object, of manifests with a subject.
    annotations TEXT,
    size INTEGER NOT NULL CHECK (size = length(content)),
    created_at INTEGER NOT NULL,
    content BLOB NOT NULL,
    UNIQUE (repository_id, digest)
) STRICT;
CREATE INDEX manifests_of_subject
    ON manifests (repository_id, subject_digest, digest)
    WHERE subject_digest IS NOT NULL;
CREATE INDEX manifests_of_subject_and_type
    ON manifests (repository_id, subject_digest, artifact_type, digest)
    WHERE subject_digest IS NOT NULL;

-- Which blobs a manifest needs. The link (blob_id) is cut when the blob is deleted from the
-- repository, or was never there (non-distributable layers), and made when the blob is pushed.
CREATE TABLE manifest_blobs (
    manifest_id INTEGER NOT NULL REFERENCES manifests (id) ON DELETE CASCADE,
    digest TEXT NOT NULL,
    blob_id INTEGER REFERENCES blobs (id),
    PRIMARY KEY (manifest_id, digest)
) STRICT, WITHOUT ROWID;
CREATE INDEX manifest_blobs_of_blob ON manifest_blobs (blob_id) WHERE blob_id IS NOT NULL;
CREATE INDEX manifest_blobs_unlinked ON manifest_blobs (digest) WHERE blob_id IS NULL;

-- Which manifests a manifest needs, in its own repository.
CREATE TABLE manifest_manifests (
    parent_id INTEGER NOT NULL REFERENCES manifests (id) ON DELETE CASCADE,
    child_digest TEXT NOT NULL,
    PRIMARY KEY (parent_id, child_digest)
) STRICT, WITHOUT ROWID;

CREATE TABLE tags (
    repository_id INTEGER NOT NULL REFERENCES repositories (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    manifest_id INTEGER NOT NULL REFERENCES manifests (id) ON DELETE CASCADE,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (repository_id, name)
) STRICT, WITHOUT ROWID;
CREATE INDEX tags_of_manifest ON tags (manifest_id);

-- The repository is a name: starting an upload makes no repository.
CREATE TABLE uploads (
    id TEXT PRIMARY KEY NOT NULL,
    repository TEXT NOT NULL,
    algorithm TEXT NOT NULL,
    "offset" INTEGER NOT NULL CHECK ("offset" >= 0),
    hash_state BLOB NOT NULL,
    revision INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX uploads_by_expiry ON uploads (expires_at, id);
