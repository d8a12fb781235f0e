use std::fs;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::{Bench, Report, is_refused, json, text};
use crate::command::output;
use crate::tools;

const SIGNATURE: &str = "application/vnd.example.signature+json";

pub(super) fn checks(bench: &Bench, report: &mut Report) {
    let artifact = bench.remote("oras/artifact:v1");
    let copy = bench.remote("oras/copy:v1");
    report.check("oras pushes an artifact", || {
        fs::write(bench.path("document.txt"), "a document\n")?;
        fs::write(bench.path("signature.json"), "{}")?;
        let kind = "--artifact-type=application/vnd.example.document";
        let file = "document.txt:text/plain";
        output(&mut oras(
            bench,
            &["push", "--plain-http", kind, &artifact, file],
        ))?;
        Ok(())
    });
    report.check("oras pulls it", || {
        output(&mut oras(
            bench,
            &["pull", "--plain-http", "-o", "pulled", &artifact],
        ))?;
        ensure!(fs::read(bench.path("pulled/document.txt"))? == b"a document\n");
        Ok(())
    });
    report.check("oras attaches a signature, and another to that", || {
        let signature = attach(bench, &artifact)?;
        attach(
            bench,
            &format!("{}@{signature}", bench.remote("oras/artifact")),
        )?;
        Ok(())
    });
    report.check("oras discovers what is attached, by type", || {
        let found = discover(bench, &artifact, SIGNATURE)?;
        ensure!(referrers(&found) == 1, "{found}");
        let none = discover(bench, &artifact, "application/vnd.example.none")?;
        ensure!(referrers(&none) == 0, "{none}");
        Ok(())
    });
    report.check("oras copies with everything attached", || {
        let plain = ["--from-plain-http", "--to-plain-http"];
        output(&mut oras(
            bench,
            &[&["cp", "-r"], &plain[..], &[&artifact, &copy]].concat(),
        ))?;
        let found = discover(bench, &copy, SIGNATURE)?;
        ensure!(referrers(&found) == 1, "{found}");
        let attached = found["referrers"][0]["digest"]
            .as_str()
            .context("no digest")?;
        let attached = format!("{}@{attached}", bench.remote("oras/copy"));
        ensure!(
            referrers(&discover(bench, &attached, SIGNATURE)?) == 1,
            "the second is missing"
        );
        Ok(())
    });
    report.check("oras fetches the same manifest from both", || {
        let fetch = |name: &str| {
            output(&mut oras(
                bench,
                &["manifest", "fetch", "--plain-http", name],
            ))
        };
        ensure!(fetch(&artifact)? == fetch(&copy)?, "the bytes differ");
        Ok(())
    });
    report.check("oras pushes, fetches and deletes a blob", || {
        fs::write(bench.path("blob"), "some bytes")?;
        let repository = bench.remote("oras/blob");
        let pushed = json(&mut oras(
            bench,
            &[
                "blob",
                "push",
                "--plain-http",
                "--descriptor",
                &repository,
                "blob",
            ],
        ))?;
        let digest = pushed["digest"].as_str().context("no digest")?;
        let name = format!("{repository}@{digest}");
        let fetch = || oras(bench, &["blob", "fetch", "--plain-http", "-o", "-", &name]);
        ensure!(text(&mut fetch())? == "some bytes");
        output(&mut oras(
            bench,
            &["blob", "delete", "--plain-http", "--force", &name],
        ))?;
        is_refused(&mut fetch(), "not found")
    });
    report.check("oras lists repositories and tags", || {
        let repositories = text(&mut oras(
            bench,
            &["repo", "ls", "--plain-http", &bench.address],
        ))?;
        for name in ["oras/artifact", "oras/blob", "oras/copy"] {
            ensure!(
                repositories.lines().any(|line| line == name),
                "{repositories}"
            );
        }
        let repository = bench.remote("oras/artifact");
        let tags = text(&mut oras(
            bench,
            &["repo", "tags", "--plain-http", &repository],
        ))?;
        ensure!(tags == "v1", "{tags}");
        Ok(())
    });
    report.check("oras deletes a manifest", || {
        output(&mut oras(
            bench,
            &["manifest", "delete", "--plain-http", "--force", &copy],
        ))?;
        is_refused(
            &mut oras(bench, &["manifest", "fetch", "--plain-http", &copy]),
            "not found",
        )
    });
}

/// Attaches a signature, and answers its digest.
fn attach(bench: &Bench, subject: &str) -> Result<String> {
    let kind = format!("--artifact-type={SIGNATURE}");
    let file = "signature.json:application/json";
    let format = ["--format", "json"];
    let attach = [
        &["attach", "--plain-http", &kind],
        &format[..],
        &[subject, file],
    ]
    .concat();
    let attached = json(&mut oras(bench, &attach))?;
    Ok(attached["digest"].as_str().context("no digest")?.to_owned())
}

fn discover(bench: &Bench, subject: &str, artifact_type: &str) -> Result<Value> {
    let kind = format!("--artifact-type={artifact_type}");
    let depth = ["--depth", "1"];
    let discover = [
        &["discover", "--plain-http", "--format", "json", &kind],
        &depth[..],
        &[subject],
    ]
    .concat();
    json(&mut oras(bench, &discover))
}

fn referrers(found: &Value) -> usize {
    found["referrers"].as_array().map_or(0, Vec::len)
}

fn oras(bench: &Bench, arguments: &[&str]) -> Command {
    bench.client(&tools::path("oras").to_string_lossy(), arguments)
}
