-- Who may come in, and what signs the registry's own tokens. Of a password or a robot's secret there is only a hash.

CREATE TABLE users (
    name TEXT PRIMARY KEY NOT NULL,
    password_hash TEXT NOT NULL,
    -- A JSON array of names.
    "groups" TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER
) STRICT, WITHOUT ROWID;

CREATE TABLE robot_tokens (
    id TEXT PRIMARY KEY NOT NULL,
    name TEXT NOT NULL,
    secret_hash TEXT NOT NULL,
    scope TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER,
    revoked_at INTEGER
) STRICT, WITHOUT ROWID;
-- A name is free again when its token is revoked.
CREATE UNIQUE INDEX robot_tokens_by_name ON robot_tokens (name) WHERE revoked_at IS NULL;

CREATE TABLE signing_keys (
    id TEXT PRIMARY KEY NOT NULL,
    private_key TEXT NOT NULL,
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
