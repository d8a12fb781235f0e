use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};
use berth_auth::{Groups, OidcSettings, TokenSettings};
use berth_http::{
    ConnectionLimits, ForwardedHeader, Limits, Origins, RequestRate, ThrottleSettings,
};
use berth_postgres::{DatabaseUrl, PostgresOptions};
use berth_registry::{Grace, ImmutableTags, QuotaRule, Redirects, Settings};
use berth_retention::Rule;
use berth_tls::TlsFiles;
use clap::Args;
use clap::builder::{OsStringValueParser, TypedValueParser};
use serde::{Deserialize, Serialize};

use crate::file_handles;

use super::values::{
    AccessRules, AuditFile, AutoBound, BlobStorage, Bound, CacheFolder, CacheLimit, ChallengeKind,
    Count, Delay, Folder, Interval, Listen, LogFilter, LogFormat, MetadataStorage, Networks,
    OptionalFile, OptionalTokenServer, OptionalUrl, ProxyHeader, Rate, RedirectFrom, ServiceName,
    Size, Time, UrlLifetime, UseAccounts, switch,
};

/// The options as one source gives them: those that it does not name are absent.
#[derive(Args, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Options {
    /// The folder that holds everything; made if it is missing [default: ./data]
    #[arg(long, env = "BERTH_DATA", value_name = "FOLDER", value_parser = OsStringValueParser::new().try_map(Folder::try_from))]
    data: Option<Folder>,

    /// Where metadata is: sqlite, in the data folder, or postgres://USER@HOST/DATABASE, for any number of replicas, whose blobs are in a bucket [default: sqlite]
    #[arg(
        long,
        env = "BERTH_METADATA",
        value_name = "sqlite|URL",
        hide_env_values = true
    )]
    metadata: Option<MetadataStorage>,

    /// The file that has the password of the database, if neither its URL nor libpq's own variables and files have it [default: none]
    #[arg(long, env = "BERTH_METADATA_PASSWORD_FILE", value_name = "FILE|none")]
    metadata_password_file: Option<OptionalFile>,

    /// How many connections to the database this process has at most [default: 16]
    #[arg(long, env = "BERTH_METADATA_CONNECTIONS", value_name = "NUMBER")]
    metadata_connections: Option<Count>,

    /// How long the database may work on one statement [default: 30s]
    #[arg(long, env = "BERTH_METADATA_TIMEOUT", value_name = "TIME")]
    metadata_timeout: Option<Time>,

    /// Where blobs are: folder, the data folder, or the URL of a bucket, such as s3://BUCKET/PREFIX; its endpoint and credentials are in AWS_ENDPOINT_URL, AWS_ACCESS_KEY_ID and so on [default: folder]
    #[arg(long, env = "BERTH_BLOB_STORAGE", value_name = "folder|URL")]
    blob_storage: Option<BlobStorage>,

    /// How many bytes of blobs that are pulled often are also kept in a folder here, where blobs are in a bucket, or off [default: off]
    #[arg(long, env = "BERTH_BLOB_CACHE", value_name = "BYTES|off")]
    blob_cache: Option<CacheLimit>,

    /// That folder, which each process needs for itself; auto is cache in the data folder, where there is one [default: auto]
    #[arg(long, env = "BERTH_BLOB_CACHE_FOLDER", value_name = "FOLDER|auto")]
    blob_cache_folder: Option<CacheFolder>,

    /// From how many bytes on clients are sent to the bucket to pull a blob, with a URL that is good for everybody who has it: they must reach the bucket as this process does. all for all blobs, off for none [default: off]
    #[arg(long, env = "BERTH_BLOB_REDIRECT", value_name = "BYTES|all|off")]
    blob_redirect: Option<RedirectFrom>,

    /// How long such a URL is good, from 1s to 7days, whatever becomes of rights meanwhile [default: 10m]
    #[arg(long, env = "BERTH_BLOB_REDIRECT_LIFETIME", value_name = "TIME")]
    blob_redirect_lifetime: Option<UrlLifetime>,

    /// The address and port to listen on; port 0 takes any free one [default: 127.0.0.1:5000]
    #[arg(long, env = "BERTH_LISTEN", value_name = "ADDRESS:PORT")]
    listen: Option<Listen>,

    /// Whether to listen on an address that others reach although nobody is asked who they are, with or without TLS [default: false]
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

    /// The networks of proxies that are believed when they say who asks, separated by commas [default: none]
    #[arg(long, env = "BERTH_TRUSTED_PROXIES", value_name = "NETWORKS|none")]
    trusted_proxies: Option<Networks>,

    /// In which headers these proxies say it, X-Forwarded-For, -Proto and -Host or Forwarded; the others are ignored [default: x-forwarded]
    #[arg(
        long,
        env = "BERTH_FORWARDED_HEADER",
        value_name = "x-forwarded|forwarded"
    )]
    forwarded_header: Option<ProxyHeader>,

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

    /// How many connections there may be; more wait. auto is three quarters of the file handles that this process may have [default: auto]
    #[arg(long, env = "BERTH_CONNECTIONS", value_name = "NUMBER|auto")]
    connections: Option<AutoBound>,

    /// How many of these one address may have that is no trusted proxy; more are closed. auto is a quarter of all, but at least 256 [default: auto]
    #[arg(
        long,
        env = "BERTH_CONNECTIONS_PER_ADDRESS",
        value_name = "NUMBER|auto"
    )]
    connections_per_address: Option<AutoBound>,

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

    /// A file of names and password hashes, as `htpasswd -B` makes it, or none; it may change while the registry serves [default: none]
    #[arg(long, env = "BERTH_HTPASSWD", value_name = "FILE|none")]
    htpasswd: Option<OptionalFile>,

    /// Whether the users and robot tokens count that `berth user` and `berth token` add; auto if there are or ever were any at the start, or authentication is on anyway [default: auto]
    #[arg(long, env = "BERTH_ACCOUNTS", value_name = "auto|true|false", num_args = 0..=1, default_missing_value = "true")]
    accounts: Option<UseAccounts>,

    /// How clients are told to authenticate: bearer, with a short-lived token that they get at /token, or basic, with the password each time [default: bearer]
    #[arg(long, env = "BERTH_CHALLENGE", value_name = "bearer|basic")]
    challenge: Option<ChallengeKind>,

    /// What the registry calls itself in its tokens; the same for all replicas of one registry, and no other [default: berth]
    #[arg(long, env = "BERTH_TOKEN_SERVICE", value_name = "NAME")]
    token_service: Option<ServiceName>,

    /// How long a token is good [default: 5m]
    #[arg(long, env = "BERTH_TOKEN_LIFETIME", value_name = "TIME")]
    token_lifetime: Option<Time>,

    /// How long a refresh token is good, by which clients get new tokens without the password [default: 30d]
    #[arg(long, env = "BERTH_REFRESH_LIFETIME", value_name = "TIME")]
    refresh_lifetime: Option<Time>,

    /// Only in a file: groups of names, for rules.
    #[arg(skip)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    groups: Option<Groups>,

    /// Only in a file: who may do what where.
    #[arg(skip)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rule: Option<AccessRules>,

    /// Only in a file: the OpenID Connect issuers whose tokens are accepted.
    #[arg(skip)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    oidc: Option<Vec<OidcSettings>>,

    /// Only in a file: the external token server.
    #[arg(skip)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    token_server: Option<OptionalTokenServer>,
    /// Only in a file: which tags are not moved and not deleted.
    #[arg(skip)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    immutable_tags: Option<Vec<ImmutableTags>>,

    /// Only in a file: how much repositories and namespaces may hold.
    #[arg(skip)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    quota: Option<Vec<QuotaRule>>,

    /// How log lines look; auto is human on a terminal and JSON otherwise [default: auto]
    #[arg(long, env = "BERTH_LOG_FORMAT", value_name = "FORMAT")]
    log_format: Option<LogFormat>,

    /// What is logged: off, error, warn, info, debug or trace, also by crate as in "info,berth_http=debug" [default: info]
    #[arg(long, env = "BERTH_LOG", value_name = "FILTER")]
    log: Option<LogFilter>,
}

