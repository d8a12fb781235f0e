use std::fmt;

/// A system call that succeeded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Call {
    /// The line of the trace on which it began.
    pub(super) began: usize,
    /// The line on which it ended.
    pub(super) ended: usize,
    /// What it did.
    pub(super) act: Act,
}

/// What a system call did, as far as it matters for durability.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Act {
    /// Made a folder, or opened a file that is made if it is missing.
    Make(String),
    /// Wrote to a file.
    Write(String),
    /// Synced a file or a folder.
    Sync(String),
    /// Gave a file a name.
    Name {
        /// The name that it had.
        from: String,
        /// The new one.
        to: String,
    },
    /// Took a name away.
    Remove(String),
    /// Began to answer a request, with this status.
    Answer(u16),
}

impl Act {
    /// `fsync(9</data/blobs>) = 0`. `None` if the call failed or does not matter.
    pub(super) fn read(text: &str) -> Option<Self> {
        let (name, rest) = text.split_once('(')?;
        let (arguments, result) = rest.rsplit_once(" = ")?;
        if result.starts_with(['-', '?']) {
            return None;
        }
        let mut texts = texts(arguments);
        match name {
            "fsync" | "fdatasync" => Some(Self::Sync(path(arguments)?)),
            "write" | "pwrite64" | "writev" | "sendto" | "sendmsg" => {
                Some(match status(texts.next().unwrap_or_default()) {
                    Some(status) => Self::Answer(status),
                    None => Self::Write(path(arguments)?),
                })
            }
            "link" | "linkat" | "rename" | "renameat" | "renameat2" => Some(Self::Name {
                from: texts.next()?.to_owned(),
                to: texts.next()?.to_owned(),
            }),
            "unlink" | "unlinkat" => Some(Self::Remove(texts.next()?.to_owned())),
            "mkdir" | "mkdirat" => Some(Self::Make(texts.next()?.to_owned())),
            "openat" if arguments.contains("O_CREAT") => Some(Self::Make(path(result)?)),
            _ => None,
        }
    }
}

/// The path that a descriptor comes with: `9</data/blobs>`.
fn path(descriptor: &str) -> Option<String> {
    let (_, rest) = descriptor.split_once('<')?;
    Some(rest.split_once('>')?.0.to_owned())
}

/// What stands between quotation marks. In content these may be escaped: only its start is right.
fn texts(arguments: &str) -> impl Iterator<Item = &str> {
    arguments.split('"').skip(1).step_by(2)
}

fn status(content: &str) -> Option<u16> {
    let status = content.strip_prefix("HTTP/1.1 ")?.get(..3)?;
    status.parse().ok()
}

impl fmt::Display for Act {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Make(path) => write!(formatter, "the making of {path}"),
            Self::Write(path) => write!(formatter, "the last write to {path}"),
            Self::Sync(path) => write!(formatter, "the sync of {path}"),
            Self::Name { from, to } => write!(formatter, "the naming of {from} as {to}"),
            Self::Remove(path) => write!(formatter, "the removal of {path}"),
            Self::Answer(status) => write!(formatter, "the answer {status}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is(text: &str, act: Act) {
        assert_eq!(Act::read(text), Some(act), "{text}");
    }

    fn name(from: &str, to: &str) -> Act {
        Act::Name {
            from: from.to_owned(),
            to: to.to_owned(),
        }
    }

    #[test]
    fn what_makes_durable_is_read() {
        let path = || "/d/a".to_owned();
        is("fsync(9</d/a>)                = 0", Act::Sync(path()));
        is("fdatasync(9</d/a>)            = 0", Act::Sync(path()));
        is("fsync(9</d/a>(deleted)) = 0", Act::Sync(path()));
        is(
            r#"pwrite64(5</d/a>, "\0 = \"x"..., 24, 32) = 24"#,
            Act::Write(path()),
        );
        is(
            r#"writev(5</d/a>, [{iov_base="abc"..., iov_len=9}], 1) = 9"#,
            Act::Write(path()),
        );
        is(
            r#"linkat(AT_FDCWD</>, "/d/a", AT_FDCWD</>, "/d/b", 0) = 0"#,
            name("/d/a", "/d/b"),
        );
        is(r#"rename("/d/a", "/d/b") = 0"#, name("/d/a", "/d/b"));
        is(r#"unlink("/d/a") = 0"#, Act::Remove(path()));
        is(
            r#"mkdirat(AT_FDCWD</>, "/d/a", 0777) = 0"#,
            Act::Make(path()),
        );
        is(
            r#"openat(AT_FDCWD</>, "/d/../d/a", O_RDWR|O_CREAT|O_CLOEXEC, 0666) = 5</d/a>"#,
            Act::Make(path()),
        );
        is(
            r#"writev(9<socket:[7]>, [{iov_base="HTTP/1.1 201 Created\r\nloc"..., iov_len=370}], 1) = 370"#,
            Act::Answer(201),
        );
        is(
            r#"sendto(9<socket:[7]>, "HTTP/1.1 202 Accepted\r\n"..., 99, MSG_NOSIGNAL, NULL, 0) = 99"#,
            Act::Answer(202),
        );
    }

    #[test]
    fn what_failed_or_made_nothing_is_not() {
        for text in [
            "fsync(9</d/a>) = -1 EIO (Input/output error)",
            "fsync(9</d/a>) = ? ERESTARTSYS (To be restarted if SA_RESTART is set)",
            r#"linkat(AT_FDCWD</>, "/d/a", AT_FDCWD</>, "/d/b", 0) = -1 EEXIST (File exists)"#,
            r#"openat(AT_FDCWD</>, "/d/a", O_RDONLY|O_CLOEXEC) = 5</d/a>"#,
            "+++ exited with 0 +++",
            "--- SIGTERM {si_signo=SIGTERM, si_code=SI_USER, si_pid=1, si_uid=0} ---",
            "",
        ] {
            assert_eq!(Act::read(text), None, "{text}");
        }
    }
}
