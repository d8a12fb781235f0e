use crate::MetadataError;

impl From<diesel::result::Error> for MetadataError {
    fn from(error: diesel::result::Error) -> Self {
        // Diesel keeps SQLite's text, not its code.
        match error.to_string() {
            text if text.contains("disk is full") => Self::StorageFull,
            text => Self::Database(text),
        }
    }
}
