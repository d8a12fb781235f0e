use std::collections::HashMap;
use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use secrecy::zeroize::Zeroizing;

use super::StoredHash;
use super::stored_hash::HashError;
use crate::check_user_name;

/// How often it is looked whether the file has changed.
const PERIOD: Duration = Duration::from_secs(3);

/// How often the log tells that the file cannot be used, while that is so.
const TELL_PERIOD: Duration = Duration::from_secs(60);

/// How long the file may be, in bytes.
const LONGEST: u64 = 16 * 1024 * 1024;

/// A file of names and password hashes, as Apache's `htpasswd -B` makes it: lines `name:hash` with hashes of bcrypt, or of argon2 as
/// PHC strings. Empty lines and those that begin with `#` say nothing.
pub struct Htpasswd {
    path: PathBuf,
    content: ArcSwap<Content>,
    seen: Mutex<Seen>,
}

/// What was found when it was looked last.
#[derive(Default)]
struct Seen {
    /// Of the file that was read, or could not be read. `None` when there was none.
    stamp: Option<Stamp>,
    trouble: Option<Trouble>,
}

/// The file cannot be used.
struct Trouble {
    error: String,
    /// When the log told so last.
    told: Instant,
}

/// What there is to tell after a look at the file.
enum News {
    Changed(Content),
    Unusable(String),
}

struct Content {
    users: HashMap<String, StoredHash>,
    /// For names that are not in it.
    nobody: StoredHash,
}

/// What changes when a file is written or replaced.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Stamp {
    inode: u64,
    length: u64,
    written: (i64, i64),
    changed: (i64, i64),
}

/// A file of passwords cannot be used. Nothing of what is in it is shown.
#[derive(Debug, thiserror::Error)]
pub enum HtpasswdError {
    /// It cannot be read.
    #[error("the password file {} cannot be read: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// One of its lines cannot be used.
    #[error("the password file {}, line {line}: {problem}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
        /// What is wrong, and what to do.
        problem: String,
    },
}

impl Htpasswd {
    /// Reads a file. Blocks.
    ///
    /// # Errors
    /// When it cannot be read, changes while it is read, is longer than 16 MiB, or has a line that is not `name:hash`, a name twice or one that
    /// [nobody can have](check_user_name), or a hash that is too weak or too costly.
    pub fn load(path: impl Into<PathBuf>) -> Result<Self, HtpasswdError> {
        let path = path.into();
        let (file, stamp) = open(&path).map_err(|source| unreadable(&path, source))?;
        let content = Content::read(&path, file, stamp)?;
        let seen = Seen {
            stamp: Some(stamp),
            trouble: None,
        };
        Ok(Self {
            path,
            content: ArcSwap::from_pointee(content),
            seen: Mutex::new(seen),
        })
    }

    /// Reads the file again whenever it has changed: looks for that every three seconds. If it is gone or cannot be used then,
    /// what it said before stays true, and the log tells why, once more each minute. To let nobody in, make it empty. Never
    /// ends; drop it to stop.
    pub async fn watch(self: Arc<Self>) {
        loop {
            tokio::time::sleep(PERIOD).await;
            let file = Arc::clone(&self);
            // Only a panic could make it fail, and that is told where it happens.
            let _ = tokio::task::spawn_blocking(move || file.refresh()).await;
        }
    }

    /// How many names are in it.
    pub fn len(&self) -> usize {
        self.content.load().users.len()
    }

    /// Whether no name is in it.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The hash of somebody's password.
    pub(crate) fn find(&self, name: &str) -> Option<StoredHash> {
        self.content.load().users.get(name).cloned()
    }

    /// A hash that matches nothing and takes as long: for those that are not in it.
    pub(crate) fn of_nobody(&self) -> StoredHash {
        self.content.load().nobody.clone()
    }

    /// Reads the file if it has changed. Blocks.
    pub(crate) fn refresh(&self) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        match seen.look(&self.path, Instant::now()) {
            Some(News::Changed(content)) => {
                let users = content.users.len();
                self.content.store(Arc::new(content));
                tracing::info!(path = %self.path.display(), users, "the password file has changed");
            }
            Some(News::Unusable(error)) => {
                tracing::error!(error, "the password file is used as it was before");
            }
            None => {}
        }
    }
}

