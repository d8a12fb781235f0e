//! What there is at one moment: on the disk, in the database, in memory, and in the minds of clients.

/// The most repositories, blobs and uploads under way that a state has room for.
pub(crate) const REPOSITORIES: usize = 2;
pub(crate) const BLOBS: usize = 2;
pub(crate) const PUSHES: usize = 3;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct State {
    pub(crate) blobs: [Blob; BLOBS],
    /// The uploads under way. Sorted: which client does what makes no difference.
    pub(crate) pushes: [Option<Push>; PUSHES],
    pub(crate) backup: Backup,
}

/// All that concerns one blob.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Blob {
    pub(crate) file: File,
    pub(crate) row: Row,
    pub(crate) links: [Link; REPOSITORIES],
    /// What a manifest of the repository says of it. There is one manifest for each repository, and it
    /// needs all blobs.
    pub(crate) references: [Reference; REPOSITORIES],
    pub(crate) removal: Option<Removal>,
    /// Verification read a corrupt file, and has not moved it away yet.
    pub(crate) is_suspected: bool,
    pub(crate) told: Told,
}

/// What was told to clients, and what happened to the disk: no part of the registry knows this.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Told {
    /// A client heard 201 or 200, less than a grace period ago, and nobody deleted the blob from this
    /// repository since.
    pub(crate) promised: [bool; REPOSITORIES],
    /// A push was acknowledged while there was no file.
    pub(crate) pushed_nothing: bool,
    /// The corrupt file was moved away, and nobody pushed the blob since.
    pub(crate) is_quarantined: bool,
}

/// The name of a blob in its folder: what is seen, and what is there after a crash at the latest sync.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct File {
    pub(crate) seen: Content,
    pub(crate) synced: Content,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) enum Content {
    #[default]
    Missing,
    Whole,
    Corrupt,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) enum Row {
    #[default]
    Absent,
    Live,
    Condemned,
    /// Condemned at least a grace period ago.
    Ripe,
}

/// The link between a repository and a blob, by its age. A tick of time is the grace period, and as
/// long as a link may be old before a `HEAD` renews it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) enum Link {
    #[default]
    Absent,
    New,
    /// `HEAD` does not renew it yet.
    Aging,
    /// Nobody was promised anything by it: it does not keep the blob.
    Old,
}

/// What a manifest says of a blob.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) enum Reference {
    /// There is no manifest.
    #[default]
    Absent,
    /// It needs the blob, and keeps it.
    Kept,
    /// It needs the blob, which was deleted from the repository since.
    Cut,
}

/// An upload whose bytes are staged, and how many steps of its order are done. It holds the guard
/// `pushing` of its blob.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Push {
    pub(crate) blob: usize,
    pub(crate) repository: usize,
    pub(crate) done: usize,
}

/// Somebody who holds the guard `removing` of a blob, and how many steps of the order are done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Removal {
    pub(crate) by: Remover,
    pub(crate) done: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Remover {
    /// Deletes what was condemned.
    Collection,
    /// Deletes files without a row.
    Sweep,
    /// Moves corrupt files away.
    Verification,
}

/// A backup, which holds off all removals.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) enum Backup {
    #[default]
    None,
    /// It holds its guard.
    Begun,
    /// It copies the files of the blobs that its snapshot of the database has.
    Copying([bool; BLOBS]),
}

impl Blob {
    /// Whether nothing keeps it, by links that are older than `Aging`.
    pub(crate) fn is_unused(&self) -> bool {
        let is_new = |link: &Link| matches!(link, Link::New | Link::Aging);
        !self.is_referred_to() && !self.links.iter().any(is_new)
    }

    pub(crate) fn is_referred_to(&self) -> bool {
        self.references.contains(&Reference::Kept)
    }

    pub(crate) fn is_promised(&self) -> bool {
        self.told.promised.contains(&true)
    }

    pub(crate) fn is_condemned(&self) -> bool {
        matches!(self.row, Row::Condemned | Row::Ripe)
    }

    /// Whether its bytes were harmed by the disk, and no push has brought new ones that survive a crash.
    pub(crate) fn is_damaged(&self) -> bool {
        let File { seen, synced } = self.file;
        [seen, synced].contains(&Content::Corrupt) || self.told.is_quarantined
    }

    /// Whether its bytes are there, now and after a crash.
    pub(crate) fn is_stored(&self) -> bool {
        self.file.seen == Content::Whole && self.file.synced == Content::Whole
    }
}

impl File {
    /// What may be there after a crash.
    pub(crate) fn survivors(self) -> Vec<Content> {
        match self.seen == self.synced {
            true => vec![self.seen],
            // A name that leads to another file leads to the old one or to the new one.
            false => vec![self.synced, self.seen],
        }
    }
}
