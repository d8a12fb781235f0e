use std::fmt::{self, Display, Formatter};

use serde::{Deserialize, Serialize};

use crate::TransferReport;
use crate::report::{counted, problems};

/// What came of a migration.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MigrationReport {
    /// What was transferred.
    pub transferred: TransferReport,
    /// What became of accounts.
    pub accounts: AccountCounts,
    /// How many tags and manifests were deleted that the source does not have.
    pub deleted: u64,
    /// How many differences there are still between the source and the destination, with those of accounts; each was told.
    pub differences: u64,
}

/// What became of users, tokens and signing keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountCounts {
    /// How many were added or changed.
    pub copied: u64,
    /// How many were there already, as they should be.
    pub kept: u64,
    /// How many were removed or revoked.
    pub removed: u64,
    /// How many the destination has that the source does not have, or has under another name.
    pub differences: u64,
}

impl MigrationReport {
    /// Whether the destination is what the source is.
    pub fn is_complete(&self) -> bool {
        self.differences == 0 && self.transferred.is_complete()
    }
}

impl Display for MigrationReport {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        let AccountCounts {
            copied,
            kept,
            removed,
            ..
        } = self.accounts;
        let deleted = self.deleted;
        writeln!(formatter, "{}", self.transferred)?;
        writeln!(
            formatter,
            "accounts and keys: {copied} copied, {kept} there already, {removed} removed; tags and manifests that the source does \
             not have: {deleted} deleted"
        )?;
        match self.is_complete() {
            true => formatter.write_str("the destination is what the source is"),
            false => write!(
                formatter,
                "the destination is not what the source is: {} and {}",
                problems(self.transferred.problems),
                counted(self.differences, "difference")
            ),
        }
    }
}
