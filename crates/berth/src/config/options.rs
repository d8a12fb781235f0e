use std::path::{Path, PathBuf};
use std::time::Duration;

use berth_http::{Limits, RequestRate, ThrottleSettings};
use berth_registry::{Grace, Settings};
use berth_retention::Rule;
use clap::Args;
use clap::builder::{OsStringValueParser, TypedValueParser};
use serde::{Deserialize, Serialize};

use super::values::{
    AuditFile, Bound, Count, Delay, Folder, Interval, Listen, LogFilter, LogFormat, Rate, Size,
    Time, switch,
};

/// The options as one source gives them: those that it does not name are absent.
#[derive(Args, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Options {
    /// The folder that holds everything; made if it is missing [default: ./data]
    #[arg(long, env = "BERTH_DATA", value_name = "FOLDER", value_parser = OsStringValueParser::new().try_map(Folder::try_from))]
    data: Option<Folder>,

    /// The address and port to listen on; port 0 takes any free one [default: 127.0.0.1:5000]
    #[arg(long, env = "BERTH_LISTEN", value_name = "ADDRESS:PORT")]
    listen: Option<Listen>,

    /// Whether a DELETE of a tag removes the tag; otherwise it is refused, and manifests are deleted by digest [default: false]
    #[arg(long, env = "BERTH_TAG_DELETION", value_name = "true|false", num_args = 0..=1, default_missing_value = "true")]
    #[serde(default, deserialize_with = "switch")]
    tag_deletion: Option<bool>,

    /// The largest manifest that is taken [default: 4MiB]
    #[arg(long, env = "BERTH_MANIFEST_SIZE_LIMIT", value_name = "BYTES")]
    manifest_size_limit: Option<Size>,

    /// How long an upload session lives after its last use [default: 24h]
    #[arg(long, env = "BERTH_UPLOAD_LIFETIME", value_name = "TIME")]
    upload_lifetime: Option<Time>,

    /// How long a blob that nothing refers to is kept after it was pushed, mounted or asked for, and again after it was condemned [default: 24h]
    #[arg(long, env = "BERTH_COLLECTION_GRACE", value_name = "TIME")]
    collection_grace: Option<Delay>,

    /// How often garbage is collected, or never [default: 1h]
    #[arg(long, env = "BERTH_COLLECTION_INTERVAL", value_name = "TIME|never")]
    collection_interval: Option<Interval>,

    /// How many bytes of blobs are verified in a second, in the background, all of them and again a day later, or off [default: off]
    #[arg(long, env = "BERTH_VERIFICATION_RATE", value_name = "BYTES|off")]
    verification_rate: Option<Rate>,

    /// How long a client may take to send the head of a request, or stay idle between two [default: 1m]
    #[arg(long, env = "BERTH_HEADER_TIMEOUT", value_name = "TIME")]
    header_timeout: Option<Time>,

    /// The largest head of a request [default: 64KiB]
    #[arg(long, env = "BERTH_HEADER_SIZE_LIMIT", value_name = "BYTES")]
    header_size_limit: Option<Size>,

    /// How long a client may send nothing of a blob, or take to send a manifest [default: 1m]
    #[arg(long, env = "BERTH_BODY_TIMEOUT", value_name = "TIME")]
    body_timeout: Option<Time>,

    /// How long a client may take nothing of what it is sent [default: 1m]
    #[arg(long, env = "BERTH_WRITE_TIMEOUT", value_name = "TIME")]
    write_timeout: Option<Time>,

    /// How long requests under way may go on after SIGTERM [default: 30s]
    #[arg(long, env = "BERTH_DRAIN_TIMEOUT", value_name = "TIME")]
    drain_timeout: Option<Time>,

    /// How many requests one client may make in a second, by its name or else its address, or off for any number [default: off]
    #[arg(long, env = "BERTH_REQUESTS_PER_SECOND", value_name = "NUMBER|off")]
    requests_per_second: Option<Bound>,

    /// How many of these it may make at once after it has made none for a while [default: 100]
    #[arg(long, env = "BERTH_REQUEST_BURST", value_name = "NUMBER")]
    request_burst: Option<Count>,

    /// How many requests one client may have under way, by its name or else its address, or off for any number [default: off]
    #[arg(long, env = "BERTH_CONCURRENT_REQUESTS", value_name = "NUMBER|off")]
    concurrent_requests: Option<Bound>,

    /// How many logins may fail in a minute from one address for one user name, and three times as many for all names, before no more are tried, or off for any number [default: 10]
    #[arg(
        long,
        env = "BERTH_LOGIN_FAILURES_PER_MINUTE",
        value_name = "NUMBER|off"
    )]
    login_failures_per_minute: Option<Bound>,

    /// The file that records who logged in, was refused, pushed and deleted, as JSON lines, or off [default: off]
    #[arg(long, env = "BERTH_AUDIT_LOG", value_name = "FILE|off", value_parser = OsStringValueParser::new().try_map(AuditFile::try_from))]
    audit_log: Option<AuditFile>,

    /// Whether pushes and deletions are refused while the audit log cannot be written; otherwise they go on, and it says later how many lines it lacks [default: false]
    #[arg(long, env = "BERTH_AUDIT_REQUIRED", value_name = "true|false", num_args = 0..=1, default_missing_value = "true")]
    #[serde(default, deserialize_with = "switch")]
    audit_required: Option<bool>,

    /// Only in a file: which tags and manifests go.
    #[arg(skip)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    retention: Option<Vec<Rule>>,

    /// How log lines look; auto is human on a terminal and JSON otherwise [default: auto]
    #[arg(long, env = "BERTH_LOG_FORMAT", value_name = "FORMAT")]
    log_format: Option<LogFormat>,

    /// What is logged: off, error, warn, info, debug or trace, also by crate as in "info,berth_http=debug" [default: info]
    #[arg(long, env = "BERTH_LOG", value_name = "FILTER")]
    log: Option<LogFilter>,
}

