use std::fs;
use std::process::Command;

use anyhow::ensure;

use super::{Session, is_not_allowed};
use crate::clients::Report;
use crate::command::output;
use crate::tools;

pub(super) fn checks(session: &Session<'_>, report: &mut Report) {
    let (team, other) = (
        session.remote("team", "oras"),
        session.remote("other", "oras"),
    );
    let file = "login.txt:text/plain";
    report.check(&session.named("oras pulls nothing without a login"), || {
        fs::write(session.bench.path("login.txt"), "a document\n")?;
        is_not_allowed(&mut oras(session, "pull", &[&team]))
    });
    report.check(
        &session.named("oras logs in with no wrong password"),
        || is_not_allowed(&mut login(session, "wrong password")),
    );
    report.check(&session.named("oras logs in"), || {
        output(&mut login(session, &session.password)).map(drop)
    });
    report.check(&session.named("oras pushes and pulls after that"), || {
        output(&mut oras(session, "push", &[&team, file]))?;
        let pulled = session.path("oras-pulled");
        let folder = pulled.to_string_lossy();
        output(&mut oras(session, "pull", &["--output", &folder, &team]))?;
        ensure!(fs::read(pulled.join("login.txt"))? == b"a document\n");
        Ok(())
    });
    report.check(&session.named("oras pushes not where it may not"), || {
        is_not_allowed(&mut oras(session, "push", &[&other, file]))
    });
}

fn login(session: &Session<'_>, password: &str) -> Command {
    let credentials = ["--username", &session.user, "--password", password];
    let arguments = [&credentials[..], &[session.address()]].concat();
    oras(session, "login", &arguments)
}

fn oras(session: &Session<'_>, command: &str, arguments: &[&str]) -> Command {
    let config = session.path("oras-config.json");
    let config = config.to_string_lossy();
    let mut all = vec![command, "--registry-config", &config];
    if !session.flow.tls {
        all.push("--plain-http");
    }
    all.extend(arguments);
    session.client(&tools::path("oras").to_string_lossy(), &all)
}
