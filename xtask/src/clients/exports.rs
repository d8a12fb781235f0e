use std::process::Command;

use anyhow::ensure;

use super::layout::Layout;
use super::skopeo::{copy_in, skopeo};
use super::{Bench, Report};
use crate::command::output;
use crate::server::Server;

pub(super) fn checks(bench: &Bench, server: &Server, report: &mut Report) {
    report.check("skopeo reads what berth export wrote", || {
        copy_in(bench, &bench.index, "exported/index:v1")?;
        let folder = bench.path("exports");
        output(
            Command::new(server.program()?)
                .arg("export")
                .arg(&folder)
                .args(["--repository", "exported/*", "--data"])
                .arg(server.data()),
        )?;
        let exported = Layout::at(folder.join("exported/index"));
        exported.is_same_as(&bench.index)?;
        let copy = Layout::at(bench.path("exported-copy"));
        let from = format!("oci:{}:v1", exported.path());
        let to = format!("oci:{}:v1", copy.path());
        output(&mut skopeo(bench, &["copy", "--all", &from, &to]))?;
        copy.is_same_as(&bench.index)
    });
    report.check("skopeo finds what berth import brought in", || {
        let import = Command::new(server.program()?)
            .args(["import", "oci-layout", &bench.image.path()])
            .args(["--repository", "imported/image", "--data"])
            .arg(server.data())
            .output()?;
        ensure!(import.status.success(), "{import:?}");
        let inspect = format!("docker://{}", bench.remote("imported/image:v1"));
        let raw = ["inspect", "--raw", "--tls-verify=false", &inspect];
        let manifest = output(&mut skopeo(bench, &raw))?;
        ensure!(manifest == bench.image.manifest()?, "the bytes differ");
        Ok(())
    });
}
