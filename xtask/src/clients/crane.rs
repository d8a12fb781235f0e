use std::fs;
use std::process::Command;

use anyhow::ensure;

use super::layout::{Layout, tar};
use super::{Bench, Report, is_refused, text};
use crate::command::output;
use crate::tools;

pub(super) fn checks(bench: &Bench, report: &mut Report) {
    let image = bench.remote("crane/image:v1");
    let index = bench.remote("crane/index:v1");
    let copy = bench.remote("crane/copy:v1");
    report.check("crane pushes an image", || {
        let pushed = text(&mut crane(bench, &["push", &bench.image.path(), &image]))?;
        ensure!(pushed.ends_with(&bench.image.digest()?), "{pushed}");
        Ok(())
    });
    report.check("crane pushes an index", || {
        output(&mut crane(
            bench,
            &["push", "--index", &bench.index.path(), &index],
        ))?;
        Ok(())
    });
    report.check("crane tells the digest", || {
        ensure!(text(&mut crane(bench, &["digest", &image]))? == bench.image.digest()?);
        Ok(())
    });
    report.check("crane reads the manifest as it was pushed", || {
        let manifest = output(&mut crane(bench, &["manifest", &image]))?;
        ensure!(
            manifest.trim_ascii_end() == bench.image.manifest()?,
            "the bytes differ"
        );
        Ok(())
    });
    report.check("crane pulls an image, byte for byte", || {
        let pulled = Layout::at(bench.path("crane-image"));
        output(&mut crane(
            bench,
            &["pull", "--format=oci", &image, &pulled.path()],
        ))?;
        pulled.is_same_as(&bench.image)
    });
    report.check("crane validates every layer", || {
        output(&mut crane(bench, &["validate", "--remote", &image]))?;
        Ok(())
    });
    report.check("crane copies an index across repositories", || {
        output(&mut crane(bench, &["copy", &index, &copy]))?;
        let digest = |name: &str| text(&mut crane(bench, &["digest", name]));
        ensure!(digest(&copy)? == digest(&index)?, "the digests differ");
        Ok(())
    });
    report.check(
        "crane appends a layer to nothing, as Docker's schema 2",
        || {
            let layer = bench.path("layer.tar");
            fs::write(&layer, tar("file", b"of a docker image")?)?;
            let appended = bench.remote("crane/docker:v1");
            let layer = layer.to_string_lossy();
            output(&mut crane(
                bench,
                &["append", "-f", &layer, "-t", &appended],
            ))?;
            let manifest = text(&mut crane(bench, &["manifest", &appended]))?;
            ensure!(
                manifest.contains("application/vnd.docker.distribution.manifest.v2+json"),
                "{manifest}"
            );
            output(&mut crane(bench, &["validate", "--remote", &appended]))?;
            Ok(())
        },
    );
    report.check("crane tags and lists", || {
        output(&mut crane(bench, &["tag", &image, "latest"]))?;
        let tags = text(&mut crane(bench, &["ls", &bench.remote("crane/image")]))?;
        ensure!(tags == "latest\nv1", "{tags}");
        Ok(())
    });
    report.check("crane lists the catalog", || {
        let catalog = text(&mut crane(bench, &["catalog", &bench.address]))?;
        for name in ["crane/copy", "crane/docker", "crane/image", "crane/index"] {
            ensure!(
                catalog.lines().any(|line| line == name),
                "{name} is not in {catalog}"
            );
        }
        Ok(())
    });
    report.check("crane is told that tags are not deleted", || {
        is_refused(
            &mut crane(bench, &["delete", &image]),
            "tag_deletion = true",
        )
    });
    report.check("crane deletes an image by digest", || {
        let image = format!("{}@{}", bench.remote("crane/image"), bench.image.digest()?);
        output(&mut crane(bench, &["delete", &image]))?;
        is_refused(&mut crane(bench, &["manifest", &image]), "MANIFEST_UNKNOWN")
    });
}

fn crane(bench: &Bench, arguments: &[&str]) -> Command {
    let program = tools::path("crane");
    bench.client(
        &program.to_string_lossy(),
        &[&["--insecure"], arguments].concat(),
    )
}
