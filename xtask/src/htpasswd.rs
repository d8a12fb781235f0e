//! The file of passwords that a server under test is given.

use std::fs;
use std::path::Path;

use anyhow::Result;
use bcrypt::Version;

/// Writes a file with one user, as `htpasswd -B` writes it. The cost is the least that is good enough for tests.
pub(crate) fn write(path: &Path, user: &str, password: &str) -> Result<()> {
    let hash = bcrypt::hash_with_result(password, 5)?;
    let hash = hash.format_for_version(Version::TwoY);
    Ok(fs::write(path, format!("{user}:{hash}\n"))?)
}
