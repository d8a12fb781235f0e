use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::sync::{Arc, Weak};

use berth_spec::Digest;

use crate::folder;

/// What is in the folder, what is on its way there, and who of it goes first. Nothing here touches a file.
pub(crate) struct Index {
    limit: u64,
    blobs: HashMap<Digest, Blob>,
    /// The blobs by when they were used last.
    order: BTreeMap<u64, Digest>,
    /// The time of the order: it counts uses.
    now: u64,
    /// The sizes of all blobs together.
    kept: u64,
    /// The sizes of those that are being filled.
    filling: u64,
    /// Files without a name that somebody has open: they take room until he closes them.
    leaving: Vec<(Weak<File>, u64)>,
}

struct Blob {
    size: u64,
    used: u64,
    /// The file, if anybody has it open.
    file: Weak<File>,
}

/// Blobs that must go, and their sizes.
pub(crate) type Victims = Vec<(Digest, u64)>;

/// A blob that is kept.
pub(crate) enum Found {
    /// Somebody reads it now.
    Open(Arc<File>, u64),
    /// It has this size, and must be opened.
    Closed(u64),
}

/// How much is in a cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    /// How many blobs are kept.
    pub blobs: usize,
    /// How many bytes they have together.
    pub kept: u64,
    /// The sizes, in bytes, of the blobs that are being filled, and of files that were removed and are still read.
    pub passing: u64,
}

impl Index {
    /// An index of what is in the folder.
    pub(crate) fn of(limit: u64, mut found: Vec<folder::Kept>) -> Self {
        let mut index = Self {
            limit,
            blobs: HashMap::new(),
            order: BTreeMap::new(),
            now: 0,
            kept: 0,
            filling: 0,
            leaving: Vec::new(),
        };
        found.sort_by_key(|kept| kept.used);
        for kept in found {
            index.insert(kept.digest, kept.size, Weak::new());
        }
        index
    }

    pub(crate) fn usage(&mut self) -> Usage {
        Usage {
            blobs: self.blobs.len(),
            kept: self.kept,
            passing: self.filling + self.leaving(),
        }
    }

    pub(crate) fn contains(&self, digest: &Digest) -> bool {
        self.blobs.contains_key(digest)
    }

    /// Looks for a blob that is about to be used.
    pub(crate) fn find(&mut self, digest: &Digest) -> Option<Found> {
        let blob = self.blobs.get_mut(digest)?;
        self.now += 1;
        self.order.remove(&blob.used);
        blob.used = self.now;
        self.order.insert(blob.used, digest.clone());
        Some(match blob.file.upgrade() {
            Some(file) => Found::Open(file, blob.size),
            None => Found::Closed(blob.size),
        })
    }

    /// Takes note of who has a blob open, and answers the file that all share.
    pub(crate) fn opened(&mut self, digest: &Digest, file: File) -> Arc<File> {
        let opened = Arc::new(file);
        let Some(blob) = self.blobs.get_mut(digest) else {
            return opened;
        };
        if let Some(open) = blob.file.upgrade() {
            return open;
        }
        blob.file = Arc::downgrade(&opened);
        opened
    }

    /// Sets room aside for a blob that is to be filled, and answers which blobs must go for it: those that were not used for
    /// the longest time, and that nobody reads, as others would free nothing. `None` if that is not enough.
    pub(crate) fn reserve(&mut self, size: u64) -> Option<Victims> {
        let taken = self.kept + self.filling + self.leaving();
        let free = self.limit.saturating_sub(taken);
        let needed = size.saturating_sub(free);
        let (victims, freed) = self.victims(needed);
        if freed < needed {
            return None;
        }
        for (digest, _) in &victims {
            self.take_out(digest);
        }
        self.filling += size;
        Some(victims)
    }

    /// Takes out blobs of at least so many bytes together, or all that nobody reads.
    pub(crate) fn shrink(&mut self, bytes: u64) -> Victims {
        let (victims, _) = self.victims(bytes);
        for (digest, _) in &victims {
            self.take_out(digest);
        }
        victims
    }

    /// Takes out what is beyond the limit.
    pub(crate) fn shrink_to_limit(&mut self) -> Victims {
        self.shrink(self.kept.saturating_sub(self.limit))
    }

    /// Gives back the room of a blob that is not kept. Who has its file open goes on.
    pub(crate) fn release(&mut self, size: u64, file: Option<&Arc<File>>) {
        self.filling = self.filling.saturating_sub(size);
        self.leaving
            .extend(file.map(|file| (Arc::downgrade(file), size)));
    }

    /// Takes in a blob that was filled.
    pub(crate) fn keep(&mut self, digest: Digest, size: u64, file: &Arc<File>) {
        self.filling = self.filling.saturating_sub(size);
        self.insert(digest, size, Arc::downgrade(file));
    }