impl Seen {
    fn look(&mut self, path: &Path, now: Instant) -> Option<News> {
        let opened = open(path);
        let stamp = opened.as_ref().ok().map(|(_, stamp)| *stamp);
        if self.stamp == stamp {
            return self.remind(now);
        }
        // A file that changed while it was read has another stamp when it is looked again.
        self.stamp = stamp;
        let content = opened
            .map_err(|source| unreadable(path, source))
            .and_then(|(file, stamp)| Content::read(path, file, stamp));
        match content {
            Ok(content) => {
                self.trouble = None;
                Some(News::Changed(content))
            }
            Err(error) => {
                let error = error.to_string();
                self.trouble = Some(Trouble {
                    error: error.clone(),
                    told: now,
                });
                Some(News::Unusable(error))
            }
        }
    }

    /// What is still wrong, if that was told long ago.
    fn remind(&mut self, now: Instant) -> Option<News> {
        let trouble = self.trouble.as_mut()?;
        if now.saturating_duration_since(trouble.told) < TELL_PERIOD {
            return None;
        }
        trouble.told = now;
        Some(News::Unusable(trouble.error.clone()))
    }
}

impl Content {
    /// Reads a file that had this stamp when it was opened.
    fn read(path: &Path, file: File, stamp: Stamp) -> Result<Self, HtpasswdError> {
        let mut bytes = Zeroizing::new(Vec::new());
        let read = (&file).take(LONGEST + 1).read_to_end(&mut bytes);
        let stamp_after = read.and_then(|_| Stamp::of(&file));
        // Half of it may be that of before, or missing.
        if stamp_after.map_err(|source| unreadable(path, source))? != stamp {
            let changed = io::Error::other("it changed while it was read; try again");
            return Err(unreadable(path, changed));
        }
        if bytes.len() as u64 > LONGEST {
            let too_long = io::Error::other("it is longer than 16 MiB");
            return Err(unreadable(path, too_long));
        }
        let mut users = HashMap::new();
        for (position, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
            let wrong = |problem| HtpasswdError::Line {
                path: path.to_owned(),
                line: position + 1,
                problem,
            };
            let Some((name, hash)) = user(path, line).map_err(wrong)? else {
                continue;
            };
            if users.insert(name, hash).is_some() {
                return Err(wrong(
                    "this name is in the file already; keep one of its lines".to_owned(),
                ));
            }
        }
        let costliest = users.values().max_by_key(|hash| hash.work());
        let nobody = costliest.map_or_else(StoredHash::of_nobody_here, StoredHash::of_nobody);
        Ok(Self { users, nobody })
    }
}

impl Stamp {
    fn of(file: &File) -> io::Result<Self> {
        let metadata: Metadata = file.metadata()?;
        Ok(Self {
            inode: metadata.ino(),
            length: metadata.len(),
            written: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        })
    }
}

fn open(path: &Path) -> io::Result<(File, Stamp)> {
    let file = File::open(path)?;
    let stamp = Stamp::of(&file)?;
    Ok((file, stamp))
}

fn unreadable(path: &Path, source: io::Error) -> HtpasswdError {
    let path = path.to_owned();
    HtpasswdError::Read { path, source }
}

/// Reads a line. `None` if it says nothing.
fn user(path: &Path, line: &[u8]) -> Result<Option<(String, StoredHash)>, String> {
    let line = std::str::from_utf8(line).map_err(|_| "it is not UTF-8".to_owned())?;
    let line = line.trim();
    if line.is_empty() || line.starts_with('#') {
        return Ok(None);
    }
    let (name, hash) = line
        .split_once(':')
        .ok_or("it is not of the form name:hash")?;
    check_user_name(name).map_err(|error| error.to_string())?;
    let hash = StoredHash::parse(hash).map_err(|error| match error {
        HashError::Costly => error.to_string(),
        HashError::Weak(_) | HashError::Unknown => format!(
            "{error}; set the password again with `htpasswd -B {} NAME`",
            path.display()
        ),
    })?;
    Ok(Some((name.to_owned(), hash)))
}

