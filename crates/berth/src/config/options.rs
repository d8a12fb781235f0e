use std::path::PathBuf;
use std::time::Duration;

use anyhow::bail;
use berth_http::{Limits, Origins};
use berth_registry::{Grace, Settings};
use berth_retention::Rule;
use berth_tls::TlsFiles;
use clap::Args;
use clap::builder::{OsStringValueParser, TypedValueParser};
use serde::{Deserialize, Serialize};

use super::values::{
    Delay, Folder, Interval, Listen, LogFilter, LogFormat, Networks, OptionalFile, OptionalUrl,
    Rate, Size, Time, switch,
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

    /// Whether to listen on an address that others reach although neither TLS nor authentication is set up [default: false]
    #[arg(long, env = "BERTH_INSECURE_LISTEN", value_name = "true|false", num_args = 0..=1, default_missing_value = "true")]
    #[serde(default, deserialize_with = "switch")]
    insecure_listen: Option<bool>,

    /// The server's certificate and those that lead to its root, in the PEM format, which makes the server speak TLS; loaded again when it changes [default: none]
    #[arg(long, env = "BERTH_TLS_CERTIFICATE", value_name = "FILE|none")]
    tls_certificate: Option<OptionalFile>,

    /// The private key of the certificate, in the PEM format and not encrypted [default: none]
    #[arg(long, env = "BERTH_TLS_KEY", value_name = "FILE|none")]
    tls_key: Option<OptionalFile>,

    /// The authorities, in the PEM format, whose certificates clients may present over TLS [default: none]
    #[arg(long, env = "BERTH_CLIENT_CA", value_name = "FILE|none")]
    client_ca: Option<OptionalFile>,

    /// What clients call the server, as in `https://registry.example.com`; without it, what requests and trusted proxies say [default: none]
    #[arg(long, env = "BERTH_PUBLIC_URL", value_name = "URL|none")]
    public_url: Option<OptionalUrl>,

    /// The networks of proxies that are believed when they say who asks (Forwarded, or X-Forwarded-For, -Proto and -Host), separated by commas [default: none]
    #[arg(long, env = "BERTH_TRUSTED_PROXIES", value_name = "NETWORKS|none")]
    trusted_proxies: Option<Networks>,

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
    pub(crate) insecure_listen: bool,
    tls_certificate: OptionalFile,
    tls_key: OptionalFile,
    client_ca: OptionalFile,
    public_url: OptionalUrl,
    trusted_proxies: Networks,
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
            insecure_listen: false,
            tls_certificate: OptionalFile(None),
            tls_key: OptionalFile(None),
            client_ca: OptionalFile(None),
            public_url: OptionalUrl(None),
            trusted_proxies: Networks(Vec::new()),
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

    /// The files of TLS, if it is to be spoken.
    pub(crate) fn tls(&self) -> anyhow::Result<Option<TlsFiles>> {
        let OptionalFile(client_ca) = self.client_ca.clone();
        match (&self.tls_certificate.0, &self.tls_key.0) {
            (Some(certificate), Some(key)) => Ok(Some(TlsFiles {
                certificate: certificate.clone(),
                key: key.clone(),
                client_ca,
            })),
            (Some(_), None) => bail!(
                "tls_certificate is given and tls_key is not: TLS needs both, which may be the same file"
            ),
            (None, Some(_)) => bail!(
                "tls_key is given and tls_certificate is not: TLS needs both, which may be the same file"
            ),
            (None, None) if client_ca.is_some() => bail!(
                "client_ca is given and tls_certificate and tls_key are not: clients present certificates over TLS only"
            ),
            (None, None) => Ok(None),
        }
    }

    /// How the server is to tell what requests come from.
    pub(crate) fn origins(&self) -> Origins {
        Origins {
            public_url: self.public_url.0.clone(),
            trusted_proxies: self.trusted_proxies.0.clone(),
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
