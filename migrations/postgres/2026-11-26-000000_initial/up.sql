-- The tables of migrations/sqlite, with what many writers at once need. Times are milliseconds since the Unix epoch.
-- Names, tags and digests compare by their bytes, which is the order of all lists: hence the collation.

-- How much each repository holds is kept by triggers, so that no way to add or remove something can forget it. The row is also
-- what whoever changes a repository locks first.
CREATE TABLE repositories (
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name TEXT COLLATE "C" NOT NULL UNIQUE,
    created_at BIGINT NOT NULL,
    stored_bytes BIGINT NOT NULL DEFAULT 0,
    tag_count BIGINT NOT NULL DEFAULT 0
) WITH (fillfactor = 70);

-- The same of the repositories `name` and `name/...` together. Only namespaces that somebody asked for
-- have a row: it is counted once, and followed from then on.
CREATE TABLE namespaces (
    name TEXT COLLATE "C" PRIMARY KEY,
    stored_bytes BIGINT NOT NULL,
    tag_count BIGINT NOT NULL
) WITH (fillfactor = 70);

-- One row for each content, whatever the number of repositories that have it. No reference to a
-- blob cascades: a row that somebody needs cannot be deleted.
CREATE TABLE blobs (
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    digest TEXT COLLATE "C" NOT NULL UNIQUE,
    size BIGINT NOT NULL CHECK (size >= 0),
    -- In a bucket, each publication of a blob has a name of its own, and is never written again: this says which of them is
    -- meant. Without one, the bytes are where the digest alone says.
    generation TEXT COLLATE "C",
    state TEXT COLLATE "C" NOT NULL CHECK (state IN ('live', 'condemned')),
    stored_at BIGINT NOT NULL,
    condemned_at BIGINT CHECK ((condemned_at IS NULL) = (state = 'live'))
);
CREATE INDEX blobs_condemned ON blobs (digest) INCLUDE (condemned_at, size, generation) WHERE condemned_at IS NOT NULL;

-- Published bytes that no blob will ever be recorded with: whoever removes them has said so before. A row stays for
-- good, since nobody knows how late somebody comes who wants to record them.
CREATE TABLE forsaken_blobs (
    generation TEXT COLLATE "C" PRIMARY KEY,
    digest TEXT COLLATE "C" NOT NULL
);

-- Published bytes that a blob was recorded with until others took their place. Who reads them goes on for a while; then they are
-- forsaken and removed, and the row goes.
CREATE TABLE replaced_blobs (
    generation TEXT COLLATE "C" PRIMARY KEY,
    digest TEXT COLLATE "C" NOT NULL,
    replaced_at BIGINT NOT NULL
);
CREATE INDEX replaced_blobs_of_digest ON replaced_blobs (digest, generation) INCLUDE (replaced_at);

-- Through which repositories a blob may be read.
CREATE TABLE repository_blobs (
    repository_id BIGINT NOT NULL REFERENCES repositories (id) ON DELETE CASCADE,
    blob_id BIGINT NOT NULL REFERENCES blobs (id),
    linked_at BIGINT NOT NULL,
    PRIMARY KEY (repository_id, blob_id)
);
-- The newest link to a blob, whatever the number of repositories that have it.
CREATE INDEX repository_blobs_of_blob ON repository_blobs (blob_id, linked_at);

CREATE TABLE manifests (
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    repository_id BIGINT NOT NULL REFERENCES repositories (id) ON DELETE CASCADE,
    digest TEXT COLLATE "C" NOT NULL,
    media_type TEXT COLLATE "C" NOT NULL,
    artifact_type TEXT COLLATE "C",
    subject_digest TEXT COLLATE "C",
    -- A JSON object, of manifests with a subject.
    annotations TEXT COLLATE "C",
    size BIGINT NOT NULL CHECK (size = octet_length(content)),
    used_at BIGINT NOT NULL,
    content BYTEA NOT NULL,
    UNIQUE (repository_id, digest)
);
CREATE INDEX manifests_of_subject
    ON manifests (repository_id, subject_digest, digest)
    WHERE subject_digest IS NOT NULL;
-- A type may be longer than what fits into an index.
CREATE INDEX manifests_of_subject_and_type
    ON manifests (repository_id, subject_digest, left(artifact_type, 255), digest)
    WHERE subject_digest IS NOT NULL;

-- Which blobs a manifest needs. The link (blob_id) is cut when the blob is deleted from the
-- repository, or was never there (non-distributable layers), and made when the blob is pushed.
CREATE TABLE manifest_blobs (
    manifest_id BIGINT NOT NULL REFERENCES manifests (id) ON DELETE CASCADE,
    digest TEXT COLLATE "C" NOT NULL,
    blob_id BIGINT REFERENCES blobs (id),
    PRIMARY KEY (manifest_id, digest)
);
CREATE INDEX manifest_blobs_of_blob ON manifest_blobs (blob_id) WHERE blob_id IS NOT NULL;
CREATE INDEX manifest_blobs_unlinked ON manifest_blobs (digest) WHERE blob_id IS NULL;