/// Without names and hashes.
impl std::fmt::Debug for Htpasswd {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut shown = formatter.debug_struct("Htpasswd");
        shown.field("path", &self.path);
        shown.field("users", &self.len());
        shown.finish()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use secrecy::ExposeSecret;
    use tempfile::TempDir;

    use super::*;

    const ALICE: &str = "alice:$2y$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW\n";
    const ARGON2: &str =
        "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4";

    fn folder_with(content: &str) -> (TempDir, PathBuf) {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("passwords");
        fs::write(&path, content).expect("a file");
        (folder, path)
    }

    fn problem_of(content: &str) -> String {
        let (_folder, path) = folder_with(content);
        let error = Htpasswd::load(&path).expect_err("a problem").to_string();
        let start = format!("the password file {}, ", path.display());
        let rest = error.strip_prefix(&start).expect("the file");
        rest.replace(&path.display().to_string(), "FILE")
    }

    #[test]
    fn lines_are_names_and_hashes() {
        let (_folder, path) = folder_with(&format!(
            "# who may push\n\n{ALICE}  \r\n#bob:secret\nbob b:{ARGON2}\r\n"
        ));
        let file = Htpasswd::load(path).expect("a password file");
        assert_eq!(file.len(), 2);
        let hash = file.find("alice").expect("alice");
        assert!(hash.matches(&"secret".into()).expect("memory"));
        let hash = file.find("bob b").expect("bob b");
        assert!(hash.matches(&"password".into()).expect("memory"));
        for name in ["", "#bob", "bob", "Alice", "alice "] {
            assert!(file.find(name).is_none(), "{name}");
        }
        // As costly as the costliest.
        let nobody = file.of_nobody();
        assert!(nobody.text().expose_secret().starts_with("$2b$04$"));
    }

    #[test]
    fn an_empty_file_lets_nobody_in() {
        let (_folder, path) = folder_with("\n");
        let file = Htpasswd::load(path).expect("a password file");
        assert!(file.is_empty());
        assert!(file.find("").is_none());
        assert_eq!(file.of_nobody().work(), StoredHash::of_nobody_here().work());
    }

    #[test]
    fn a_file_that_is_missing_is_an_error() {
        let (_folder, path) = folder_with("");
        let missing = path.with_extension("missing");
        let error = Htpasswd::load(&missing).expect_err("an error");
        assert!(matches!(&error, HtpasswdError::Read { path, .. } if *path == missing));
    }

    #[test]
    fn what_cannot_be_used_is_told_with_its_line_and_without_its_content() {
        for (content, expected) in [
            ("#\nalice\n", "line 2: it is not of the form name:hash"),
            (":x", "line 1: a name cannot be empty"),
            ("a\0b:x", "line 1: a name has no control characters"),
            ("al*ce:x", "line 1: a name has no *"),
            (
                "authenticated:x",
                "line 1: authenticated has a meaning of its own; choose another name",
            ),
            (
                "alice:hunter2",
                "line 1: crypt, or a password that is not hashed, is too weak for passwords; set the password again with \
                 `htpasswd -B FILE NAME`",
            ),
            (
                "alice:$apr1$hunter2$MhBYGGaoJKzFMoTOKAI3d/",
                "line 1: MD5 is too weak for passwords; set the password again with `htpasswd -B FILE NAME`",
            ),
            (
                "alice:$2y$31$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW",
                "line 1: this hash takes too much time or memory: at most cost 14 of bcrypt, and 256 MiB and 1024 MiB times \
                 passes of argon2 would do",
            ),
        ] {
            assert_eq!(problem_of(content), expected);
        }
        let twice = problem_of(&format!("{ALICE}{ALICE}"));
        assert_eq!(
            twice,
            "line 2: this name is in the file already; keep one of its lines"
        );

        let (_folder, path) = folder_with("");
        fs::write(&path, b"\n\nalice:\xff").expect("a file");
        let error = Htpasswd::load(&path).expect_err("a problem").to_string();
        assert!(error.ends_with("line 3: it is not UTF-8"), "{error}");
    }