    /// Takes out a blob, and answers its size. Who has its file open goes on.
    pub(crate) fn forget(&mut self, digest: &Digest) -> Option<u64> {
        let blob = self.take_out(digest)?;
        self.leaving.push((blob.file, blob.size));
        Some(blob.size)
    }

    fn insert(&mut self, digest: Digest, size: u64, file: Weak<File>) {
        self.forget(&digest);
        self.now += 1;
        self.kept += size;
        self.order.insert(self.now, digest.clone());
        let used = self.now;
        self.blobs.insert(digest, Blob { size, used, file });
    }

    fn take_out(&mut self, digest: &Digest) -> Option<Blob> {
        let blob = self.blobs.remove(digest)?;
        self.order.remove(&blob.used);
        self.kept -= blob.size;
        Some(blob)
    }

    /// The first to go of those that nobody reads, with at least so many bytes if there are so many, and how many they have.
    fn victims(&self, bytes: u64) -> (Victims, u64) {
        let (mut victims, mut freed) = (Vec::new(), 0);
        for digest in self.order.values() {
            if freed >= bytes {
                break;
            }
            let blob = self.blobs.get(digest);
            if let Some(blob) = blob.filter(|blob| blob.file.strong_count() == 0) {
                freed += blob.size;
                victims.push((digest.clone(), blob.size));
            }
        }
        (victims, freed)
    }

    fn leaving(&mut self) -> u64 {
        self.leaving.retain(|(file, _)| file.strong_count() > 0);
        self.leaving.iter().map(|(_, size)| size).sum()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::*;

    fn digest(number: u8) -> Digest {
        Digest::sha256(&[number])
    }

    fn file() -> Arc<File> {
        Arc::new(tempfile::tempfile().unwrap())
    }

    fn fill(index: &mut Index, number: u8, size: u64) -> Option<Victims> {
        let victims = index.reserve(size)?;
        index.keep(digest(number), size, &file());
        Some(victims)
    }

    #[test]
    fn the_longest_unused_goes_first() {
        let mut index = Index::of(30, Vec::new());
        for number in 0..3 {
            assert_eq!(fill(&mut index, number, 10), Some(Vec::new()));
        }
        assert!(index.find(&digest(0)).is_some());
        assert_eq!(
            fill(&mut index, 3, 15),
            Some(vec![(digest(1), 10), (digest(2), 10)])
        );
        assert!(index.find(&digest(1)).is_none());
        assert_eq!(index.usage().kept, 25);
    }

    #[test]
    fn what_is_read_stays() {
        let mut index = Index::of(20, Vec::new());
        let read = file();
        index.reserve(10).unwrap();
        index.keep(digest(0), 10, &read);
        fill(&mut index, 1, 10).unwrap();
        assert_eq!(fill(&mut index, 2, 10), Some(vec![(digest(1), 10)]));
        // Not even one goes for nothing.
        assert_eq!(index.reserve(20), None);
        assert_eq!(index.usage().blobs, 2);
        drop(read);
        assert_eq!(index.reserve(20).unwrap().len(), 2);
        assert_eq!(index.reserve(1), None);
    }

    #[test]
    fn a_removed_file_takes_room_until_it_is_closed() {
        let mut index = Index::of(20, Vec::new());
        let (read, unkept) = (file(), file());
        index.reserve(10).unwrap();
        index.keep(digest(0), 10, &read);
        assert_eq!(index.forget(&digest(0)), Some(10));
        assert_eq!(index.forget(&digest(0)), None);
        index.reserve(10).unwrap();
        index.release(10, Some(&unkept));
        assert_eq!(index.usage().passing, 20);
        assert_eq!(index.reserve(1), None);
        drop((read, unkept));
        assert_eq!(index.usage().passing, 0);
        assert_eq!(index.reserve(20), Some(Vec::new()));
    }

    #[test]
    fn all_share_one_open_file() {
        let mut index = Index::of(20, Vec::new());
        fill(&mut index, 0, 10).unwrap();
        assert!(matches!(index.find(&digest(0)), Some(Found::Closed(10))));
        let first = index.opened(&digest(0), tempfile::tempfile().unwrap());
        let second = index.opened(&digest(0), tempfile::tempfile().unwrap());
        assert!(Arc::ptr_eq(&first, &second));
        let Some(Found::Open(third, 10)) = index.find(&digest(0)) else {
            panic!("it is not open");
        };
        assert!(Arc::ptr_eq(&first, &third));
    }

    #[test]
    fn what_was_used_last_stays_when_a_lower_limit_is_set() {
        let kept = |number: u8| folder::Kept {
            digest: digest(number),
            size: 10,
            used: SystemTime::UNIX_EPOCH + Duration::from_secs(u64::from(number)),
        };
        let mut index = Index::of(15, vec![kept(2), kept(0), kept(1)]);
        let victims = index.shrink_to_limit();
        assert_eq!(victims, [(digest(0), 10), (digest(1), 10)]);
        assert!(index.contains(&digest(2)));
    }
}
