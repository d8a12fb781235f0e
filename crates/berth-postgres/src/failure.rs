use berth_metadata::MetadataError;
use diesel::result::{DatabaseErrorKind, Error};

/// Why a transaction was rolled back.
#[derive(Debug)]
pub(crate) enum Failure {
    /// What was asked for may not be done, or what is stored is damaged.
    Metadata(MetadataError),
    /// The database failed.
    Database(Error),
    /// What the transaction had looked at was changed by another one before it was locked.
    Changed,
}

impl From<MetadataError> for Failure {
    fn from(error: MetadataError) -> Self {
        Self::Metadata(error)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Database(error)
    }
}

/// Whether the connection is known to be gone.
pub(crate) fn is_lost(error: &Error) -> bool {
    let kind = match error {
        Error::DatabaseError(kind, _) => kind,
        Error::BrokenTransactionManager => return true,
        _ => return false,
    };
    matches!(
        kind,
        DatabaseErrorKind::ClosedConnection | DatabaseErrorKind::UnableToSendCommand
    )
}

/// Whether the same transaction may succeed when it is done again: it was in the way of another one (40001, 40P01).
pub(crate) fn is_conflict(error: &Error) -> bool {
    match error {
        Error::DatabaseError(DatabaseErrorKind::SerializationFailure, _) => true,
        // Diesel keeps the text, not the code.
        Error::DatabaseError(_, information) => information.message() == "deadlock detected",
        _ => false,
    }
}

/// What to tell of an error of the database.
pub(crate) fn told(error: &Error) -> MetadataError {
    match error.to_string() {
        text if text.contains("No space left on device") => MetadataError::StorageFull,
        text => MetadataError::Database(text),
    }
}
