use std::sync::Arc;

use berth_metadata::Bounds;
use berth_spec::RepositoryName;

use crate::{Registry, Settings};

/// How much whoever asks for a change may do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Authority {
    /// What the settings allow everybody.
    #[default]
    Ordinary,
    /// Also to move and delete tags that [`Settings`] make immutable, on purpose.
    Admin,
}

impl Registry {
    /// What a change of this repository must keep to.
    pub(crate) fn bounds(&self, repository: &RepositoryName, authority: Authority) -> Bounds {
        let settings = &self.settings;
        let quotas = settings.quotas.iter();
        let quotas: Vec<_> = quotas.filter_map(|rule| rule.of(repository)).collect();
        let immutable_tags = match authority {
            Authority::Ordinary => &settings.immutable_tags[..],
            Authority::Admin => &[],
        };
        let has_immutable = immutable_tags.iter().any(|tags| tags.is_for(repository));
        match (has_immutable, quotas.is_empty()) {
            (false, true) => Bounds::NONE,
            (false, false) => Bounds::new(|_| false, quotas),
            (true, _) => {
                let (settings, repository) = (Arc::clone(settings), repository.clone());
                Bounds::new(move |tag| settings.is_immutable(&repository, tag), quotas)
            }
        }
    }
}

impl Settings {
    fn is_immutable(&self, repository: &RepositoryName, tag: &berth_spec::Tag) -> bool {
        let mut tables = self.immutable_tags.iter();
        tables.any(|tags| tags.is_for(repository) && tags.has(tag))
    }
}
