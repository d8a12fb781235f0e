use std::fmt::{self, Write};
use std::time::{SystemTime, UNIX_EPOCH};

use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::field::RecordFields;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, FormattedFields};
use tracing_subscriber::registry::LookupSpan;

/// How long a line is, in bytes: about.
const LINE_BYTES: usize = 512;

/// How long the fields of a request are: about.
const FIELDS_BYTES: usize = 64;

/// Log lines as JSON objects: time, level and origin, the fields of the event, and those of the request
/// that it belongs to.
///
/// The library's own JSON builds a tree of each line first, which made two fifths of what a request for a
/// manifest costs. This writes the text at once, to a text of its own: many small pieces would go one by one
/// through what the library writes to.
pub(crate) struct JsonLines;

impl<S, N> FormatEvent<S, N> for JsonLines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let about = event.metadata();
        let mut line = String::with_capacity(LINE_BYTES);
        line.push_str("{\"timestamp\":\"");
        // A clock may be wrong by any amount.
        let now = SystemTime::now().max(UNIX_EPOCH);
        write!(line, "{}", humantime::format_rfc3339_micros(now))?;
        line.push_str("\",\"level\":\"");
        line.push_str(about.level().as_str());
        line.push_str("\",\"target\":");
        write_text(&mut line, about.target())?;
        write_fields(&mut line, event)?;
        if let Some(span) = context.lookup_current() {
            line.push_str(",\"span\":{\"name\":");
            write_text(&mut line, span.name())?;
            if let Some(fields) = span.extensions().get::<FormattedFields<N>>() {
                line.push_str(fields);
            }
            line.push('}');
        }
        line.push_str("}\n");
        writer.write_str(&line)
    }
}

impl<'writer> FormatFields<'writer> for JsonLines {
    fn format_fields<R: RecordFields>(
        &self,
        mut writer: Writer<'writer>,
        fields: R,
    ) -> fmt::Result {
        let mut line = String::with_capacity(FIELDS_BYTES);
        write_fields(&mut line, fields)?;
        writer.write_str(&line)
    }
}

/// Each field as `,"name":value`: what stands before it is never empty.
fn write_fields(line: &mut String, fields: impl RecordFields) -> fmt::Result {
    let mut visitor = FieldWriter {
        line,
        written: Ok(()),
    };
    fields.record(&mut visitor);
    visitor.written
}

struct FieldWriter<'a> {
    line: &'a mut String,
    written: fmt::Result,
}

impl FieldWriter<'_> {
    fn write(&mut self, field: &Field, write_value: impl FnOnce(&mut String) -> fmt::Result) {
        self.written = self.written.and_then(|()| {
            self.line.push(',');
            write_text(self.line, field.name())?;
            self.line.push(':');
            write_value(self.line)
        });
    }

    fn write_plain(&mut self, field: &Field, value: &str) {
        self.write(field, |line| line.write_str(value));
    }

    fn write_integer(&mut self, field: &Field, value: impl itoa::Integer) {
        self.write_plain(field, itoa::Buffer::new().format(value));
    }
}

impl Visit for FieldWriter<'_> {
    fn record_f64(&mut self, field: &Field, value: f64) {
        match value.is_finite() {
            true => self.write_plain(field, zmij::Buffer::new().format_finite(value)),
            // JSON has no infinity.
            false => self.write_plain(field, "null"),
        }
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.write_integer(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.write_integer(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.write_plain(field, if value { "true" } else { "false" });
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.write(field, |line| write_text(line, value));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.write(field, |line| {
            line.push('"');
            write!(Escaping(line), "{value:?}")?;
            line.push('"');
            Ok(())
        });
    }
}

fn write_text(line: &mut String, text: &str) -> fmt::Result {
    line.push('"');
    Escaping(line).write_str(text)?;
    line.push('"');
    Ok(())
}

/// Writes what stands between the quotes of a JSON string (RFC 8259, section 7).
struct Escaping<'a>(&'a mut String);

