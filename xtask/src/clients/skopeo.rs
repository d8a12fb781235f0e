use std::process::Command;

use anyhow::{Result, ensure};
use serde_json::json;

use super::layout::Layout;
use super::{Bench, Report, is_refused, json as json_of};
use crate::command::output;

pub(super) fn checks(bench: &Bench, report: &mut Report) {
    report.check("skopeo copies an image in", || {
        copy_in(bench, &bench.image, "skopeo/image:v1")
    });
    report.check("skopeo copies it out, byte for byte", || {
        copy_out(bench, &bench.image, "skopeo/image:v1", "skopeo-image")
    });
    report.check("skopeo copies an index of several platforms in", || {
        copy_in(bench, &bench.index, "skopeo/index:v1")
    });
    report.check("skopeo copies it out, byte for byte", || {
        copy_out(bench, &bench.index, "skopeo/index:v1", "skopeo-index")
    });
    report.check("skopeo copies it across repositories", || {
        let (from, to) = (
            docker(bench, "skopeo/index:v1"),
            docker(bench, "skopeo/copy/blobs:v2"),
        );
        let plain = ["--src-tls-verify=false", "--dest-tls-verify=false"];
        output(&mut skopeo(
            bench,
            &[&["copy", "--all"], &plain[..], &[&from, &to]].concat(),
        ))?;
        copy_out(bench, &bench.index, "skopeo/copy/blobs:v2", "skopeo-copy")
    });
    report.check("skopeo pushes again what is there", || {
        copy_in(bench, &bench.image, "skopeo/image:v1")
    });
    report.check("skopeo lists tags", || {
        copy_in(bench, &bench.image, "skopeo/image:a")?;
        let list = [
            "list-tags",
            "--tls-verify=false",
            &docker(bench, "skopeo/image"),
        ];
        let tags = json_of(&mut skopeo(bench, &list))?;
        ensure!(tags["Tags"] == json!(["a", "v1"]), "{tags}");
        Ok(())
    });
    report.check("skopeo inspects an image", || {
        let inspect = [
            "inspect",
            "--tls-verify=false",
            &docker(bench, "skopeo/image:v1"),
        ];
        let about = json_of(&mut skopeo(bench, &inspect))?;
        ensure!(about["Digest"] == bench.image.digest()?.as_str(), "{about}");
        ensure!(about["Architecture"] == "amd64", "{about}");
        Ok(())
    });
    report.check("skopeo inspects the raw index", || {
        let source = docker(bench, "skopeo/index:v1");
        let raw = output(&mut skopeo(
            bench,
            &["inspect", "--raw", "--tls-verify=false", &source],
        ))?;
        ensure!(raw == bench.index.manifest()?, "the bytes differ");
        Ok(())
    });
    report.check("skopeo deletes an image", || {
        let source = docker(bench, "skopeo/image:v1");
        output(&mut skopeo(
            bench,
            &["delete", "--tls-verify=false", &source],
        ))?;
        let inspect = ["inspect", "--tls-verify=false", &source];
        is_refused(&mut skopeo(bench, &inspect), "manifest unknown")
    });
}

pub(super) fn copy_in(bench: &Bench, layout: &Layout, name: &str) -> Result<()> {
    let from = format!("oci:{}:v1", layout.path());
    let to = docker(bench, name);
    output(&mut skopeo(
        bench,
        &["copy", "--all", "--dest-tls-verify=false", &from, &to],
    ))?;
    Ok(())
}

fn copy_out(bench: &Bench, expected: &Layout, name: &str, folder: &str) -> Result<()> {
    let copy = Layout::at(bench.path(folder));
    let to = format!("oci:{}:v1", copy.path());
    let from = docker(bench, name);
    output(&mut skopeo(
        bench,
        &["copy", "--all", "--src-tls-verify=false", &from, &to],
    ))?;
    copy.is_same_as(expected)
}

fn docker(bench: &Bench, name: &str) -> String {
    format!("docker://{}", bench.remote(name))
}

pub(super) fn skopeo(bench: &Bench, arguments: &[&str]) -> Command {
    bench.client("skopeo", &[&["--insecure-policy"], arguments].concat())
}
