use std::ffi::OsStr;
use std::fs;

use tempfile::TempDir;

use crate::{berth, run, text};

const OPTIONS: [&str; 45] = [
    "data",
    "metadata",
    "metadata_password_file",
    "metadata_connections",
    "metadata_timeout",
    "blob_storage",
    "blob_cache",
    "blob_cache_folder",
    "blob_redirect",
    "blob_redirect_lifetime",
    "listen",
    "insecure_listen",
    "tls_certificate",
    "tls_key",
    "client_ca",
    "public_url",
    "trusted_proxies",
    "forwarded_header",
    "tag_deletion",
    "manifest_size_limit",
    "upload_lifetime",
    "collection_grace",
    "collection_interval",
    "verification_rate",
    "header_timeout",
    "header_size_limit",
    "body_timeout",
    "write_timeout",
    "drain_timeout",
    "htpasswd",
    "accounts",
    "challenge",
    "token_service",
    "token_lifetime",
    "refresh_lifetime",
    "connections",
    "connections_per_address",
    "requests_per_second",
    "request_burst",
    "concurrent_requests",
    "login_failures_per_minute",
    "audit_log",
    "audit_required",
    "log_format",
    "log",
];

/// The options in effect, as `berth config` prints them.
fn config(arguments: &[&str], variables: &[(&str, &str)]) -> String {
    let output = run(&[&["config"], arguments].concat(), variables);
    assert!(output.status.success(), "{}", text(&output.stderr));
    text(&output.stdout)
}

/// What berth says about options that it refuses.
fn refusal(arguments: &[&str], variables: &[(&str, &str)]) -> String {
    let output = run(&[&["config"], arguments].concat(), variables);
    assert!(!output.status.success(), "{}", text(&output.stdout));
    text(&output.stderr)
}

fn file(content: &str) -> (TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("berth.toml");
    fs::write(&path, content).unwrap();
    let path = path.to_str().unwrap().to_owned();
    (folder, path)
}

#[test]
fn the_help_explains_every_option() {
    let output = run(&["serve", "--help"], &[]);
    assert!(output.status.success());
    let help = text(&output.stdout);
    for option in OPTIONS {
        let flag = format!("--{}", option.replace('_', "-"));
        let (_, after) = help.split_once(&flag).expect(option);
        let variable = format!("BERTH_{}", option.to_uppercase());
        assert!(after.contains(&format!("[env: {variable}")), "{option}");
    }
    assert_eq!(help.matches("[default: ").count(), OPTIONS.len());
    assert!(help.contains("--config <FILE>"));
    assert!(text(&run(&["--help"], &[]).stdout).contains("serve"));
}

#[test]
fn the_defaults_are_those_of_the_readme() {
    let shown = config(&[], &[]);
    for line in [
        "data = \"./data\" # default",
        "blob_storage = \"folder\" # default",
        "listen = \"127.0.0.1:5000\" # default",
        "tag_deletion = false # default",
        "manifest_size_limit = \"4194304\" # default",
        "upload_lifetime = \"1day\" # default",
        "requests_per_second = \"off\" # default",
        "login_failures_per_minute = \"10\" # default",
        "audit_log = \"off\" # default",
    ] {
        assert!(
            shown.lines().any(|shown| shown == line),
            "no {line} in\n{shown}"
        );
    }
    // Tables can only be in a file.
    let tables = [
        "retention = [] # default",
        "groups = {} # default",
        "rule = \"default\" # default",
        "oidc = [] # default",
        "token_server = {} # default",
        "immutable_tags = [] # default",
        "quota = [] # default",
    ];
    for line in tables {
        assert!(
            shown.lines().any(|shown| shown == line),
            "no {line} in\n{shown}"
        );
    }
    assert_eq!(shown.lines().count(), OPTIONS.len() + tables.len());
}

#[test]
fn a_flag_wins_over_the_environment_and_that_over_the_file() {
    let (_folder, path) =
        file("upload_lifetime = \"1h\"\nbody_timeout = \"2s\"\nheader_timeout = \"3s\"\n");
    let variables = [
        ("BERTH_CONFIG", path.as_str()),
        ("BERTH_UPLOAD_LIFETIME", "2h"),
        ("BERTH_BODY_TIMEOUT", "4s"),
    ];
    let shown = config(&["--upload-lifetime", "3h"], &variables);
    for line in [
        "upload_lifetime = \"3h\" # flag",
        "body_timeout = \"4s\" # environment",
        "header_timeout = \"3s\" # file",
        "write_timeout = \"1m\" # default",
    ] {
        assert!(
            shown.lines().any(|shown| shown == line),
            "no {line} in\n{shown}"
        );
    }
}

