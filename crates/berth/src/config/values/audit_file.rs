use std::ffi::OsString;
use std::fmt;
use std::str::FromStr;

use super::text::text_in_files;

/// The path of the audit log, or `off` for none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AuditFile(pub(crate) Option<String>);

impl FromStr for AuditFile {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "" => Err(
                "a file is needed; /var/log/berth/audit.jsonl would do, and so would off"
                    .to_owned(),
            ),
            "off" => Ok(Self(None)),
            path => Ok(Self(Some(path.to_owned()))),
        }
    }
}

impl TryFrom<OsString> for AuditFile {
    type Error = String;

    fn try_from(path: OsString) -> Result<Self, Self::Error> {
        // A configuration file, which `berth config` prints, can only hold UTF-8.
        match path.to_str() {
            Some(text) => text.parse(),
            None => Err("a path must be UTF-8; /var/log/berth/audit.jsonl would do".to_owned()),
        }
    }
}

impl fmt::Display for AuditFile {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.0.as_deref().unwrap_or("off"))
    }
}

text_in_files! {
    AuditFile: "a path in quotes, such as \"/var/log/berth/audit.jsonl\", or \"off\"",
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_a_path_or_off() {
        assert_eq!("off".parse(), Ok(AuditFile(None)));
        for text in ["off", "./off", "/var/log/berth/audit.jsonl"] {
            assert_eq!(text.parse::<AuditFile>().unwrap().to_string(), text);
        }
        let message = "".parse::<AuditFile>().unwrap_err();
        assert!(message.contains("would do"), "{message}");
    }

    #[cfg(unix)]
    #[test]
    fn a_path_that_no_file_can_hold_is_refused() {
        use std::os::unix::ffi::OsStringExt;

        let path = OsString::from_vec(b"a\xff".to_vec());
        let message = AuditFile::try_from(path).unwrap_err();
        assert!(message.ends_with("would do"), "{message}");
    }
}