impl Options {
    /// As a source gives them that knows the data folder at most.
    pub(super) fn of(data: Option<Folder>) -> Self {
        Self {
            data,
            ..Self::default()
        }
    }
}

/// The options in effect. What each means is told at [`Options`]: the keys are the same.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Config {
    pub(crate) data: PathBuf,
    pub(crate) listen: Listen,
    tag_deletion: bool,
    manifest_size_limit: Size,
    upload_lifetime: Time,
    collection_grace: Delay,
    pub(crate) collection_interval: Interval,
    pub(crate) verification_rate: Rate,
    header_timeout: Time,
    header_size_limit: Size,
    body_timeout: Time,
    write_timeout: Time,
    drain_timeout: Time,
    requests_per_second: Bound,
    request_burst: Count,
    concurrent_requests: Bound,
    login_failures_per_minute: Bound,
    audit_log: AuditFile,
    audit_required: bool,
    pub(crate) retention: Vec<Rule>,
    pub(crate) log_format: LogFormat,
    pub(crate) log: LogFilter,
}

impl Default for Config {
    fn default() -> Self {
        let settings = Settings::default();
        let limits = Limits::default();
        Self {
            data: PathBuf::from("./data"),
            listen: Listen(([127, 0, 0, 1], 5000).into()),
            tag_deletion: settings.tag_deletion,
            manifest_size_limit: Size(settings.manifest_size_limit),
            upload_lifetime: Time(settings.upload_lifetime),
            collection_grace: Delay(settings.collection_grace.0),
            collection_interval: Interval(Some(Duration::from_secs(60 * 60))),
            verification_rate: Rate(None),
            header_timeout: Time(limits.header_timeout),
            header_size_limit: Size(limits.header_bytes),
            body_timeout: Time(limits.body_timeout),
            write_timeout: Time(limits.write_timeout),
            drain_timeout: Time(limits.drain_timeout),
            requests_per_second: Bound(limits.throttle.requests.map(|rate| rate.per_second)),
            request_burst: Count::HUNDRED,
            concurrent_requests: Bound(limits.throttle.concurrent_requests),
            login_failures_per_minute: Bound(limits.throttle.login_failures_per_minute),
            audit_log: AuditFile(None),
            audit_required: false,
            retention: Vec::new(),
            log_format: LogFormat::Auto,
            log: LogFilter::info(),
        }
    }
}

