use std::collections::HashMap;
use std::fs::File;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use berth_blob::{BlobError, BlobReader, BlobStore};
use berth_spec::{BlobName, Digest};
use tracing::warn;

use crate::CacheSettings;
use crate::blocking::blocking;
use crate::fill::Filling;
use crate::folder::Folder;
use crate::index::{Found, Index, Victims};
use crate::progress::{Fill, Seat};

/// What a cache and all that it has opened share.
pub(crate) struct Shared {
    pub(crate) below: Arc<dyn BlobStore>,
    pub(crate) folder: Folder,
    pub(crate) settings: CacheSettings,
    state: Mutex<State>,
}

pub(crate) struct State {
    pub(crate) index: Index,
    pub(crate) fills: HashMap<Digest, Arc<Fill>>,
    /// How often blobs were removed through this cache. What was opened before a removal is not kept after it.
    pub(crate) removals: u64,
    paused_until: Option<Instant>,
}

/// What a look for a blob in the cache comes to.
pub(crate) enum Look {
    /// It is kept, and has this size.
    Kept(Arc<File>, u64),
    /// It is being filled, and will have this size.
    Filling(Seat, u64),
    /// It is not there. So many removals there had been.
    Missing { removals: u64 },
    /// It is there, and cannot be read.
    Unreadable,
}

/// Where whoever wants all of a blob finds it.
pub(crate) enum Place {
    Kept(Arc<File>),
    Filling(Seat),
    /// In the store below, which has opened it.
    Below(Box<dyn BlobReader>),
}

