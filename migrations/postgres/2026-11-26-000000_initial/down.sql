DROP TABLE signing_keys, robot_tokens, users, uploads, tags, manifest_manifests, manifest_blobs, manifests,
    repository_blobs, replaced_blobs, forsaken_blobs, blobs, namespaces, repositories;
DROP FUNCTION follow_repository, count_tag, count_manifest, count_blob;
