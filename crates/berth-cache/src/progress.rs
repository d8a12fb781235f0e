use std::fs::File;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::watch;

/// How far a fill has come.
#[derive(Clone, Debug)]
pub(crate) enum Progress {
    /// There is no file yet.
    Begun,
    /// So many bytes may be read of the file. The last ones may not until all have been hashed.
    Arriving(Arc<File>, u64),
    /// All is there, and is what the digest says.
    Whole(Arc<File>),
    /// The store below has other bytes.
    Corrupt,
    /// The rest is to be had from the store below alone.
    GivenUp,
}

impl Progress {
    /// Whether somebody who has read so many bytes need not wait.
    fn has_news(&self, position: u64) -> bool {
        match self {
            Self::Begun => false,
            Self::Arriving(_, available) => *available > position,
            Self::Whole(_) | Self::Corrupt | Self::GivenUp => true,
        }
    }
}

/// A blob that is being filled, as those know it who read it.
#[derive(Debug)]
pub(crate) struct Fill {
    /// The size of the blob, in bytes.
    pub(crate) size: u64,
    progress: watch::Sender<Progress>,
    /// Whether the blob was removed meanwhile, so that it must not be kept.
    forgotten: AtomicBool,
}

/// The place of one who reads along.
#[derive(Debug)]
pub(crate) struct Seat(watch::Receiver<Progress>);

impl Fill {
    pub(crate) fn new(size: u64) -> Self {
        Self {
            size,
            progress: watch::Sender::new(Progress::Begun),
            forgotten: AtomicBool::new(false),
        }
    }

    pub(crate) fn seat(&self) -> Seat {
        Seat(self.progress.subscribe())
    }

    pub(crate) fn has_readers(&self) -> bool {
        self.progress.receiver_count() > 0
    }

    pub(crate) fn tell(&self, progress: Progress) {
        self.progress.send_replace(progress);
    }

    pub(crate) fn forget(&self) {
        self.forgotten.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_forgotten(&self) -> bool {
        self.forgotten.load(Ordering::Relaxed)
    }
}

impl Seat {
    /// Waits until there is something for somebody who has read so many bytes.
    pub(crate) async fn news(&mut self, position: u64) -> Progress {
        let news = self.0.wait_for(|progress| progress.has_news(position));
        match news.await {
            Ok(progress) => progress.clone(),
            // Nobody fills it any more.
            Err(_) => Progress::GivenUp,
        }
    }
}