/// Those that tell which registry a command is for.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct PlaceOptions {
    /// The folder that holds everything [default: ./data]
    #[arg(long, env = "BERTH_DATA", value_name = "FOLDER", value_parser = OsStringValueParser::new().try_map(Folder::try_from))]
    data: Option<Folder>,

    /// Where metadata is: sqlite, in the data folder, or postgres://USER@HOST/DATABASE [default: sqlite]
    #[arg(
        long,
        env = "BERTH_METADATA",
        value_name = "sqlite|URL",
        hide_env_values = true
    )]
    metadata: Option<MetadataStorage>,

    /// The file that has the password of the database, or none
    #[arg(long, env = "BERTH_METADATA_PASSWORD_FILE", value_name = "FILE|none")]
    metadata_password_file: Option<OptionalFile>,

    /// Where blobs are: folder, or s3://BUCKET/PREFIX; a server that has the data folder knows it [default: folder]
    #[arg(long, env = "BERTH_BLOB_STORAGE", value_name = "folder|URL")]
    blob_storage: Option<BlobStorage>,

    /// The file in which it is recorded what is done to accounts, or off, if no server does it
    #[arg(long, env = "BERTH_AUDIT_LOG", value_name = "FILE|off", value_parser = OsStringValueParser::new().try_map(AuditFile::try_from))]
    audit_log: Option<AuditFile>,

    /// Whether nothing is done to accounts while that cannot be recorded
    #[arg(long, env = "BERTH_AUDIT_REQUIRED", value_name = "true|false", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    audit_required: Option<bool>,
}

