-- How much each repository holds, which quotas are about: the sizes of the blobs that it is linked to
-- and of its manifests, and the number of its tags. Triggers keep it, so that no way to add or remove
-- something can forget it.
ALTER TABLE repositories ADD COLUMN stored_bytes INTEGER NOT NULL DEFAULT 0;
ALTER TABLE repositories ADD COLUMN tag_count INTEGER NOT NULL DEFAULT 0;
-- The manifests are read in the order in which they are stored: by any index, each would be a seek among their contents.
CREATE TEMPORARY TABLE held (
    repository_id INTEGER PRIMARY KEY NOT NULL,
    bytes INTEGER NOT NULL
) STRICT;
INSERT INTO held
    SELECT repository_id, sum(size) FROM manifests NOT INDEXED GROUP BY repository_id;
INSERT INTO held
    SELECT repository_id, sum(size)
    FROM repository_blobs CROSS JOIN blobs ON blobs.id = blob_id
    GROUP BY repository_id
    ON CONFLICT (repository_id) DO UPDATE SET bytes = bytes + excluded.bytes;
UPDATE repositories SET
    stored_bytes = coalesce((SELECT bytes FROM held WHERE repository_id = repositories.id), 0),
    tag_count = (SELECT count(*) FROM tags WHERE tags.repository_id = repositories.id);
DROP TABLE held;

-- The same of the repositories `name` and `name/...` together. Only namespaces that somebody asked for
-- have a row: it is counted once, and followed from then on.
CREATE TABLE namespaces (
    name TEXT PRIMARY KEY NOT NULL,
    stored_bytes INTEGER NOT NULL,
    tag_count INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- In what is damaged a link may lead to no blob: that must not make a sum of nothing.
CREATE TRIGGER repository_gains_blob AFTER INSERT ON repository_blobs BEGIN
    UPDATE repositories
        SET stored_bytes = stored_bytes + coalesce((SELECT size FROM blobs WHERE id = NEW.blob_id), 0)
        WHERE id = NEW.repository_id;
END;
CREATE TRIGGER repository_loses_blob AFTER DELETE ON repository_blobs BEGIN
    UPDATE repositories
        SET stored_bytes = stored_bytes - coalesce((SELECT size FROM blobs WHERE id = OLD.blob_id), 0)
        WHERE id = OLD.repository_id;
END;
CREATE TRIGGER repository_gains_manifest AFTER INSERT ON manifests BEGIN
    UPDATE repositories SET stored_bytes = stored_bytes + NEW.size WHERE id = NEW.repository_id;
END;
CREATE TRIGGER repository_loses_manifest AFTER DELETE ON manifests BEGIN
    UPDATE repositories SET stored_bytes = stored_bytes - OLD.size WHERE id = OLD.repository_id;
END;
-- Only what is damaged ever changes its size.
CREATE TRIGGER manifest_changes_size AFTER UPDATE OF size ON manifests WHEN NEW.size <> OLD.size BEGIN
    UPDATE repositories
        SET stored_bytes = stored_bytes + NEW.size - OLD.size
        WHERE id = NEW.repository_id;
END;
CREATE TRIGGER repository_gains_tag AFTER INSERT ON tags BEGIN
    UPDATE repositories SET tag_count = tag_count + 1 WHERE id = NEW.repository_id;
END;
CREATE TRIGGER repository_loses_tag AFTER DELETE ON tags BEGIN
    UPDATE repositories SET tag_count = tag_count - 1 WHERE id = OLD.repository_id;
END;
CREATE TRIGGER namespace_follows_repository AFTER UPDATE OF stored_bytes, tag_count ON repositories BEGIN
    UPDATE namespaces
        SET stored_bytes = stored_bytes + NEW.stored_bytes - OLD.stored_bytes,
            tag_count = tag_count + NEW.tag_count - OLD.tag_count
        WHERE substr(NEW.name || '/', 1, length(name) + 1) = name || '/';
END;
