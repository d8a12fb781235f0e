use std::ffi::OsString;
use std::fmt;
use std::str::FromStr;

use super::text::text_in_files;

/// The path of a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Folder(String);

impl FromStr for Folder {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.is_empty() {
            return Err("a path cannot be empty; ./data or /var/lib/berth would do".to_owned());
        }
        Ok(Self(text.to_owned()))
    }
}

impl TryFrom<OsString> for Folder {
    type Error = String;

    fn try_from(path: OsString) -> Result<Self, Self::Error> {
        // A configuration file, which `berth config` prints, can only hold UTF-8.
        match path.to_str() {
            Some(text) => text.parse(),
            None => Err("a path must be UTF-8; ./data or /var/lib/berth would do".to_owned()),
        }
    }
}

impl fmt::Display for Folder {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

text_in_files! {
    Folder: "a path in quotes, such as \"./data\" or \"/var/lib/berth\"",
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_text_and_not_empty() {
        assert_eq!("./data".parse::<Folder>().unwrap().to_string(), "./data");
        assert!(Folder::try_from(OsString::from("/a \"b\"")).is_ok());
        let message = "".parse::<Folder>().unwrap_err();
        assert!(message.ends_with("would do"), "{message}");
    }

    #[cfg(unix)]
    #[test]
    fn a_path_that_no_file_can_hold_is_refused() {
        use std::os::unix::ffi::OsStringExt;

        let path = OsString::from_vec(b"a\xff".to_vec());
        let message = Folder::try_from(path).unwrap_err();
        assert!(message.ends_with("would do"), "{message}");
    }
}
