ALTER TABLE manifests RENAME COLUMN used_at TO created_at;
DROP INDEX manifest_manifests_of_child;
DROP INDEX blobs_condemned;
DROP INDEX repository_blobs_of_blob;
CREATE INDEX repository_blobs_of_blob ON repository_blobs (blob_id);
