-- In a bucket, each publication of a blob has a name of its own, and is never written again. The generation says under which of
-- them the bytes are; without one, they are where the digest alone says.
ALTER TABLE blobs ADD COLUMN generation TEXT;
DROP INDEX blobs_condemned;
CREATE INDEX blobs_condemned ON blobs (digest, condemned_at, size, generation) WHERE condemned_at IS NOT NULL;

-- Published bytes that no blob will ever be recorded with: whoever removes them has said so before. A row stays for
-- good, since nobody knows how late somebody comes who wants to record them.
CREATE TABLE forsaken_blobs (
    generation TEXT PRIMARY KEY NOT NULL,
    digest TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Published bytes that a blob was recorded with until others took their place. Who reads them goes on for a while; then they are
-- forsaken and removed, and the row goes.
CREATE TABLE replaced_blobs (
    generation TEXT PRIMARY KEY NOT NULL,
    digest TEXT NOT NULL,
    replaced_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX replaced_blobs_of_digest ON replaced_blobs (digest, generation, replaced_at);
