use std::process::Command;

use super::{Session, is_not_allowed};
use crate::clients::Report;
use crate::clients::layout::Layout;
use crate::command::output;

pub(super) fn checks(session: &Session<'_>, report: &mut Report) {
    let image = &session.bench.image;
    let from = format!("oci:{}:v1", image.path());
    let team = docker(session, "team");
    let password = session.password.as_str();
    report.check(
        &session.named("skopeo pulls nothing without a login"),
        || {
            let to = format!("dir:{}", session.path("skopeo-nothing").display());
            is_not_allowed(&mut copy(session, &team, &to))
        },
    );
    report.check(
        &session.named("skopeo logs in with no wrong password"),
        || is_not_allowed(&mut login(session, "wrong password")),
    );
    report.check(&session.named("skopeo logs in"), || {
        output(&mut login(session, password)).map(drop)
    });
    report.check(&session.named("skopeo pushes and pulls after that"), || {
        output(&mut copy(session, &from, &team))?;
        let pulled = Layout::at(session.path("skopeo-pulled"));
        let to = format!("oci:{}:v1", pulled.path());
        output(&mut copy(session, &team, &to))?;
        pulled.is_same_as(image)
    });
    report.check(&session.named("skopeo pushes not where it may not"), || {
        is_not_allowed(&mut copy(session, &from, &docker(session, "other")))
    });
    report.check(&session.named("skopeo logs out"), || {
        let authfile = authfile(session);
        let arguments = ["logout", "--authfile", &authfile, session.address()];
        output(&mut session.client("skopeo", &arguments))?;
        let to = format!("dir:{}", session.path("skopeo-nothing").display());
        is_not_allowed(&mut copy(session, &team, &to))
    });
}

fn docker(session: &Session<'_>, name: &str) -> String {
    format!("docker://{}", session.remote(name, "skopeo"))
}

fn login(session: &Session<'_>, password: &str) -> Command {
    let authfile = authfile(session);
    let arguments = [
        "login",
        "--authfile",
        &authfile,
        &verify(session, "--tls-verify"),
        "--username",
        &session.user,
        "--password",
        password,
        session.address(),
    ];
    session.client("skopeo", &arguments)
}

fn copy(session: &Session<'_>, from: &str, to: &str) -> Command {
    let authfile = authfile(session);
    let arguments = [
        "--insecure-policy",
        "copy",
        "--all",
        "--authfile",
        &authfile,
        &verify(session, "--src-tls-verify"),
        &verify(session, "--dest-tls-verify"),
        from,
        to,
    ];
    session.client("skopeo", &arguments)
}

/// An option that is on where the server has a certificate.
fn verify(session: &Session<'_>, option: &str) -> String {
    format!("{option}={}", session.flow.tls)
}

fn authfile(session: &Session<'_>) -> String {
    let path = session.path("skopeo-auth.json");
    path.to_string_lossy().into_owned()
}