impl Write for Escaping<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        // Almost every text.
        if is_plain(text) {
            self.0.push_str(text);
            return Ok(());
        }
        let mut rest = text;
        while let Some(at) = rest.bytes().position(must_be_escaped) {
            self.0.write_str(&rest[..at])?;
            match rest.as_bytes()[at] {
                b'"' => self.0.write_str("\\\"")?,
                b'\\' => self.0.write_str("\\\\")?,
                b'\n' => self.0.write_str("\\n")?,
                control => write!(self.0, "\\u{control:04x}")?,
            }
            rest = &rest[at + 1..];
        }
        self.0.write_str(rest)
    }
}

/// Whether nothing of it must be escaped. The compiler looks at all bytes of a block at once, as there is no early end.
fn is_plain(text: &str) -> bool {
    let (blocks, rest) = text.as_bytes().as_chunks::<16>();
    let is_found = |found, byte: &u8| found | must_be_escaped(*byte);
    let in_block = |block: &[u8; 16]| block.iter().fold(false, is_found);
    !blocks.iter().any(in_block) && !rest.iter().any(|byte| must_be_escaped(*byte))
}

/// All of these are single bytes in UTF-8, and part of no other character.
fn must_be_escaped(byte: u8) -> bool {
    byte < 0x20 || byte == b'"' || byte == b'\\'
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;
    use std::sync::{Arc, Mutex};

    use serde_json::{Value, json};
    use tracing::{info, info_span, warn};

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// The lines of some work, without their times.
    fn lines_of(work: impl FnOnce()) -> Vec<Value> {
        let lines = Lines::default();
        let output = lines.clone();
        let subscriber = tracing_subscriber::fmt()
            .fmt_fields(JsonLines)
            .event_format(JsonLines)
            .with_writer(move || output.clone())
            .finish();
        tracing::subscriber::with_default(subscriber, work);
        let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
        text.lines()
            .map(|line| {
                let mut line: Value = serde_json::from_str(line).expect(line);
                let time = line.as_object_mut().unwrap().remove("timestamp").unwrap();
                assert!(time.as_str().unwrap().ends_with('Z'), "{time}");
                line
            })
            .collect()
    }

    #[test]
    fn a_line_has_the_fields_of_its_event_and_of_its_request() {
        let absent: Option<u64> = None;
        let lines = lines_of(|| {
            info!(small = -1, large = u64::MAX, "alone");
            let span = info_span!("request", id = "an-id");
            let _entered = span.enter();
            warn!(text = "a text", shown = %1.5, part = 0.25, is_it = true, absent, "within");
        });
        let target = module_path!();
        assert_eq!(
            lines,
            [
                json!({
                    "level": "INFO", "target": target, "message": "alone",
                    "small": -1, "large": u64::MAX,
                }),
                json!({
                    "level": "WARN", "target": target, "message": "within",
                    "text": "a text", "shown": "1.5", "part": 0.25, "is_it": true,
                    "span": {"name": "request", "id": "an-id"},
                }),
            ]
        );
    }

    #[test]
    fn every_number_stays_what_it_is() {
        let parts = [0.0, -0.0, 2.0, 0.1, 1e16, -1e300, 5e-324, f64::MAX];
        let whole = [0, 1, -1, i64::MIN, i64::MAX];
        let lines = lines_of(|| {
            for part in parts {
                info!(part);
            }
            for whole in whole {
                info!(whole);
            }
            for part in [f64::INFINITY, f64::NEG_INFINITY] {
                info!(part);
            }
        });
        let (of_parts, rest) = lines.split_at(parts.len());
        for (line, part) in of_parts.iter().zip(parts) {
            assert_eq!(line["part"].as_f64(), Some(part));
        }
        let (of_whole, infinite) = rest.split_at(whole.len());
        for (line, whole) in of_whole.iter().zip(whole) {
            assert_eq!(line["whole"].as_i64(), Some(whole));
        }
        assert!(infinite.iter().all(|line| line["part"] == Value::Null));
    }

    #[test]
    fn every_text_stays_what_it_is() {
        let all: String = (0..=0x2ff).filter_map(char::from_u32).collect();
        let texts = ["", "\"", "\\", "a\nb", "ä\u{1F980}\"ö", &all];
        let lines = lines_of(|| {
            for text in texts {
                info!(text, shown = %text, number = f64::NAN);
            }
        });
        for (line, text) in lines.iter().zip(texts) {
            assert_eq!(line["text"], text);
            assert_eq!(line["shown"], text);
            assert_eq!(line["number"], Value::Null);
        }
    }
}