#[test]
fn what_config_prints_is_a_file_that_says_the_same() {
    let flags = [
        "--tag-deletion",
        "--listen",
        "[::1]:0",
        "--data",
        "/a \"b\"",
        "--log",
        "debug",
        "--tls-certificate",
        "/etc/berth/tls.crt",
        "--public-url",
        "https://registry.example.com/",
        "--trusted-proxies",
        "10.0.0.0/8,::1",
    ];
    let shown = config(&flags, &[]);
    let (_folder, path) = file(&shown);
    let again = config(&["--config", &path], &[]);
    let values = |shown: &str| -> Vec<String> {
        shown
            .lines()
            .map(|line| line.rsplit_once(" # ").unwrap().0.to_owned())
            .collect()
    };
    assert_eq!(values(&again), values(&shown));
    assert!(
        again.lines().all(|line| line.ends_with("# file")),
        "{again}"
    );
}

#[test]
fn a_bad_value_says_which_key_why_and_what_would_do() {
    for (key, value, remedy) in [
        ("listen", "localhost", "127.0.0.1:5000"),
        ("upload_lifetime", "soon", "24h"),
        ("drain_timeout", "0s", "24h"),
        ("manifest_size_limit", "many", "4MiB"),
        ("header_size_limit", "1", "64KiB"),
        ("log_format", "xml", "json"),
        ("log", "inf", "info,berth_http=debug"),
        ("log", "nonsense", "info,berth_http=debug"),
        ("log", "berth=loud", "info,berth_http=debug"),
        ("data", "", "./data"),
        ("blob_storage", "s3:bucket", "s3://BUCKET/PREFIX"),
        ("challenge", "digest", "bearer"),
        ("token_service", "", "berth"),
        ("token_lifetime", "soon", "24h"),
        ("accounts", "maybe", "true"),
        ("tls_certificate", "", "/etc/berth/tls.crt"),
        (
            "public_url",
            "registry.example.com",
            "https://registry.example.com",
        ),
        ("trusted_proxies", "proxy", "10.0.0.0/8"),
        ("forwarded_header", "both", "x-forwarded"),
        ("tag_deletion", "maybe", "true"),
        ("connections", "0", "auto"),
        ("connections_per_address", "off", "auto"),
        ("requests_per_second", "0", "off"),
        ("request_burst", "many", "100"),
        ("login_failures_per_minute", "few", "off"),
        ("audit_log", "", "audit.jsonl"),
    ] {
        let flag = format!("--{}", key.replace('_', "-"));
        let by_flag = refusal(&[&flag, value], &[]);
        assert!(by_flag.contains(&flag), "{by_flag}");
        let variable = format!("BERTH_{}", key.to_uppercase());
        let by_variable = refusal(&[], &[(&variable, value)]);
        assert!(by_variable.contains(&variable), "{by_variable}");
        let (_folder, path) = file(&format!("{key} = \"{value}\"\n"));
        let by_file = refusal(&["--config", &path], &[]);
        assert!(
            by_file.contains(&path) && by_file.contains(key),
            "{by_file}"
        );
        for said in [by_flag, by_variable, by_file] {
            assert!(said.contains(remedy), "{said}");
        }
    }
}

#[test]
fn a_value_of_the_wrong_type_in_a_file_says_what_would_do() {
    for (key, value, remedy) in [
        ("data", "5", "\"./data\""),
        ("blob_storage", "5", "\"s3://BUCKET/PREFIX\""),
        ("listen", "5000", "\"127.0.0.1:5000\""),
        ("upload_lifetime", "5", "\"24h\""),
        ("write_timeout", "[]", "\"24h\""),
        ("manifest_size_limit", "true", "\"4MiB\""),
        ("log_format", "5", "\"json\""),
        ("log", "false", "\"info\""),
        ("tls_key", "[]", "\"none\""),
        ("public_url", "5", "\"https://registry.example.com\""),
        ("trusted_proxies", "5", "\"10.0.0.0/8\""),
        ("forwarded_header", "5", "\"x-forwarded\""),
        ("insecure_listen", "\"true\"", "without quotes"),
        ("tag_deletion", "\"true\"", "without quotes"),
        ("concurrent_requests", "1.5", "such as 100"),
        ("request_burst", "true", "such as 100"),
        ("audit_log", "true", "\"off\""),
    ] {
        let (_folder, path) = file(&format!("{key} = {value}\n"));
        let said = refusal(&["--config", &path], &[]);
        assert!(said.contains(key) && said.contains(remedy), "{said}");
    }
}

#[test]
fn the_variable_is_named_beside_a_flag_that_begins_like_its_own() {
    let said = refusal(&["--log-format", "human"], &[("BERTH_LOG", "inf")]);
    assert!(said.contains("BERTH_LOG"), "{said}");
}

