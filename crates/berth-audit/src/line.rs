//! A record as a line.

use std::io::{self, Write};
use std::time::SystemTime;

use serde::Serialize;
use serde_json::ser::{CompactFormatter, Formatter, Serializer};

use crate::Record;
use crate::record::rfc_3339;

/// The line of a record, with its end.
pub(crate) fn of(record: &Record) -> Result<Vec<u8>, serde_json::Error> {
    write(record)
}

/// The line that tells how many others should be near it, and are not.
pub(crate) fn of_loss(lost: u64) -> Result<Vec<u8>, serde_json::Error> {
    #[derive(Serialize)]
    struct Loss {
        #[serde(serialize_with = "rfc_3339")]
        time: SystemTime,
        event: &'static str,
        lost: u64,
    }
    write(&Loss {
        time: SystemTime::now(),
        event: "lines_lost",
        lost,
    })
}

fn write(value: &impl Serialize) -> Result<Vec<u8>, serde_json::Error> {
    let mut line = Vec::with_capacity(512);
    value.serialize(&mut Serializer::with_formatter(&mut line, Ascii))?;
    line.push(b'\n');
    Ok(line)
}

/// JSON of printable ASCII alone. JSON itself lets most of Unicode stand as it is (RFC 8259, section 7), with other
/// line ends (U+0085, U+2028), the control characters of terminals (U+009B) and those that turn text around.
struct Ascii;

impl Formatter for Ascii {
    fn write_string_fragment<W: ?Sized + Write>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        let mut rest = fragment;
        while let Some(start) = rest.find(|character| !is_plain(character)) {
            let (plain, other) = rest.split_at(start);
            CompactFormatter.write_string_fragment(writer, plain)?;
            let end = other.find(is_plain).unwrap_or(other.len());
            let (escaped, after) = other.split_at(end);
            for unit in escaped.encode_utf16() {
                write!(writer, "\\u{unit:04x}")?;
            }
            rest = after;
        }
        CompactFormatter.write_string_fragment(writer, rest)
    }
}

fn is_plain(character: char) -> bool {
    character == ' ' || character.is_ascii_graphic()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Event, Outcome};
    use proptest::prelude::*;
    use serde_json::Value;
    use std::time::Duration;

    fn with_agent(user_agent: &[u8]) -> Record {
        Record {
            user_agent: Some(user_agent.into()),
            ..Record::new(Event::Login, Outcome::Done)
        }
    }

    fn text(record: &Record) -> String {
        String::from_utf8(of(record).unwrap()).unwrap()
    }

    #[test]
    fn a_line_has_all_that_is_known_and_nothing_else() {
        let record = Record {
            time: SystemTime::UNIX_EPOCH + Duration::from_millis(1_700_000_000_123),
            status: Some(201),
            identity: Some("alice".into()),
            client: Some([192, 0, 2, 1].into()),
            action: Some("push"),
            repository: Some("team/app".parse().unwrap()),
            from: Some("team/base".parse().unwrap()),
            reference: Some("1.0".parse().unwrap()),
            digest: Some(berth_spec::Digest::sha256(b"")),
            tags: vec!["a".parse().unwrap(), "b".parse().unwrap()],
            subject: Some("ci".into()),
            count: Some(7),
            request_id: Some("r-1".into()),
            user_agent: Some("skopeo/1.18".into()),
            ..Record::new(Event::PushManifest, Outcome::Done)
        };
        assert_eq!(
            text(&record),
            concat!(
                r#"{"time":"2023-11-14T22:13:20.123Z","event":"push_manifest","outcome":"done","status":201,"#,
                r#""identity":"alice","client":"192.0.2.1","action":"push","#,
                r#""repository":"team/app","from":"team/base","reference":"1.0","#,
                r#""digest":"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855","#,
                r#""tags":["a","b"],"subject":"ci","count":7,"request_id":"r-1","user_agent":"skopeo/1.18"}"#,
                "\n"
            )
        );
        let bare = Record {
            time: SystemTime::UNIX_EPOCH - Duration::from_secs(1),
            ..Record::new(Event::LoginRefused, Outcome::Refused)
        };
        let line = "{\"time\":\"1970-01-01T00:00:00.000Z\",\"event\":\"login_refused\",\"outcome\":\"refused\"}\n";
        assert_eq!(text(&bare), line);
    }

    #[test]
    fn no_client_can_write_a_line_of_its_own_or_speak_to_a_terminal() {
        let hostile = b"a\n{\"event\":\"login\"}\r\n\0\x1b[2J\x7f\"\\\xff\xc2\x85\xe2\x80\xa8\xe2\x80\xae\xf0\x9f\xa6\x80";
        let line = text(&with_agent(hostile));
        assert!(line.ends_with(concat!(
            r#""user_agent":"a\n{\"event\":\"login\"}\r\n\u0000\u001b[2J\u007f\"\\"#,
            r#"\ufffd\u0085\u2028\u202e\ud83e\udd80"}"#,
            "\n"
        )));
    }

    proptest! {
        #[test]
        fn any_bytes_make_one_line_that_says_what_they_were(bytes: Vec<u8>) {
            let record = with_agent(&bytes);
            let line = of(&record).unwrap();
            let (end, content) = line.split_last().unwrap();
            prop_assert_eq!(*end, b'\n');
            prop_assert!(content.iter().all(|byte| (b' '..=b'~').contains(byte)));
            let value: Value = serde_json::from_slice(content).unwrap();
            let user_agent = record.user_agent.unwrap();
            prop_assert_eq!(value["user_agent"].as_str().unwrap(), user_agent.as_str());
        }

        #[test]
        fn any_text_is_kept(text: String) {
            let line = of(&with_agent(text.as_bytes())).unwrap();
            let value: Value = serde_json::from_slice(&line).unwrap();
            let kept = crate::Text::from(text.as_str());
            prop_assert_eq!(value["user_agent"].as_str().unwrap(), kept.as_str());
        }
    }
}
