use std::fmt;
use std::sync::Arc;

use berth_spec::Tag;

use crate::{MetadataError, Quota, QuotaExceeded, Usage};

/// What a change of one repository must keep to. The store decides in the transaction of the change,
/// so that changes which come at the same time cannot break together what none breaks alone. Cheap to
/// clone.
#[derive(Clone, Default)]
pub struct Bounds(Option<Arc<Kept>>);

struct Kept {
    is_immutable: Box<TagTest>,
    quotas: Vec<Quota>,
}

type TagTest = dyn Fn(&Tag) -> bool + Send + Sync;

impl Bounds {
    /// Everything is allowed.
    pub const NONE: Self = Self(None);

    /// Tags of which `is_immutable` holds are not moved to another manifest, and not deleted, and what they
    /// point to does not become something else. What the
    /// repository, or the namespace that it is in, would hold after the change fits into the quotas;
    /// whatever adds nothing passes, even if they are exceeded already.
    pub fn new(
        is_immutable: impl Fn(&Tag) -> bool + Send + Sync + 'static,
        quotas: Vec<Quota>,
    ) -> Self {
        Self(Some(Arc::new(Kept {
            is_immutable: Box::new(is_immutable),
            quotas,
        })))
    }

    /// The quotas. None, if everything is allowed.
    pub fn quotas(&self) -> &[Quota] {
        self.0.as_ref().map_or(&[], |kept| &kept.quotas)
    }

    /// Refuses to move or delete a tag that is there, or to change what it points to. For stores.
    ///
    /// # Errors
    /// [`MetadataError::TagImmutable`] if it is immutable.
    pub fn change_tag(&self, tag: &Tag) -> Result<(), MetadataError> {
        match &self.0 {
            Some(kept) if (kept.is_immutable)(tag) => Err(MetadataError::TagImmutable(tag.clone())),
            _ => Ok(()),
        }
    }

    /// Refuses a change that adds to a repository what does not fit. `used` tells how much each scope
    /// holds before it. For stores.
    ///
    /// # Errors
    /// [`MetadataError::QuotaExceeded`] if it does not fit, and those of `used`.
    pub fn add<E: From<MetadataError>>(
        &self,
        added: Usage,
        mut used: impl FnMut(&Quota) -> Result<Usage, E>,
    ) -> Result<(), E> {
        if added == Usage::default() {
            return Ok(());
        }
        for quota in self.quotas() {
            let fits = quota.check(used(quota)?, added);
            fits.map_err(MetadataError::from)?;
        }
        Ok(())
    }
}

impl From<QuotaExceeded> for MetadataError {
    fn from(exceeded: QuotaExceeded) -> Self {
        Self::QuotaExceeded(exceeded)
    }
}

impl fmt::Debug for Bounds {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Bounds")
            .field("quotas", &self.quotas())
            .finish_non_exhaustive()
    }
}
