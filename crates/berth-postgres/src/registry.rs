//! Which registry the database is that of.

use berth_metadata::MetadataError;
use diesel::prelude::*;
use diesel::sql_types::Text;

use crate::PostgresMetadata;

#[derive(QueryableByName)]
struct Id {
    #[diesel(sql_type = Text)]
    id: String,
}

impl PostgresMetadata {
    /// The name of the registry whose metadata this is: a random UUID that was chosen when the tables were made. A copy of the
    /// database has the same.
    ///
    /// # Errors
    /// [`MetadataError::Database`] if it cannot be read.
    pub async fn registry_id(&self) -> Result<String, MetadataError> {
        self.read(|connection| {
            let row: Id =
                diesel::sql_query("SELECT id::text AS id FROM registry").get_result(connection)?;
            Ok(row.id)
        })
        .await
    }
}