impl PlaceOptions {
    /// A data folder with all that a registry has.
    pub(crate) fn of_folder(data: &Path) -> Result<Self, String> {
        Ok(Self {
            data: Some(Folder::try_from(data.as_os_str().to_owned())?),
            ..Self::default()
        })
    }
}

impl From<PlaceOptions> for Options {
    fn from(place: PlaceOptions) -> Self {
        Self {
            data: place.data,
            metadata: place.metadata,
            metadata_password_file: place.metadata_password_file,
            blob_storage: place.blob_storage,
            audit_log: place.audit_log,
            audit_required: place.audit_required,
            ..Self::default()
        }
    }
}

/// The options in effect. What each means is told at [`Options`]: the keys are the same.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Config {
    pub(crate) data: PathBuf,
    pub(crate) metadata: MetadataStorage,
    metadata_password_file: OptionalFile,
    metadata_connections: Count,
    metadata_timeout: Time,
    pub(crate) blob_storage: BlobStorage,
    pub(crate) blob_cache: CacheLimit,
    blob_cache_folder: CacheFolder,
    pub(crate) blob_redirect: RedirectFrom,
    blob_redirect_lifetime: UrlLifetime,
    pub(crate) listen: Listen,
    pub(crate) insecure_listen: bool,
    tls_certificate: OptionalFile,
    tls_key: OptionalFile,
    pub(crate) client_ca: OptionalFile,
    public_url: OptionalUrl,
    trusted_proxies: Networks,
    forwarded_header: ProxyHeader,
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
    connections: AutoBound,
    connections_per_address: AutoBound,
    requests_per_second: Bound,
    request_burst: Count,
    concurrent_requests: Bound,
    login_failures_per_minute: Bound,
    audit_log: AuditFile,
    audit_required: bool,
    pub(crate) retention: Vec<Rule>,
    pub(crate) htpasswd: OptionalFile,
    pub(crate) accounts: UseAccounts,
    pub(crate) challenge: ChallengeKind,
    token_service: ServiceName,
    token_lifetime: Time,
    refresh_lifetime: Time,
    pub(crate) groups: Groups,
    pub(crate) rule: AccessRules,
    pub(crate) oidc: Vec<OidcSettings>,
    pub(crate) token_server: OptionalTokenServer,
    immutable_tags: Vec<ImmutableTags>,
    quota: Vec<QuotaRule>,
    pub(crate) log_format: LogFormat,
    pub(crate) log: LogFilter,
}

