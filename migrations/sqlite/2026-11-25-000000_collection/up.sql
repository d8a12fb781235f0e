-- What garbage collection looks up.

-- The newest link to a blob, whatever the number of repositories that have it.
DROP INDEX repository_blobs_of_blob;
CREATE INDEX repository_blobs_of_blob ON repository_blobs (blob_id, linked_at);

CREATE INDEX blobs_condemned ON blobs (digest, condemned_at, size) WHERE condemned_at IS NOT NULL;

CREATE INDEX manifest_manifests_of_child ON manifest_manifests (child_digest, parent_id);

-- When a manifest was last used, by a push or a loss of what held it: retention counts from there.
ALTER TABLE manifests RENAME COLUMN created_at TO used_at;
-- So far it was the first push. Nobody knows when those without a tag were used last: it may have been now.
UPDATE manifests
    SET used_at = CAST(1000 * unixepoch('subsec') AS INTEGER)
    WHERE NOT EXISTS (SELECT 1 FROM tags WHERE tags.manifest_id = manifests.id);
