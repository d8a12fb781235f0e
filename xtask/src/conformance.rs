//! The official conformance suite of the OCI Distribution Specification.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

use crate::command::{command, output};
use crate::htpasswd;
use crate::server::{Build, Server};
use crate::tools;

/// What is off unless asked for. `OCI_DATA_SPARSE` stays off: it pushes manifests whose blobs are
/// missing, which this registry refuses, as the specification allows.
const SWITCHES: [&str; 4] = [
    "OCI_API_BLOBS_DIGEST_HEADER",
    "OCI_API_BLOBS_UPLOAD_CANCEL",
    "OCI_API_MANIFESTS_DIGEST_HEADER",
    "OCI_API_MANIFESTS_TAG_PARAM",
];

/// Runs the suite for each version of the specification, with tag deletion off and on.
pub(crate) fn run(build: Build) -> Result<()> {
    tools::install()?;
    for version in ["1.1", "dev"] {
        for tag_deletion in [false, true] {
            run_once(build, version, tag_deletion, None)?;
        }
    }
    for challenge in ["bearer", "basic"] {
        run_once(build, "1.1", true, Some(challenge))?;
    }
    Ok(())
}

/// Who runs the suite where it has to log in.
const USER: &str = "conformance";
const PASSWORD: &str = "a password for the suite";

/// A configuration that lets only that user in.
fn write_login(folder: &Path, challenge: &str) -> Result<PathBuf> {
    let (htpasswd, config) = (folder.join("htpasswd"), folder.join("berth.toml"));
    htpasswd::write(&htpasswd, USER, PASSWORD)?;
    let htpasswd = htpasswd.display();
    fs::write(
        &config,
        format!("htpasswd = \"{htpasswd}\"\nchallenge = \"{challenge}\"\n"),
    )?;
    Ok(config)
}

fn run_once(
    build: Build,
    version: &str,
    tag_deletion: bool,
    challenge: Option<&str>,
) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let mut options = vec!["--tag-deletion".to_owned(), tag_deletion.to_string()];
    if let Some(challenge) = challenge {
        let config = write_login(folder.path(), challenge)?;
        options.extend(["--config".to_owned(), config.to_string_lossy().into_owned()]);
    }
    let options: Vec<&str> = options.iter().map(String::as_str).collect();
    let server = Server::start(build, &options)?;
    let results = folder.path().join("results");
    let mut suite = command(&tools::path("conformance").to_string_lossy(), &[]);
    suite
        .env("OCI_VERSION", version)
        .env("OCI_REGISTRY", &server.address)
        .env("OCI_TLS", "disabled")
        .env("OCI_RESULTS_DIR", results)
        .envs(SWITCHES.map(|switch| (switch, "true")));
    if challenge.is_some() {
        suite
            .env("OCI_USERNAME", USER)
            .env("OCI_PASSWORD", PASSWORD);
    }
    let report = String::from_utf8(output(&mut suite)?)?;
    let login = challenge.unwrap_or("none");
    println!(
        "OCI conformance, version {version}, tag_deletion = {tag_deletion}, login: {login}\n{report}"
    );
    let scoped = challenge == Some("bearer");
    let surprises = surprises(&report, tag_deletion, scoped);
    if !surprises.is_empty() {
        bail!(
            "conformance, version {version}, tag_deletion = {tag_deletion}, login: {login}: {surprises:#?}"
        );
    }
    Ok(())
}

/// The lines of a report that are not as they must be. With tokens that are `scoped` to the repositories of a request, a
/// mount that does not say from where becomes an upload: it could come from anywhere.
fn surprises(report: &str, tag_deletion: bool, scoped: bool) -> Vec<String> {
    let mut surprises = Vec::new();
    let mut passed = 0;
    for (name, result) in report.lines().filter_map(entry) {
        let is_expected = match (name, result) {
            ("FAIL" | "Error", count) => count == "0",
            // How many tests of each kind: what they are is in the lines that follow.
            (_, count) if count.parse::<u32>().is_ok() => true,
            ("Tag delete" | "Tag delete atomic", "Skip") => !tag_deletion,
            ("Blob anonymous mount", "Skip") => scoped,
            ("Sparse Manifests", "Disabled") => true,
            (_, "Pass") => {
                passed += 1;
                true
            }
            _ => false,
        };
        if !is_expected {
            surprises.push(format!("{name}: {result}"));
        }
    }
    // The suite passes 28 interfaces and 23 kinds of data; a report that is cut short is no pass.
    if passed < 49 {
        surprises.push(format!("only {passed} lines of the report say Pass"));
    }
    surprises
}

/// `Tag listing...................:       Pass`
fn entry(line: &str) -> Option<(&str, &str)> {
    let (name, result) = line.strip_prefix("  ")?.split_once("..:")?;
    Some((name.trim_end_matches('.'), result.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(tag_delete: &str, other: &str) -> String {
        let passes = "  Blob get......................:       Pass\n".repeat(50);
        format!(
            "  FAIL..........................:          0\n  Skip..........................:         12\n{passes}\
             \n  Tag delete....................:       {tag_delete}\n  Sparse Manifests..............:   Disabled\n{other}"
        )
    }

    #[test]
    fn only_tag_deletion_may_be_skipped_and_only_when_it_is_off() {
        assert!(surprises(&report("Skip", ""), false, false).is_empty());
        assert!(surprises(&report("Pass", ""), true, false).is_empty());
        assert_eq!(
            surprises(&report("Skip", ""), true, false),
            ["Tag delete: Skip"]
        );
    }

    #[test]
    fn only_with_scoped_tokens_may_a_mount_from_anywhere_be_skipped() {
        let skipped = report("Pass", "  Blob anonymous mount..........:       Skip\n");
        assert!(surprises(&skipped, true, true).is_empty());
        assert_eq!(
            surprises(&skipped, true, false),
            ["Blob anonymous mount: Skip"]
        );
    }

    #[test]
    fn failures_skips_and_short_reports_are_found() {
        for line in [
            "Referrers.....................:       Skip",
            "Ping..........................:       FAIL",
            "Error.........................:          2",
            "Blob mount....................:   Disabled",
        ] {
            let found = surprises(&report("Pass", &format!("  {line}\n")), true, false);
            assert_eq!(found.len(), 1, "{line}");
        }
        assert_eq!(surprises("", true, false).len(), 1);
    }
}
