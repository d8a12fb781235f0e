//! What quotas count.

use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use berth_spec::RepositoryName;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};

use super::stored::to_number;
use crate::{Bounds, MetadataError, Scope, Usage};

/// Namespaces that have a row: once they have one, they always will.
#[derive(Debug, Default)]
pub struct CountedNamespaces(Mutex<HashSet<RepositoryName>>);

impl CountedNamespaces {
    /// Whether this namespace is known to have a row.
    pub fn have(&self, namespace: &RepositoryName) -> bool {
        self.lock().contains(namespace)
    }

    /// Notes that this namespace has a row.
    pub fn add(&self, namespace: &RepositoryName) {
        self.lock().insert(namespace.clone());
    }

    /// Those that bounds need and that are not known to have a row.
    pub fn missing(&self, bounds: &Bounds) -> Vec<RepositoryName> {
        let scopes = bounds.quotas().iter().map(|quota| &quota.scope);
        let namespaces = scopes.filter_map(|scope| match scope {
            Scope::Namespace(namespace) if !self.have(namespace) => Some(namespace.clone()),
            _ => None,
        });
        namespaces.collect()
    }

    fn lock(&self) -> MutexGuard<'_, HashSet<RepositoryName>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is stored of a scope: bytes, tags. Nothing, if there is no row.
pub fn usage(row: Option<(i64, i64)>) -> Result<Usage, MetadataError> {
    let (bytes, tags) = row.unwrap_or_default();
    Ok(Usage {
        bytes: to_number(bytes)?,
        tags: to_number(tags)?,
    })
}

/// Makes a change of a repository that may add to it, and refuses it if that does not fit. A change
/// that is refused has been made: it must be rolled back, as that of every error is. `usage` tells how much a scope
/// holds at that moment, the change included.
pub fn add_within<C, T, E: From<MetadataError>>(
    connection: &mut C,
    repository: &RepositoryName,
    bounds: &Bounds,
    usage: impl Fn(&mut C, &Scope) -> Result<Usage, E>,
    change: impl FnOnce(&mut C) -> Result<T, E>,
) -> Result<T, E> {
    if bounds.quotas().is_empty() {
        return change(connection);
    }
    let scope = Scope::Repository(repository.clone());
    let before = usage(connection, &scope)?;
    let changed = change(connection)?;
    let added = difference(usage(connection, &scope)?, before);
    bounds.add(added, |quota| {
        let after = usage(connection, &quota.scope)?;
        Ok::<_, E>(difference(after, added))
    })?;
    Ok(changed)
}

fn difference(more: Usage, less: Usage) -> Usage {
    Usage {
        bytes: more.bytes.saturating_sub(less.bytes),
        tags: more.tags.saturating_sub(less.tags),
    }
}

/// What is kept, and what a full count finds.
#[derive(QueryableByName)]
pub struct Count {
    /// Whose it is.
    #[diesel(sql_type = Text)]
    pub name: String,
    /// The bytes that are kept.
    #[diesel(sql_type = BigInt)]
    pub stored_bytes: i64,
    /// The tags that are kept.
    #[diesel(sql_type = BigInt)]
    pub tag_count: i64,
    /// The bytes that a full count finds.
    #[diesel(sql_type = BigInt)]
    pub bytes: i64,
    /// The tags that it finds.
    #[diesel(sql_type = BigInt)]
    pub tags: i64,
}

impl Count {
    /// Whether they differ.
    pub fn is_wrong(&self) -> bool {
        (self.stored_bytes, self.tag_count) != (self.bytes, self.tags)
    }

    /// What is told of a correction.
    pub fn correction(&self, kind: &str) -> String {
        let Self {
            name,
            stored_bytes,
            tag_count,
            bytes,
            tags,
        } = self;
        format!(
            "the {kind} {name} was counted as {stored_bytes} bytes and {tag_count} tags, and holds {bytes} bytes and {tags} tags; the count is corrected"
        )
    }
}
