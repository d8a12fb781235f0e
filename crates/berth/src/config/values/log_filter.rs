use std::fmt;
use std::str::FromStr;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;

use super::text::text_in_files;

const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

/// What is logged, written as `info` or `info,berth_http=debug`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LogFilter(String);

impl LogFilter {
    /// The level that fits most.
    pub(crate) fn info() -> Self {
        Self("info".to_owned())
    }

    /// The filter that it says.
    pub(crate) fn filter(&self) -> Result<EnvFilter, ParseError> {
        EnvFilter::try_new(&self.0)
    }
}

impl FromStr for LogFilter {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = |why: &dyn fmt::Display| {
            format!(
                "{text:?} is not a filter ({why}); off, error, warn, info, debug, trace or \"info,berth_http=debug\" would do"
            )
        };
        // EnvFilter takes such a word for the name of a crate, and then logs that crate alone: a
        // level with a mistake in it would turn the log off.
        if let Some(word) = text.split(',').find(|directive| !is_clear(directive)) {
            return Err(wrong(&format_args!("{word:?} is not a level")));
        }
        let filter = Self(text.to_owned());
        filter.filter().map_err(|error| wrong(&error))?;
        Ok(filter)
    }
}

/// Whether a directive is a level, or says of what it is one.
fn is_clear(directive: &str) -> bool {
    directive.contains('=')
        || LEVELS
            .iter()
            .any(|level| level.eq_ignore_ascii_case(directive))
}

impl fmt::Display for LogFilter {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

text_in_files! {
    LogFilter: "a filter in quotes, such as \"info\" or \"info,berth_http=debug\"",
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_taken_alone_and_by_crate() {
        let by_crate = ["WARN", "info,berth_http=debug", "berth_http::serve=off"];
        for text in LEVELS.into_iter().chain(by_crate) {
            let filter: LogFilter = text.parse().expect(text);
            assert_eq!(filter.to_string(), text);
            assert!(filter.filter().is_ok(), "{text}");
        }
        assert_eq!(LogFilter::info().to_string().parse(), Ok(LogFilter::info()));
    }

    #[test]
    fn what_would_turn_the_log_off_by_mistake_is_refused() {
        for text in [
            "inf",
            "nonsense",
            "berth_http",
            "",
            ",",
            "info,",
            "info, debug",
            " info",
            "berth_http=debug,inf",
            "berth=loud",
            "[request",
        ] {
            let message = text.parse::<LogFilter>().expect_err(text);
            assert!(message.ends_with("would do"), "{message}");
        }
        let message = "berth_http=debug,inf".parse::<LogFilter>().unwrap_err();
        assert!(message.contains("\"inf\" is not a level"), "{message}");
    }
}
