use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::Context;
use uuid::Uuid;

const METADATA: &str = "metadata.sqlite3";

/// Says who owns the bucket that has the blobs, and which that was at first.
const BUCKET: &str = "bucket";

/// The folder that holds everything, claimed for this process as long as it lives, or only to be looked at.
pub(crate) struct DataFolder {
    path: PathBuf,
    _lock: Option<File>,
}

impl DataFolder {
    /// Makes the folder if it is missing, and claims it for a registry that will take pushes.
    pub(crate) fn claim(path: &Path) -> anyhow::Result<Self> {
        let shown = path.display();
        let claimed = Self::try_claim(path)?.with_context(|| format!(
            "another process serves the data folder {shown}; stop it, or choose another folder with --data"
        ))?;
        claimed.become_registry()?;
        Ok(claimed)
    }

    /// Says that this is the folder of a registry: what was a backup is none any more, and no other backup may replace it.
    fn become_registry(&self) -> anyhow::Result<()> {
        let shown = self.path.display();
        berth_backup::unmark(&self.path)
            .with_context(|| format!("cannot write to the data folder {shown}"))
    }

    /// Refuses a backup: what is changed in one is lost with the next.
    pub(crate) fn refuse_backup(&self) -> anyhow::Result<()> {
        let shown = self.path.display();
        anyhow::ensure!(
            !berth_backup::is_marked(&self.path),
            "{shown} is a backup, and what is changed there the next backup would replace; change the registry itself, or \
             what berth restore makes of the backup"
        );
        Ok(())
    }

    /// Whether a registry has its data there.
    pub(crate) fn has_data(path: &Path) -> bool {
        path.join(METADATA).is_file()
    }

    /// Claims the folder for a task that brings no news; `None` if another process has claimed it.
    pub(crate) fn try_claim(path: &Path) -> anyhow::Result<Option<Self>> {
        let shown = path.display();
        berth_backup::make_folder(path)
            .with_context(|| format!("cannot make the data folder {shown}"))?;
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(path.join("lock"))
            .with_context(|| format!("cannot write to the data folder {shown}"))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => {
                return Err(error).with_context(|| format!("cannot lock the data folder {shown}"));
            }
        }
        Ok(Some(Self {
            path: path.to_owned(),
            _lock: Some(lock),
        }))
    }

    /// The folder of a registry, to be read beside whoever serves it.
    pub(crate) fn look(path: &Path) -> anyhow::Result<Self> {
        let shown = path.display();
        anyhow::ensure!(Self::has_data(path), "there is no registry in {shown}");
        Ok(Self {
            path: path.to_owned(),
            _lock: None,
        })
    }

    /// Refuses a folder that has blobs and no metadata: whoever lost the metadata wants it back, and
    /// not a new registry that takes all these blobs for garbage.
    pub(crate) fn refuse_orphaned_blobs(&self) -> anyhow::Result<()> {
        if Self::has_data(&self.path) {
            return Ok(());
        }
        let shown = self.path.display();
        let has_blobs = has_files(&self.path.join("blobs"))
            .with_context(|| format!("cannot read the blobs in {shown}"))?;
        anyhow::ensure!(
            !has_blobs,
            "there are blobs in {shown} and no {METADATA}: put that back, or restore a backup with berth restore, or remove the folder blobs to begin anew"
        );
        Ok(())
    }

    /// Refuses a folder whose registry has its blobs in a bucket.
    pub(crate) fn refuse_blobs_elsewhere(&self) -> anyhow::Result<()> {
        let shown = self.path.display();
        let Some(bucket) = self.read_bucket()? else {
            return Ok(());
        };
        let url = bucket.lines().nth(1).unwrap_or("s3://BUCKET/PREFIX");
        anyhow::bail!(
            "the blobs of the registry in {shown} are in a bucket: set blob_storage = {url:?}, in the file that --config names"
        )
    }

    /// By what name this folder's registry owns its bucket. The first time, that is chosen and remembered.
    pub(crate) fn owner_of_bucket(&self, url: &str) -> anyhow::Result<String> {
        let shown = self.path.display();
        if let Some(bucket) = self.read_bucket()? {
            let owner = bucket.lines().next().filter(|owner| !owner.is_empty());
            let owner =
                owner.with_context(|| format!("the file {BUCKET} in {shown} is damaged"))?;
            return Ok(owner.to_owned());
        }
        let has_blobs = has_files(&self.path.join("blobs"))
            .with_context(|| format!("cannot read the blobs in {shown}"))?;
        anyhow::ensure!(
            !has_blobs,
            "the blobs of the registry in {shown} are there: set blob_storage = \"folder\", or choose another folder with --data"
        );
        let owner = Uuid::new_v4().to_string();
        self.write_bucket(&format!("{owner}\n{url}\n"))
            .with_context(|| format!("cannot write to the data folder {shown}"))?;
        Ok(owner)
    }

    fn read_bucket(&self) -> anyhow::Result<Option<String>> {
        match fs::read_to_string(self.path.join(BUCKET)) {
            Ok(text) => Ok(Some(text)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => {
                let shown = self.path.display();
                Err(error).with_context(|| format!("cannot read the file {BUCKET} in {shown}"))
            }
        }
    }

    fn write_bucket(&self, text: &str) -> io::Result<()> {
        let temporary = self.path.join(format!("{BUCKET}.temporary"));
        let mut file = File::create(&temporary)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&temporary, self.path.join(BUCKET))?;
        File::open(&self.path)?.sync_all()
    }

    /// Where the database is.
    pub(crate) fn metadata(&self) -> PathBuf {
        self.path.join(METADATA)
    }

    /// Where blobs and uploads are.
    pub(crate) fn blobs(&self) -> &Path {
        &self.path
    }
}

/// Whether there is a file anywhere in a folder.
fn has_files(folder: &Path) -> io::Result<bool> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        if !entry.file_type()?.is_dir() || has_files(&entry.path())? {
            return Ok(true);
        }
    }
    Ok(false)
}
