use berth_spec::{RepositoryName, Tag};

use crate::{Registry, RegistryError};

/// The most entries that one page has, whatever is asked for.
const PAGE_LIMIT: u32 = 10_000;

/// How many names are read from the store at a time where only some are shown.
const READ_AT_ONCE: u32 = 1000;

/// A page of the tags of a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TagPage {
    /// The tags, in byte order.
    pub tags: Vec<Tag>,
    /// Whether there are more after these.
    pub more: bool,
}

/// A page of the names of repositories.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RepositoryPage {
    /// The names, in byte order.
    pub repositories: Vec<RepositoryName>,
    /// Whether there are more after these.
    pub more: bool,
}

impl Registry {
    /// The tags of a repository after `last`, in byte order, at most `limit` and at most 10,000
    /// (end-8a, end-8b).
    ///
    /// # Errors
    /// [`RegistryError::RepositoryUnknown`] if there is no such repository.
    pub async fn tags(
        &self,
        repository: &RepositoryName,
        last: Option<&str>,
        limit: Option<u32>,
    ) -> Result<TagPage, RegistryError> {
        let limit = page_limit(limit);
        let tags = self
            .metadata
            .tags(repository, last, limit.saturating_add(1))
            .await?;
        let mut tags = tags.ok_or_else(|| RegistryError::RepositoryUnknown(repository.clone()))?;
        let more = cut(&mut tags, limit);
        Ok(TagPage { tags, more })
    }

    /// The names of repositories after `last`, in byte order, at most `limit` and at most 10,000.
    ///
    /// # Errors
    /// When the metadata cannot be read.
    pub async fn repositories(
        &self,
        last: Option<&str>,
        limit: Option<u32>,
    ) -> Result<RepositoryPage, RegistryError> {
        let limit = page_limit(limit);
        let mut repositories = self
            .metadata
            .repositories(last, limit.saturating_add(1))
            .await?;
        let more = cut(&mut repositories, limit);
        Ok(RepositoryPage { repositories, more })
    }

    /// As [`Registry::repositories`], of those repositories alone of which `is_shown` is true: the page is the same as if there
    /// were no others. Of `prefixes`, in byte order and none the beginning of another one, each of these names begins
    /// with one; others are not looked at.
    ///
    /// Reads on until the page is full or the list ends, however many are not shown: a page that ended before could
    /// only tell a name that is not shown as the place to go on from.
    ///
    /// # Errors
    /// When the metadata cannot be read.
    pub async fn repositories_where(
        &self,
        last: Option<&str>,
        limit: Option<u32>,
        prefixes: &[String],
        is_shown: impl Fn(&RepositoryName) -> bool + Send,
    ) -> Result<RepositoryPage, RegistryError> {
        let limit = page_limit(limit);
        let enough = usize::try_from(limit).unwrap_or(usize::MAX);
        let mut shown = Vec::new();
        let is_over = |prefix: &&String| {
            let last = last.unwrap_or_default();
            last > prefix.as_str() && !last.starts_with(prefix.as_str())
        };
        for prefix in prefixes.iter().skip_while(is_over) {
            let mut last = place_before(prefix).max(last.map(str::to_owned));
            while limit > 0 && shown.len() <= enough {
                let names = self
                    .metadata
                    .repositories(last.as_deref(), READ_AT_ONCE)
                    .await?;
                let count = names.len();
                last = names.last().map(|end| end.as_str().to_owned());
                let begins = |name: &RepositoryName| name.as_str().starts_with(prefix);
                let names = names.into_iter().take_while(begins);
                let mut begin_so = 0;
                shown.extend(names.inspect(|_| begin_so += 1).filter(&is_shown));
                if begin_so < count || count == 0 {
                    break;
                }
            }
        }
        let more = cut(&mut shown, limit);
        Ok(RepositoryPage {
            repositories: shown,
            more,
        })
    }
}

/// A text after which, in byte order, all names follow that begin so, and before which all are that are less. No name has
/// a `~`, which is greater than all that names have.
fn place_before(prefix: &str) -> Option<String> {
    let (end, rest) = prefix.as_bytes().split_last()?;
    let place = [rest, &[end.saturating_sub(1), b'~']].concat();
    String::from_utf8(place).ok()
}

fn page_limit(limit: Option<u32>) -> u32 {
    limit.unwrap_or(PAGE_LIMIT).min(PAGE_LIMIT)
}

/// Shortens a list that was read one longer than the page; whether the page is not the last one.
fn cut<T>(list: &mut Vec<T>, limit: u32) -> bool {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = list.len() > limit && limit > 0;
    list.truncate(limit);
    more
}