impl Default for Config {
    fn default() -> Self {
        let settings = Settings::default();
        let limits = Limits::default();
        let tokens = TokenSettings::default();
        let database = PostgresOptions::default();
        Self {
            data: PathBuf::from("./data"),
            metadata: MetadataStorage::sqlite(),
            metadata_password_file: OptionalFile(None),
            metadata_connections: Count(database.connections),
            metadata_timeout: Time(database.statement_timeout),
            blob_storage: BlobStorage(None),
            blob_cache: CacheLimit(None),
            blob_cache_folder: CacheFolder(None),
            blob_redirect: RedirectFrom(None),
            blob_redirect_lifetime: UrlLifetime(Redirects::DEFAULT_LIFETIME),
            listen: Listen(([127, 0, 0, 1], 5000).into()),
            insecure_listen: false,
            tls_certificate: OptionalFile(None),
            tls_key: OptionalFile(None),
            client_ca: OptionalFile(None),
            public_url: OptionalUrl(None),
            trusted_proxies: Networks(Vec::new()),
            forwarded_header: ProxyHeader(ForwardedHeader::default()),
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
            connections: AutoBound(None),
            connections_per_address: AutoBound(None),
            requests_per_second: Bound(limits.throttle.requests.map(|rate| rate.per_second)),
            request_burst: Count::HUNDRED,
            concurrent_requests: Bound(limits.throttle.concurrent_requests),
            login_failures_per_minute: Bound(limits.throttle.login_failures_per_minute),
            audit_log: AuditFile(None),
            audit_required: false,
            retention: Vec::new(),
            htpasswd: OptionalFile(None),
            accounts: UseAccounts::Auto,
            challenge: ChallengeKind::Bearer,
            token_service: ServiceName(tokens.service),
            token_lifetime: Time(tokens.token_lifetime),
            refresh_lifetime: Time(tokens.refresh_lifetime),
            groups: Groups::default(),
            rule: AccessRules::default(),
            oidc: Vec::new(),
            token_server: OptionalTokenServer::default(),
            immutable_tags: Vec::new(),
            quota: Vec::new(),
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
            immutable_tags: self.immutable_tags.clone(),
            quotas: self.quota.clone(),
            redirects: self.blob_redirect.0.map(|from| Redirects {
                from,
                lifetime: self.blob_redirect_lifetime.0,
            }),
        }
    }

    /// The database that has the metadata, with its password, if it is not in the data folder. Reads the file of the password, so it
    /// blocks.
    pub(crate) fn database(&self) -> anyhow::Result<Option<DatabaseUrl>> {
        let Some(url) = self.metadata.database()? else {
            return Ok(None);
        };
        let Some(path) = &self.metadata_password_file.0 else {
            return Ok(Some(url));
        };
        let shown = path.display();
        let text = fs::read_to_string(path)
            .with_context(|| format!("cannot read the password of the database in {shown}"))?;
        // As editors and echo leave it.
        let password = text.trim_end_matches(['\n', '\r']).into();
        Ok(Some(url.with_password(&password)?))
    }

    /// How the database is used.
    pub(crate) fn database_options(&self) -> PostgresOptions {
        PostgresOptions {
            connections: self.metadata_connections.0,
            statement_timeout: self.metadata_timeout.0,
            ..PostgresOptions::default()
        }
    }

    /// Where blobs are cached. `None` if that is to be in the data folder, and there is none.
    pub(crate) fn blob_cache_folder(&self) -> Option<PathBuf> {
        let is_shared = matches!(self.metadata.database(), Ok(Some(_)));
        let in_data = (!is_shared).then(|| self.data.join("cache"));
        self.blob_cache_folder.0.clone().or(in_data)
    }

    /// How the registry's own tokens are issued.
    pub(crate) fn tokens(&self) -> TokenSettings {
        TokenSettings {
            service: self.token_service.0.clone(),
            token_lifetime: self.token_lifetime.0,
            refresh_lifetime: self.refresh_lifetime.0,
            ..TokenSettings::default()
        }
    }

    /// Whether clients are to get the registry's own tokens, where authentication is on.
    pub(crate) fn issues_tokens(&self) -> bool {
        self.challenge == ChallengeKind::Bearer && self.token_server.0.is_none()
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
            forwarded: self.forwarded_header.0,
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
            connections: self.connections(),
            throttle: self.throttle(),
        }
    }

    /// Out of the file handles that this process may have now.
    fn connections(&self) -> ConnectionLimits {
        let limits = match self.connections.0 {
            Some(all) => ConnectionLimits::of_connections(all),
            None => ConnectionLimits::of_file_handles(file_handles::allowed()),
        };
        ConnectionLimits {
            one_address: self.connections_per_address.0.or(limits.one_address),
            ..limits
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

    /// Tables are only in a file.
    const TABLES: [&str; 7] = [
        "retention",
        "groups",
        "rule",
        "oidc",
        "token_server",
        "immutable_tags",
        "quota",
    ];

    #[test]
    fn options_and_effective_options_have_the_same_keys() {
        let command = Options::augment_args(Command::new("berth"));
        let mut flags: Vec<_> = command
            .get_arguments()
            .map(|flag| flag.get_id().to_string())
            .collect();
        flags.sort();
        let effective = Table::try_from(Config::default()).unwrap();
        let is_flag = |key: &&String| !TABLES.contains(&key.as_str());
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
