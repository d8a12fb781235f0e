use std::convert::Infallible;
use std::str::FromStr;

use berth_postgres::DatabaseUrl;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

const SQLITE: &str = "sqlite";

/// Where metadata is: in the data folder, or in the database of a URL, which may have a password in it. Any text is taken at
/// first: whoever reads options repeats what it cannot read, and nobody may repeat this.
#[derive(Clone, Debug)]
pub(crate) struct MetadataStorage(SecretString);

impl MetadataStorage {
    /// In the data folder.
    pub(crate) fn sqlite() -> Self {
        Self(SQLITE.into())
    }

    /// The database, if it is not in the data folder.
    pub(crate) fn database(&self) -> anyhow::Result<Option<DatabaseUrl>> {
        let text = self.0.expose_secret();
        if text == SQLITE {
            return Ok(None);
        }
        anyhow::ensure!(
            text.contains("://"),
            "metadata is neither sqlite nor a URL: sqlite or postgres://USER@HOST/DATABASE would do"
        );
        Ok(Some(DatabaseUrl::parse(&self.0)?))
    }

    /// What may be shown of it: a URL without its password and parameters.
    pub(crate) fn shown(&self) -> String {
        match self.database() {
            Ok(Some(url)) => url.to_string(),
            Ok(None) => SQLITE.to_owned(),
            Err(error) => error.to_string(),
        }
    }
}

impl FromStr for MetadataStorage {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self(text.into()))
    }
}

impl<'de> Deserialize<'de> for MetadataStorage {
    fn deserialize<D: Deserializer<'de>>(value: D) -> Result<Self, D::Error> {
        Ok(Self(String::deserialize(value)?.into()))
    }
}

/// Only from one source of options to the next: with the password.
impl Serialize for MetadataStorage {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.expose_secret())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn storage(text: &str) -> MetadataStorage {
        let Ok(storage) = text.parse();
        storage
    }

    #[test]
    fn it_is_the_data_folder_or_a_database() {
        assert!(storage("sqlite").database().unwrap().is_none());
        assert_eq!(storage("sqlite").shown(), "sqlite");
        let shown = storage("postgres://berth:s3cret@db/berth?connect_timeout=1").shown();
        assert_eq!(shown, "postgres://berth@db/berth");
    }

    #[test]
    fn what_it_cannot_be_is_told_without_a_password() {
        for text in ["", "folder", "s3cret", "mysql://berth:s3cret@db/berth"] {
            let storage = storage(text);
            let refused = storage.database().unwrap_err().to_string();
            assert!(refused.contains("://USER"), "{refused}");
            for told in [refused, storage.shown(), format!("{storage:?}")] {
                assert!(!told.contains("s3cret"), "{told}");
            }
        }
    }
}
