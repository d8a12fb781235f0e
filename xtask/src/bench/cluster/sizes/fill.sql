-- Rows as pushes leave them: `manifests` images in `repositories` repositories, each with a tag and six blobs. Two of these (the
-- config and the last layer) are its own, the other four are shared by ten images of the same repository. Digests are real ones, so
-- the indexes over them are as scattered as they would be.

INSERT INTO repositories (name, created_at)
    SELECT format('team-%s/service-%s', number % 40, number), 1700000000000
    FROM generate_series(0, :repositories - 1) AS number
    ORDER BY number;

CREATE TEMP TABLE needs AS
    SELECT manifest, position, manifest % :repositories AS repository,
        'sha256:' || encode(sha256(convert_to(
            CASE WHEN position < 2 THEN format('own %s %s', manifest, position)
                ELSE format('shared %s %s %s', manifest % :repositories, manifest / :repositories / 10, position) END,
            'UTF8')), 'hex') AS digest
    FROM generate_series(0, :manifests - 1) AS manifest, generate_series(0, 5) AS position;

INSERT INTO blobs (digest, size, state, generation, stored_at)
    SELECT DISTINCT digest, 30000000, 'live', md5(digest), 1700000000000 FROM needs;
ANALYZE blobs, needs;

INSERT INTO repository_blobs (repository_id, blob_id, linked_at)
    SELECT DISTINCT repositories.id, blobs.id, 1700000000000
    FROM needs
    JOIN blobs USING (digest)
    JOIN repositories ON repositories.name = format('team-%s/service-%s', repository % 40, repository);

CREATE TEMP TABLE images AS
    SELECT manifest, repository, convert_to(
        '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json",'
        || '"config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"'
        || min(digest) FILTER (WHERE position = 0) || '","size":7023},"layers":['
        || string_agg('{"mediaType":"application/vnd.oci.image.layer.v1.tar+gzip","digest":"'
            || digest || '","size":32654123}', ',' ORDER BY position) FILTER (WHERE position > 0)
        || ']}', 'UTF8') AS content
    FROM needs GROUP BY manifest, repository;

INSERT INTO manifests (repository_id, digest, media_type, size, used_at, content)
    SELECT repositories.id, 'sha256:' || encode(sha256(content), 'hex'),
        'application/vnd.oci.image.manifest.v1+json', octet_length(content), 1700000000000, content
    FROM images
    JOIN repositories ON repositories.name = format('team-%s/service-%s', repository % 40, repository)
    ORDER BY manifest;
ANALYZE manifests;

INSERT INTO manifest_blobs (manifest_id, digest, blob_id)
    SELECT manifests.id, needs.digest, blobs.id
    FROM needs
    JOIN images USING (manifest)
    JOIN manifests ON manifests.digest = 'sha256:' || encode(sha256(images.content), 'hex')
    JOIN blobs ON blobs.digest = needs.digest
    ORDER BY manifest;

INSERT INTO tags (repository_id, name, manifest_id, updated_at)
    SELECT manifests.repository_id, format('v1.%s.%s', manifest % 100, manifest), manifests.id, 1700000000000
    FROM images
    JOIN manifests ON manifests.digest = 'sha256:' || encode(sha256(images.content), 'hex')
    ORDER BY manifest;