impl Config {
    /// What the registry is to be told.
    pub(crate) fn settings(&self) -> Settings {
        Settings {
            tag_deletion: self.tag_deletion,
            manifest_size_limit: self.manifest_size_limit.0,
            upload_lifetime: self.upload_lifetime.0,
            collection_grace: Grace(self.collection_grace.0),
        }
    }

    /// What the server is to be told.
    pub(crate) fn limits(&self) -> Limits {
        Limits {
            header_timeout: self.header_timeout.0,
            body_timeout: self.body_timeout.0,
            write_timeout: self.write_timeout.0,
            drain_timeout: self.drain_timeout.0,
            header_bytes: self.header_size_limit.0,
            throttle: self.throttle(),
        }
    }

    fn throttle(&self) -> ThrottleSettings {
        let rate = |per_second| RequestRate {
            per_second,
            burst: self.request_burst.0,
        };
        ThrottleSettings {
            requests: self.requests_per_second.0.map(rate),
            concurrent_requests: self.concurrent_requests.0,
            login_failures_per_minute: self.login_failures_per_minute.0,
        }
    }

    /// Which audit log is to be kept, and how.
    ///
    /// # Errors
    /// When one is required, and none given.
    pub(crate) fn audit(&self) -> anyhow::Result<Option<(&Path, berth_audit::Settings)>> {
        let settings = berth_audit::Settings {
            is_required: self.audit_required,
        };
        match &self.audit_log.0 {
            Some(path) => Ok(Some((Path::new(path), settings))),
            None if self.audit_required => anyhow::bail!(
                "audit_required is on and there is no audit log; give one with --audit-log FILE, or set audit_required = false"
            ),
            None => Ok(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::{Command, FromArgMatches};
    use toml::Table;

    #[test]
    fn options_and_effective_options_have_the_same_keys() {
        let command = Options::augment_args(Command::new("berth"));
        let mut flags: Vec<_> = command
            .get_arguments()
            .map(|flag| flag.get_id().to_string())
            .collect();
        flags.sort();
        let effective = Table::try_from(Config::default()).unwrap();
        let is_flag = |key: &&String| *key != "retention";
        let mut keys: Vec<_> = effective.keys().filter(is_flag).cloned().collect();
        keys.sort();
        assert_eq!(flags, keys);
    }

    #[test]
    fn the_help_tells_the_defaults_and_the_variables_that_are() {
        let defaults = Table::try_from(Config::default()).unwrap();
        for flag in Options::augment_args(Command::new("berth")).get_arguments() {
            let key = flag.get_id().as_str();
            let variable = flag.get_env().unwrap().to_str().unwrap();
            assert_eq!(variable, format!("BERTH_{}", key.to_uppercase()));
            let help = flag.get_help().unwrap().to_string();
            let told = help
                .split("[default: ")
                .nth(1)
                .unwrap()
                .trim_end_matches(']');
            let told = match defaults[key] {
                toml::Value::Boolean(_) => toml::Value::Boolean(told.parse().unwrap()),
                _ => toml::Value::String(told.to_owned()),
            };
            let mut told_table = defaults.clone();
            told_table.insert(key.to_owned(), told);
            let told: Config = told_table.try_into().unwrap();
            assert_eq!(
                Table::try_from(told).unwrap(),
                defaults,
                "the help of {key} is wrong"
            );
        }
    }

    #[test]
    fn a_switch_needs_no_value() {
        let command = Options::augment_args(Command::new("berth"));
        let matches = command.get_matches_from(["berth", "--tag-deletion"]);
        assert_eq!(
            Options::from_arg_matches(&matches).unwrap().tag_deletion,
            Some(true)
        );
    }
}