#[cfg(unix)]
#[test]
fn a_path_that_is_not_utf_8_says_which_key() {
    use std::os::unix::ffi::OsStrExt;

    let path = OsStr::from_bytes(b"a\xff");
    let output = run(&["config".as_ref(), "--data".as_ref(), path], &[]);
    assert_eq!(output.status.code(), Some(2));
    let said = text(&output.stderr);
    assert!(
        said.contains("--data") && said.contains("./data or"),
        "{said}"
    );
}

#[test]
fn a_reader_who_has_read_enough_is_no_failure() {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = berth(&["config"]).stdout(writer).output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(text(&output.stderr), "");
}

#[cfg(target_os = "linux")]
#[test]
fn an_output_that_cannot_be_written_to_is_told() {
    let full = fs::File::options().write(true).open("/dev/full").unwrap();
    let output = berth(&["config"]).stdout(full).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = text(&output.stderr);
    assert!(
        said.starts_with("berth: cannot print the options"),
        "{said}"
    );
    let full = fs::File::options().write(true).open("/dev/full").unwrap();
    let output = berth(&["config", "--config", "/does/not/exist.toml"])
        .stderr(full)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn unknown_keys_and_unreadable_files_are_refused() {
    let (_folder, path) = file("tag_deletions = true\n");
    let said = refusal(&["--config", &path], &[]);
    assert!(
        said.contains("tag_deletions") && said.contains("tag_deletion`"),
        "{said}"
    );
    let (_folder, path) = file("listen =\n");
    assert!(refusal(&["--config", &path], &[]).contains(&path));
    assert!(refusal(&["--config", "/does/not/exist.toml"], &[]).contains("/does/not/exist.toml"));
    assert!(refusal(&["--tag-deletions"], &[]).contains("--tag-deletion"));
}

#[test]
fn a_bad_log_filter_is_refused_when_serving() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().to_str().unwrap();
    let output = run(&["serve", "--data", data, "--log", "berth=loud"], &[]);
    assert!(!output.status.success());
    let said = text(&output.stderr);
    assert!(
        said.contains("berth=loud") && said.contains("would do"),
        "{said}"
    );
}

#[test]
fn an_audit_log_is_opened_when_serving_and_must_be_given_where_it_is_required() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let serve = |more: &[&str]| {
        let output = run(
            &[&["serve", "--data", data.to_str().unwrap()], more].concat(),
            &[],
        );
        assert!(!output.status.success());
        text(&output.stderr)
    };
    let said = serve(&["--audit-required"]);
    assert!(said.contains("--audit-log FILE"), "{said}");
    let missing = folder.path().join("missing/audit.jsonl");
    let said = serve(&["--audit-log", missing.to_str().unwrap()]);
    assert!(said.contains("missing/audit.jsonl"), "{said}");
    assert!(!data.exists(), "the data folder was made all the same");
}

#[test]
fn the_password_of_the_database_is_never_printed() {
    let url = "postgres://berth:s3cret@db/berth?connect_timeout=3";
    let variables = [("BERTH_METADATA", url)];
    let shown = config(&[], &variables);
    let line = "metadata = \"postgres://berth@db/berth\" # environment";
    assert!(shown.lines().any(|shown| shown == line), "{shown}");
    let (_folder, path) = file(&format!("metadata = {url:?}\n"));
    let of_file = config(&["--config", &path], &[]);
    let helps = [["serve", "--help"], ["gc", "--help"], ["config", "--help"]];
    let helps = helps.map(|arguments| text(&run(&arguments, &variables).stdout));
    for said in helps.iter().chain([&shown, &of_file]) {
        assert!(!said.contains("s3cret"), "{said}");
    }
}

#[test]
fn what_is_no_url_of_a_database_is_refused_without_a_password() {
    for url in [
        "mysql://berth:s3cret@db/berth",
        "postgres://berth:s3cret@more@db/berth",
        "berth:s3cret@db",
    ] {
        let (_folder, path) = file(&format!("metadata = {url:?}\n"));
        for said in [
            refusal(&["--metadata", url], &[]),
            refusal(&[], &[("BERTH_METADATA", url)]),
            refusal(&["--config", &path], &[]),
        ] {
            assert!(!said.contains("s3cret"), "{said}");
        }
    }
    // A file that cannot be read at all is not repeated either.
    for line in [
        "metadata = \"postgres://berth:s3cret@db/berth",
        "metadate = \"postgres://berth:s3cret@db/berth\"",
    ] {
        let (_folder, path) = file(&format!("listen = \"[::1]:0\"\n{line}\n"));
        let said = refusal(&["--config", &path], &[]);
        assert!(!said.contains("s3cret"), "{said}");
        assert!(said.contains("line 2"), "{said}");
    }
}