impl Shared {
    pub(crate) fn new(
        below: Arc<dyn BlobStore>,
        folder: Folder,
        settings: CacheSettings,
        index: Index,
    ) -> Self {
        Self {
            below,
            folder,
            settings,
            state: Mutex::new(State {
                index,
                fills: HashMap::new(),
                removals: 0,
                paused_until: None,
            }),
        }
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks for a blob.
    pub(crate) async fn look_for(self: &Arc<Self>, digest: &Digest) -> Look {
        let size = {
            let mut state = self.state();
            match state.index.find(digest) {
                Some(Found::Open(file, size)) => return Look::Kept(file, size),
                Some(Found::Closed(size)) => size,
                None => return state.look_for_fill(digest),
            }
        };
        let (shared, wanted) = (Arc::clone(self), digest.clone());
        match blocking(move || shared.folder.open(&wanted, size)).await {
            Ok(Ok(Some(file))) => Look::Kept(self.state().index.opened(digest, file), size),
            Ok(Ok(None)) => {
                self.forget([digest]).await;
                self.state().look_for_fill(digest)
            }
            Ok(Err(error)) => {
                warn!(%digest, %error, "a file of the cache cannot be opened");
                Look::Unreadable
            }
            Err(_) => Look::Unreadable,
        }
    }

    /// Where somebody reads all of a blob that was not there when it was looked for, and that the store below has opened: if
    /// nobody fills it, he begins that.
    pub(crate) async fn place(
        self: &Arc<Self>,
        name: &BlobName,
        removals: u64,
        reader: Box<dyn BlobReader>,
    ) -> Place {
        let digest = &name.digest;
        loop {
            match self.look_for(digest).await {
                Look::Kept(file, size) if size == reader.size() => return Place::Kept(file),
                Look::Filling(seat, size) if size == reader.size() => return Place::Filling(seat),
                Look::Missing { .. } => {}
                Look::Kept(..) | Look::Filling(..) | Look::Unreadable => {
                    return Place::Below(reader);
                }
            }
            let size = reader.size();
            let begun = {
                let mut state = self.state();
                if state.index.contains(digest) || state.fills.contains_key(digest) {
                    continue;
                }
                self.begin(&mut state, digest, removals, size)
            };
            let Some((fill, victims)) = begun else {
                return Place::Below(reader);
            };
            let seat = fill.seat();
            let filling = Filling::new(Arc::clone(self), digest.clone(), fill);
            // Without the lock: a runtime that is shutting down drops the task at once, which takes it.
            tokio::spawn(filling.run(reader.read(0..size), self.files_of(&victims)));
            return Place::Filling(seat);
        }
    }

    /// Notes that a blob is being filled, and answers which blobs must go for it; `None` if it is not to be.
    fn begin(
        &self,
        state: &mut State,
        digest: &Digest,
        removals: u64,
        size: u64,
    ) -> Option<(Arc<Fill>, Victims)> {
        let may_begin = state.removals == removals
            && state.fills.len() < self.settings.fills_at_once
            && !state.is_paused();
        if !may_begin {
            return None;
        }
        let victims = state.index.reserve(size)?;
        let fill = Arc::new(Fill::new(size));
        state.fills.insert(digest.clone(), Arc::clone(&fill));
        Some((fill, victims))
    }

    /// Takes blobs out of the cache. Who reads them goes on.
    pub(crate) async fn forget(self: &Arc<Self>, digests: impl IntoIterator<Item = &Digest>) {
        let files = {
            let mut state = self.state();
            let forgotten: Vec<_> = digests
                .into_iter()
                .filter_map(|digest| Some((digest.clone(), state.index.forget(digest)?)))
                .collect();
            self.files_of(&forgotten)
        };
        self.remove(files).await;
    }

    /// Takes blobs out of the cache that were removed below, also those that are being filled or about to be.
    pub(crate) async fn forget_removed(self: &Arc<Self>, names: &[BlobName]) {
        {
            let mut state = self.state();
            state.removals += 1;
            for name in names {
                if let Some(fill) = state.fills.remove(&name.digest) {
                    fill.forget();
                }
            }
        }
        self.forget(names.iter().map(|name| &name.digest)).await;
    }

    /// Notes that the folder cannot be written, and makes room of so many bytes if that is why.
    pub(crate) async fn pause(self: &Arc<Self>, room_for: Option<u64>) {
        let files = {
            let mut state = self.state();
            state.paused_until = Instant::now().checked_add(self.settings.pause);
            let victims = room_for.map(|bytes| state.index.shrink(bytes));
            self.files_of(&victims.unwrap_or_default())
        };
        self.remove(files).await;
    }

    pub(crate) fn files_of(&self, blobs: &[(Digest, u64)]) -> Vec<PathBuf> {
        let file = |(digest, size): &(Digest, u64)| self.folder.file_of(digest, *size);
        blobs.iter().map(file).collect()
    }

    pub(crate) async fn remove(self: &Arc<Self>, files: Vec<PathBuf>) {
        if files.is_empty() {
            return;
        }
        let shared = Arc::clone(self);
        // Cut off only when the process ends; the next one finds what is left.
        let _ = blocking(move || shared.folder.remove(&files)).await;
    }

    /// Opens a blob in the store below that must be there, with this size.
    pub(crate) async fn open_below(
        &self,
        name: &BlobName,
        size: u64,
    ) -> Result<Box<dyn BlobReader>, BlobError> {
        let reader = self.below.open(name).await?;
        reader
            .filter(|reader| reader.size() == size)
            .ok_or(BlobError::Gone)
    }
}

impl State {
    fn look_for_fill(&self, digest: &Digest) -> Look {
        match self.fills.get(digest) {
            Some(fill) => Look::Filling(fill.seat(), fill.size),
            None => Look::Missing {
                removals: self.removals,
            },
        }
    }

    /// Takes out a fill, unless another of the same blob has taken its place.
    pub(crate) fn remove_fill(&mut self, digest: &Digest, fill: &Arc<Fill>) {
        let found = self.fills.get(digest);
        if found.is_some_and(|found| Arc::ptr_eq(found, fill)) {
            self.fills.remove(digest);
        }
    }

    fn is_paused(&self) -> bool {
        self.paused_until
            .is_some_and(|until| Instant::now() < until)
    }
}