    #[test]
    fn a_file_that_is_too_long_is_not_read() {
        let (_folder, path) = folder_with("");
        let file = File::options().write(true).open(&path).expect("the file");
        file.set_len(LONGEST + 1).expect("a long file");
        let error = Htpasswd::load(&path).expect_err("a problem").to_string();
        assert!(error.ends_with("it is longer than 16 MiB"), "{error}");
    }

    #[test]
    fn debug_shows_neither_names_nor_hashes() {
        let (_folder, path) = folder_with(ALICE);
        let file = Htpasswd::load(path).expect("a password file");
        let shown = format!("{file:?}");
        assert!(
            !shown.contains("alice") && !shown.contains("$2y$"),
            "{shown}"
        );
    }

    #[test]
    fn what_is_broken_or_gone_leaves_what_was_before() {
        let (_folder, path) = folder_with(ALICE);
        let file = Htpasswd::load(&path).expect("a password file");
        fs::write(&path, format!("{ALICE}bob:hunter2\n")).expect("a file");
        file.refresh();
        assert!(file.find("alice").is_some() && file.find("bob").is_none());

        fs::remove_file(&path).expect("the file");
        file.refresh();
        assert!(file.find("alice").is_some());

        // Of the same length, and at the place of the old one.
        fs::write(&path, ALICE.replace("alice", "carol")).expect("a file");
        file.refresh();
        assert!(file.find("alice").is_none() && file.find("carol").is_some());
    }

    #[test]
    fn what_changes_while_it_is_read_is_not_used() {
        let (_folder, path) = folder_with(ALICE);
        let (file, stamp) = open(&path).expect("a file");
        fs::write(&path, "").expect("a file");
        let read = Content::read(&path, file, stamp);
        let error = read.err().expect("an error").to_string();
        assert!(
            error.ends_with("it changed while it was read; try again"),
            "{error}"
        );

        // It is looked at again.
        let mut seen = Seen {
            stamp: Some(stamp),
            trouble: None,
        };
        let news = seen.look(&path, Instant::now());
        assert!(matches!(news, Some(News::Changed(content)) if content.users.is_empty()));
    }

    #[test]
    fn trouble_is_told_again_while_it_lasts() {
        let (_folder, path) = folder_with("alice\n");
        let mut seen = Seen::default();
        let start = Instant::now();
        let mut is_told = |seconds: u64| {
            let news = seen.look(&path, start + Duration::from_secs(seconds));
            matches!(news, Some(News::Unusable(error)) if error.contains("line 1"))
        };
        let told = [0, 3, 59, 60, 63, 119, 120].map(&mut is_told);
        assert_eq!(told, [true, false, false, true, false, false, true]);

        fs::remove_file(&path).expect("the file");
        let mut is_told = |seconds: u64| {
            let news = seen.look(&path, start + Duration::from_secs(seconds));
            matches!(news, Some(News::Unusable(error)) if error.contains("cannot be read"))
        };
        assert_eq!([123, 126, 183].map(&mut is_told), [true, false, true]);

        fs::write(&path, ALICE).expect("a file");
        let news = seen.look(&path, start + Duration::from_secs(186));
        assert!(matches!(news, Some(News::Changed(_))));
        assert!(seen.look(&path, start + Duration::from_secs(999)).is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn a_change_is_seen_by_itself() {
        let (_folder, path) = folder_with(ALICE);
        let file = Arc::new(Htpasswd::load(&path).expect("a password file"));
        let watching = tokio::spawn(Arc::clone(&file).watch());
        tokio::time::sleep(PERIOD * 2).await;
        assert!(file.find("alice").is_some());

        let new = path.with_extension("new");
        fs::write(&new, ALICE.replace("alice", "carol")).expect("a file");
        fs::rename(&new, &path).expect("the file");
        tokio::time::sleep(PERIOD * 2).await;
        assert!(file.find("alice").is_none() && file.find("carol").is_some());
        watching.abort();
    }
}
