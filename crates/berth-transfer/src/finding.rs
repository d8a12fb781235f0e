use std::fmt::{self, Display, Formatter};

use berth_progress::{Nobody, Observer};
use berth_spec::{Digest, RepositoryName, Tag};

/// Something that was not transferred as it is. Its text is one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// The bytes are not what their digest says.
    Damaged {
        /// The repository that needs it.
        repository: RepositoryName,
        /// The digest that they should have.
        digest: Digest,
        /// The digest that they have.
        found: Digest,
        /// Where they are.
        place: String,
    },
    /// Something cannot be read, or says nothing that makes sense.
    Unreadable {
        /// What it is: the path of a file, for example.
        place: String,
        /// Why.
        error: String,
    },
    /// A manifest is left out, because the source does not have all that it needs, or not undamaged.
    Incomplete {
        /// Its repository.
        repository: RepositoryName,
        /// The manifest.
        manifest: Digest,
        /// What it needs.
        missing: Digest,
    },
    /// A manifest is left out, because there are no bytes of it.
    Missing {
        /// Its repository.
        repository: RepositoryName,
        /// The manifest.
        manifest: Digest,
    },
    /// The destination does not take something.
    Refused {
        /// The repository.
        repository: RepositoryName,
        /// A digest or a tag.
        reference: String,
        /// Why.
        why: String,
    },
    /// A tag is left out, because its manifest is.
    TagLeftOut {
        /// The repository.
        repository: RepositoryName,
        /// The tag.
        tag: Tag,
        /// What it leads to.
        manifest: Digest,
    },
    /// The destination has something that the source does not have, or that is not the same there.
    Differs {
        /// What, and how.
        what: String,
    },
    /// Something is left out on purpose: no server serves it, or no client uses it any more. This alone is no problem.
    PassedOver {
        /// Where it is.
        place: String,
        /// Why.
        why: String,
    },
}

impl Finding {
    /// Whether something is not at the destination that should be, or is there and should not.
    pub fn is_problem(&self) -> bool {
        !matches!(self, Self::PassedOver { .. })
    }

    pub(crate) fn unreadable(place: impl Display, error: impl Display) -> Self {
        Self::Unreadable {
            place: place.to_string(),
            error: error.to_string(),
        }
    }

    pub(crate) fn passed_over(place: impl Display, why: impl Display) -> Self {
        Self::PassedOver {
            place: place.to_string(),
            why: why.to_string(),
        }
    }
}

impl Display for Finding {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Damaged {
                repository,
                digest,
                found,
                place,
            } => write!(
                formatter,
                "{place} is damaged: its bytes have the digest {found} and not {digest}, which {repository} needs"
            ),
            Self::Unreadable { place, error } => {
                write!(formatter, "{place} cannot be read: {error}")
            }
            Self::Incomplete {
                repository,
                manifest,
                missing,
            } => write!(
                formatter,
                "{repository}@{manifest} is left out: it needs {missing}, which is not to be had"
            ),
            Self::Missing {
                repository,
                manifest,
            } => write!(
                formatter,
                "{repository}@{manifest} is left out: its bytes are missing"
            ),
            Self::Refused {
                repository,
                reference,
                why,
            } => write!(formatter, "{repository} {reference} is refused: {why}"),
            Self::TagLeftOut {
                repository,
                tag,
                manifest,
            } => write!(
                formatter,
                "{repository}:{tag} is left out, as what it leads to is: {manifest}"
            ),
            Self::Differs { what } => formatter.write_str(what),
            Self::PassedOver { place, why } => write!(formatter, "{place} is passed over: {why}"),
        }
    }
}

/// Who watches a transfer.
pub trait Watcher: Observer {
    /// Takes note of a finding, when it is made.
    fn found(&self, finding: &Finding);
}

impl Watcher for Nobody {
    fn found(&self, _: &Finding) {}
}
