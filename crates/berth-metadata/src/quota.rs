use std::fmt;

use berth_spec::RepositoryName;
use bytesize::ByteSize;

/// How much a repository, or a namespace, may hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quota {
    /// What is counted together.
    pub scope: Scope,
    /// How many bytes blobs and manifests may have together, if that is limited.
    pub bytes: Option<u64>,
    /// How many tags there may be, if that is limited.
    pub tags: Option<u64>,
}

/// Repositories whose contents are counted together.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// One.
    Repository(RepositoryName),
    /// The one of this name, and all below it: `team`, `team/app`, `team/app/cache`. What two of them
    /// hold counts twice.
    Namespace(RepositoryName),
}

/// How much a scope holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// The sizes of the distinct blobs that a repository is linked to and of its manifests, in bytes.
    pub bytes: u64,
    /// The number of its tags.
    pub tags: u64,
}

/// What a quota counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counted {
    /// Bytes of blobs and manifests.
    Bytes,
    /// Tags.
    Tags,
}

/// Something does not fit into a quota.
///
/// The text is for whoever pushes. Of a namespace it does not tell how much is there: that may be in repositories
/// which they may not see.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{scope} {held}has no room for {added} more: delete what is not needed, or ask the owner of the registry for a larger quota",
    held = self.held(),
    added = .counted.amount(*.added)
)]
pub struct QuotaExceeded {
    /// Whose quota it is.
    pub scope: Scope,
    /// What is too much.
    pub counted: Counted,
    /// How much the quota allows.
    pub allowed: u64,
    /// How much there is already.
    pub used: u64,
    /// How much was to be added.
    pub added: u64,
}

impl Scope {
    /// Whether it counts what this repository holds.
    pub fn contains(&self, repository: &RepositoryName) -> bool {
        match self {
            Self::Repository(name) => name == repository,
            Self::Namespace(name) => {
                let below = repository.as_str().strip_prefix(name.as_str());
                below.is_some_and(|below| below.is_empty() || below.starts_with('/'))
            }
        }
    }
}

impl Quota {
    /// Whether `added` fits beside what is `used` already. Of what nothing is added, there may be
    /// too much.
    ///
    /// # Errors
    /// When it does not.
    pub fn check(&self, used: Usage, added: Usage) -> Result<(), QuotaExceeded> {
        for (counted, allowed, used, added) in [
            (Counted::Bytes, self.bytes, used.bytes, added.bytes),
            (Counted::Tags, self.tags, used.tags, added.tags),
        ] {
            let Some(allowed) = allowed else { continue };
            if added > 0 && used.saturating_add(added) > allowed {
                return Err(QuotaExceeded {
                    scope: self.scope.clone(),
                    counted,
                    allowed,
                    used,
                    added,
                });
            }
        }
        Ok(())
    }
}

impl QuotaExceeded {
    fn held(&self) -> String {
        let [allowed, used] = [self.allowed, self.used].map(|count| self.counted.amount(count));
        match self.scope {
            Scope::Repository(_) => format!("may hold {allowed}, holds {used}, and "),
            Scope::Namespace(_) => String::new(),
        }
    }
}

impl Counted {
    fn amount(self, count: u64) -> String {
        match (self, count) {
            // Units are rounded, and whoever has no room should see why.
            (Self::Bytes, 0..10_000) => format!("{count} bytes"),
            (Self::Bytes, _) => format!("{} ({count} bytes)", ByteSize(count)),
            (Self::Tags, 1) => "1 tag".to_owned(),
            (Self::Tags, _) => format!("{count} tags"),
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Repository(name) => write!(formatter, "the repository {name}"),
            Self::Namespace(name) => write!(formatter, "the namespace {name}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_namespace_ends_at_a_slash() {
        let namespace = Scope::Namespace("team/app".parse().unwrap());
        for (name, is_in) in [
            ("team/app", true),
            ("team/app/cache", true),
            ("team/app/cache/deep", true),
            ("team/app-cache", false),
            ("team/apple", false),
            ("team", false),
            ("my/team/app", false),
        ] {
            assert_eq!(namespace.contains(&name.parse().unwrap()), is_in, "{name}");
        }
        let repository = Scope::Repository("team/app".parse().unwrap());
        assert!(repository.contains(&"team/app".parse().unwrap()));
        assert!(!repository.contains(&"team/app/cache".parse().unwrap()));
    }

    #[test]
    fn only_what_is_added_must_fit() {
        let quota = Quota {
            scope: Scope::Namespace("team".parse().unwrap()),
            bytes: Some(100_000),
            tags: Some(2),
        };
        let usage = |bytes, tags| Usage { bytes, tags };
        for (used, added, fits) in [
            (usage(0, 0), usage(100_000, 2), true),
            (usage(0, 0), usage(100_001, 0), false),
            (usage(99_999, 1), usage(1, 1), true),
            (usage(100_000, 2), usage(0, 1), false),
            (usage(100_000, 2), usage(1, 0), false),
            (usage(u64::MAX, 9), usage(0, 0), true),
            (usage(u64::MAX, 0), usage(0, 2), true),
            (usage(u64::MAX, 0), usage(1, 0), false),
        ] {
            assert_eq!(quota.check(used, added).is_ok(), fits, "{used:?} {added:?}");
        }
    }

    #[test]
    fn what_a_namespace_holds_is_not_told() {
        let told = |scope, counted, added| {
            let exceeded = QuotaExceeded {
                scope,
                counted,
                allowed: 100_000,
                used: 99_000,
                added,
            };
            exceeded.to_string()
        };
        let name: RepositoryName = "team".parse().unwrap();
        let (alone, together) = (Scope::Repository(name.clone()), Scope::Namespace(name));
        for (text, begin) in [
            (
                told(alone.clone(), Counted::Bytes, 1001),
                "the repository team may hold 97.7 KiB (100000 bytes), holds 96.7 KiB (99000 bytes), and has no room for 1001 bytes more: delete",
            ),
            (
                told(alone, Counted::Tags, 1),
                "the repository team may hold 100000 tags, holds 99000 tags, and has no room for 1 tag more: delete",
            ),
            (
                told(together.clone(), Counted::Bytes, 1001),
                "the namespace team has no room for 1001 bytes more: delete",
            ),
            (
                told(together, Counted::Tags, 1),
                "the namespace team has no room for 1 tag more: delete",
            ),
        ] {
            assert!(text.starts_with(begin), "{text}");
        }
    }
}