-- Which manifests a manifest needs, in its own repository.
CREATE TABLE manifest_manifests (
    parent_id BIGINT NOT NULL REFERENCES manifests (id) ON DELETE CASCADE,
    child_digest TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (parent_id, child_digest)
);
CREATE INDEX manifest_manifests_of_child ON manifest_manifests (child_digest, parent_id);

CREATE TABLE tags (
    repository_id BIGINT NOT NULL REFERENCES repositories (id) ON DELETE CASCADE,
    name TEXT COLLATE "C" NOT NULL,
    manifest_id BIGINT NOT NULL REFERENCES manifests (id) ON DELETE CASCADE,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (repository_id, name)
);
CREATE INDEX tags_of_manifest ON tags (manifest_id);

-- The repository is a name: starting an upload makes no repository.
CREATE TABLE uploads (
    id TEXT COLLATE "C" PRIMARY KEY,
    repository TEXT COLLATE "C" NOT NULL,
    algorithm TEXT COLLATE "C" NOT NULL,
    "offset" BIGINT NOT NULL CHECK ("offset" >= 0),
    hash_state BYTEA NOT NULL,
    revision BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    -- Whoever works on it has a lease, of one revision: none is left when the session is changed.
    leased_revision BIGINT,
    holder TEXT COLLATE "C",
    -- By the clock of the database.
    held_until BIGINT,
    CHECK ((leased_revision IS NULL) = (holder IS NULL) AND (leased_revision IS NULL) = (held_until IS NULL))
);
CREATE INDEX uploads_by_expiry ON uploads (expires_at, id);

-- Who may come in, and what signs the registry's own tokens. Of a password or a robot's secret there is only a hash.
CREATE TABLE users (
    name TEXT COLLATE "C" PRIMARY KEY,
    password_hash TEXT COLLATE "C" NOT NULL,
    -- A JSON array of names.
    groups TEXT COLLATE "C" NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT
);

CREATE TABLE robot_tokens (
    id TEXT COLLATE "C" PRIMARY KEY,
    name TEXT COLLATE "C" NOT NULL,
    secret_hash TEXT COLLATE "C" NOT NULL,
    scope TEXT COLLATE "C" NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT,
    revoked_at BIGINT
);
-- A name is free again when its token is revoked.
CREATE UNIQUE INDEX robot_tokens_by_name ON robot_tokens (name) WHERE revoked_at IS NULL;

CREATE TABLE signing_keys (
    id TEXT COLLATE "C" PRIMARY KEY,
    private_key TEXT COLLATE "C" NOT NULL,
    created_at BIGINT NOT NULL
);

CREATE FUNCTION count_blob() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        UPDATE repositories
            SET stored_bytes = stored_bytes + (SELECT size FROM blobs WHERE id = NEW.blob_id)
            WHERE id = NEW.repository_id;
    ELSE
        UPDATE repositories
            SET stored_bytes = stored_bytes - (SELECT size FROM blobs WHERE id = OLD.blob_id)
            WHERE id = OLD.repository_id;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER repository_blobs_are_counted AFTER INSERT OR DELETE ON repository_blobs
    FOR EACH ROW EXECUTE FUNCTION count_blob();

CREATE FUNCTION count_manifest() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        UPDATE repositories SET stored_bytes = stored_bytes + NEW.size WHERE id = NEW.repository_id;
    ELSIF TG_OP = 'DELETE' THEN
        UPDATE repositories SET stored_bytes = stored_bytes - OLD.size WHERE id = OLD.repository_id;
    -- Only what is damaged ever changes its size.
    ELSIF NEW.size <> OLD.size THEN
        UPDATE repositories
            SET stored_bytes = stored_bytes + NEW.size - OLD.size
            WHERE id = NEW.repository_id;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER manifests_are_counted AFTER INSERT OR DELETE OR UPDATE OF size ON manifests
    FOR EACH ROW EXECUTE FUNCTION count_manifest();

CREATE FUNCTION count_tag() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        UPDATE repositories SET tag_count = tag_count + 1 WHERE id = NEW.repository_id;
    ELSE
        UPDATE repositories SET tag_count = tag_count - 1 WHERE id = OLD.repository_id;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER tags_are_counted AFTER INSERT OR DELETE ON tags
    FOR EACH ROW EXECUTE FUNCTION count_tag();

-- Rows are locked in the order of their names: two that change repositories of nested namespaces wait, and nothing worse. Every
-- transaction that changes what is counted asks for these locks, so whoever locks the table against them sees all of it.
CREATE FUNCTION follow_repository() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM 1 FROM namespaces
        WHERE starts_with(NEW.name || '/', name || '/')
        ORDER BY name FOR NO KEY UPDATE;
    IF FOUND THEN
        UPDATE namespaces
            SET stored_bytes = stored_bytes + NEW.stored_bytes - OLD.stored_bytes,
                tag_count = tag_count + NEW.tag_count - OLD.tag_count
            WHERE starts_with(NEW.name || '/', name || '/');
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER namespaces_follow_repositories AFTER UPDATE OF stored_bytes, tag_count ON repositories
    FOR EACH ROW EXECUTE FUNCTION follow_repository();
