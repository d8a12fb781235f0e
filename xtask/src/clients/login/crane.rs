use std::process::Command;

use anyhow::ensure;

use super::{Session, is_not_allowed};
use crate::clients::layout::Layout;
use crate::clients::{Report, text};
use crate::command::output;
use crate::tools;

pub(super) fn checks(session: &Session<'_>, report: &mut Report) {
    let image = &session.bench.image;
    let (path, team) = (image.path(), session.remote("team", "crane"));
    let public = session.remote("public", "crane");
    report.check(
        &session.named("crane pulls nothing without a login"),
        || is_not_allowed(&mut crane(session, &["manifest", &team])),
    );
    report.check(&session.named("crane logs in"), || {
        output(&mut login(session)).map(drop)
    });
    report.check(&session.named("crane pushes and pulls after that"), || {
        output(&mut crane(session, &["push", &path, &team]))?;
        let pulled = Layout::at(session.path("crane-pulled"));
        let arguments = ["pull", "--format=oci", &team, &pulled.path()];
        output(&mut crane(session, &arguments))?;
        pulled.is_same_as(image)
    });
    report.check(&session.named("crane copies across repositories"), || {
        let copy = session.remote("team/copy", "crane");
        output(&mut crane(session, &["copy", &team, &copy]))?;
        ensure!(text(&mut crane(session, &["digest", &copy]))? == image.digest()?);
        Ok(())
    });
    report.check(&session.named("crane pushes not where it may not"), || {
        let other = session.remote("other", "crane");
        is_not_allowed(&mut crane(session, &["push", &path, &other]))
    });
    report.check(
        &session.named("crane deletes not where it may only push"),
        || {
            let repository = team
                .rsplit_once(':')
                .map_or(team.as_str(), |(name, _)| name);
            let manifest = format!("{repository}@{}", image.digest()?);
            is_not_allowed(&mut crane(session, &["delete", &manifest]))
        },
    );
    if session.may_push_to_public() {
        report.check(
            &session.named("crane pulls what is public after a logout"),
            || {
                output(&mut crane(session, &["push", &path, &public]))?;
                output(&mut crane(session, &["auth", "logout", session.address()]))?;
                ensure!(text(&mut crane(session, &["digest", &public]))? == image.digest()?);
                is_not_allowed(&mut crane(session, &["digest", &team]))
            },
        );
    }
}

fn login(session: &Session<'_>) -> Command {
    let (user, password) = (session.user.as_str(), session.password.as_str());
    let credentials = ["--username", user, "--password", password];
    let arguments = [&["auth", "login"], &credentials[..], &[session.address()]].concat();
    crane(session, &arguments)
}

fn crane(session: &Session<'_>, arguments: &[&str]) -> Command {
    let program = tools::path("crane");
    let mut command = session.client(&program.to_string_lossy(), arguments);
    command.env("DOCKER_CONFIG", session.path("crane-config"));
    command
}
