use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use berth_spec::RepositoryName;
use diesel::prelude::*;
use diesel::sql_types::Text;
use diesel::sqlite::SqliteConnection;

use super::schema::{namespaces, repositories};
use super::stored::to_number;
use crate::{Bounds, MetadataError, Scope, Usage};

/// Namespaces that have a row: once they have one, they always will.
#[derive(Debug, Default)]
pub(super) struct CountedNamespaces(Mutex<HashSet<RepositoryName>>);

impl CountedNamespaces {
    pub(super) fn have(&self, namespace: &RepositoryName) -> bool {
        self.lock().contains(namespace)
    }

    pub(super) fn add(&self, namespace: &RepositoryName) {
        self.lock().insert(namespace.clone());
    }

    fn lock(&self) -> MutexGuard<'_, HashSet<RepositoryName>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How much a scope holds. A namespace must have been counted.
pub(super) fn of(connection: &mut SqliteConnection, scope: &Scope) -> Result<Usage, MetadataError> {
    let found: Option<(i64, i64)> = match scope {
        Scope::Repository(name) => repositories::table
            .filter(repositories::name.eq(name.as_str()))
            .select((repositories::stored_bytes, repositories::tag_count))
            .first(connection)
            .optional()?,
        Scope::Namespace(name) => namespaces::table
            .find(name.as_str())
            .select((namespaces::stored_bytes, namespaces::tag_count))
            .first(connection)
            .optional()?,
    };
    let (bytes, tags) = found.unwrap_or_default();
    Ok(Usage {
        bytes: to_number(bytes)?,
        tags: to_number(tags)?,
    })
}

/// Gives a namespace a row, if it has none, which triggers keep from then on.
pub(super) fn count(
    connection: &mut SqliteConnection,
    namespace: &RepositoryName,
) -> Result<(), MetadataError> {
    let name = namespace.as_str();
    // `0` comes after `/`.
    diesel::sql_query(
        "INSERT INTO namespaces (name, stored_bytes, tag_count)
         SELECT ?, coalesce(sum(stored_bytes), 0), coalesce(sum(tag_count), 0)
         FROM repositories WHERE name = ? OR (name > ? AND name < ?)
         ON CONFLICT DO NOTHING",
    )
    .bind::<Text, _>(name)
    .bind::<Text, _>(name)
    .bind::<Text, _>(format!("{name}/"))
    .bind::<Text, _>(format!("{name}0"))
    .execute(connection)?;
    Ok(())
}

/// Makes a change of a repository that may add to it, and refuses it if that does not fit. A change
/// that is refused has been made: it must be rolled back, as that of every error is.
pub(super) fn add_within<T>(
    connection: &mut SqliteConnection,
    repository: &RepositoryName,
    bounds: &Bounds,
    change: impl FnOnce(&mut SqliteConnection) -> Result<T, MetadataError>,
) -> Result<T, MetadataError> {
    if bounds.quotas().is_empty() {
        return change(connection);
    }
    let scope = Scope::Repository(repository.clone());
    let before = of(connection, &scope)?;
    let changed = change(connection)?;
    let after = of(connection, &scope)?;
    let added = Usage {
        bytes: after.bytes.saturating_sub(before.bytes),
        tags: after.tags.saturating_sub(before.tags),
    };
    bounds.add(added, |quota| {
        let after = of(connection, &quota.scope)?;
        Ok(Usage {
            bytes: after.bytes.saturating_sub(added.bytes),
            tags: after.tags.saturating_sub(added.tags),
        })
    })?;
    Ok(changed)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use berth_spec::{Digest, Reference, media_types};
    use bytes::Bytes;

    use super::*;
    use crate::sqlite::SqliteMetadata;
    use crate::{MetadataStore, NewManifest};

    fn tagged(content: &'static str) -> NewManifest {
        NewManifest {
            digest: Digest::sha256(content.as_bytes()),
            media_type: media_types::OCI_IMAGE_MANIFEST.parse().unwrap(),
            artifact_type: None,
            subject: None,
            annotations: BTreeMap::new(),
            content: Bytes::from_static(content.as_bytes()),
            required_blobs: Vec::new(),
            optional_blobs: Vec::new(),
            required_manifests: Vec::new(),
            tags: vec!["v1".parse().unwrap()],
            condition: None,
        }
    }

    #[tokio::test]
    async fn what_is_refused_leaves_in_memory_what_was_read() {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteMetadata::open(&folder.path().join("metadata.sqlite3")).unwrap();
        let here: RepositoryName = "here".parse().unwrap();
        let by_tag = Reference::Tag("v1".parse().unwrap());
        store.put_manifest(&here, &tagged("first")).await.unwrap();
        let found = store.manifest(&here, &by_tag).await.unwrap();
        let bounds = Bounds::new(|_| true, Vec::new());
        let second = tagged("second");
        let refused = store.put_manifest_within(&here, &second, &bounds).await;
        assert!(matches!(refused, Err(MetadataError::TagImmutable(_))));
        assert_eq!(store.cache.get(&here, &by_tag), found);
        store.put_manifest(&here, &second).await.unwrap();
        assert_eq!(store.cache.get(&here, &by_tag), None);
    }
}
