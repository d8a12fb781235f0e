DROP TABLE replaced_blobs;
DROP TABLE forsaken_blobs;
DROP INDEX blobs_condemned;
CREATE INDEX blobs_condemned ON blobs (digest, condemned_at, size) WHERE condemned_at IS NOT NULL;
ALTER TABLE blobs DROP COLUMN generation;
