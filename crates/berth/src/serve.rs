use std::io::{Write, stdout};
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context;
use berth_audit::AuditLog;
use berth_auth::Gate;
use berth_http::Setup;
use berth_tls::TlsAcceptor;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::oneshot;
use tokio::time::timeout;
use tracing::{info, warn};

use crate::authentication::Authentication;
use crate::config::Config;
use crate::control::ControlSocket;
use crate::place::Place;
use crate::reload::Reload;
use crate::signals::StopSignals;
use crate::upkeep::Upkeep;
use crate::{audit, authentication, exposure, file_handles, logs, pulls, rules, schedule};

/// How long work that nobody waits for any more may hold up the end of the process.
const END_TIMEOUT: Duration = Duration::from_secs(5);

/// Serves the registry until a signal ends it.
pub(crate) fn serve(config: Config) -> anyhow::Result<()> {
    let _logs = logs::start(&config)?;
    rules::check(&config)?;
    pulls::check(&config)?;
    for group in rules::unknown_groups(&config)? {
        warn!(group, "a rule names a group that nobody can be in");
    }
    let tls = config.tls()?.map(TlsAcceptor::load).transpose()?;
    file_handles::allow_all();
    // Before the data folder is touched, and closed after the last request has ended.
    let (audit, _thread) = audit::open(&config)?;
    let place = Place::of(&config)?;
    let claim = place.claim()?;
    let runtime = Runtime::new().context("cannot start the runtime")?;
    let stores = runtime.block_on(claim.open(&config))?;
    let upkeep = Upkeep::new(stores, &config, audit.clone())?;
    let had_accounts = runtime.block_on(upkeep.had_accounts())?;
    exposure::check(&config, authentication::is_on(&config, had_accounts))?;
    let authentication = Authentication::new(&config, &upkeep.accounts(), had_accounts)?;
    let upkeep = match authentication.gate.is_open() {
        true => upkeep.of_open_server(),
        false => upkeep,
    };
    let served = runtime.block_on(listen(upkeep, tls, authentication, audit, &place, &config));
    runtime.shutdown_timeout(END_TIMEOUT);
    // The lock goes with the process: a thread that still writes must not meet another process.
    std::mem::forget(claim);
    served
}

async fn listen(
    upkeep: Upkeep,
    tls: Option<TlsAcceptor>,
    authentication: Authentication,
    audit: Option<AuditLog>,
    place: &Place,
    config: &Config,
) -> anyhow::Result<()> {
    let mut signals = StopSignals::listen()?;
    let registry = pulls::prepare(upkeep.registry.clone(), &upkeep.blobs, config).await?;
    let address = config.listen.0;
    let listener = TcpListener::bind(address).await.with_context(|| {
        format!("cannot listen on {address}; another address or port can be chosen with --listen")
    })?;
    // Commands need none where they can do it themselves beside this process.
    let control = match place {
        Place::Folder(path) => Some(ControlSocket::bind(path)),
        Place::Shared(_) => None,
    };
    let reload = Reload::start(tls.clone())?;
    let Authentication { gate, htpasswd } = authentication;
    greet(listener.local_addr()?, tls.is_some(), &gate, place, config);
    let passwords = tokio::spawn(authentication::watch(htpasswd));
    let setup = Setup {
        gate,
        audit,
        limits: config.limits(),
        origins: config.origins(),
        ..Setup::new(registry)
    };
    let tasks = tokio::spawn(take_tasks(control, upkeep.clone()));
    let (collect_every, verify_rate) = (config.collection_interval.0, config.verification_rate.0);
    let schedule = tokio::spawn(schedule::run(upkeep.clone(), collect_every, verify_rate));
    let (stop, stopped) = oneshot::channel();
    let serving = berth_http::serve(listener, tls, setup, async move {
        // An error says as well that it is time.
        let _ = stopped.await;
    });
    let stopping = async {
        signals.next().await;
        let _ = stop.send(());
        signals.next().await;
    };
    tokio::select! {
        () = serving => info!("stopped"),
        () = stopping => warn!("stopped at once: a second signal came"),
    }
    tasks.abort();
    schedule.abort();
    passwords.abort();
    drop(reload);
    // Or something would be done and not recorded.
    if timeout(END_TIMEOUT, upkeep.end_changes()).await.is_err() {
        warn!("stopped before a change of accounts was done");
    }
    Ok(())
}

/// Pushes and pulls do not need that, so a file system without sockets is no reason not to serve.
async fn take_tasks(control: Option<anyhow::Result<ControlSocket>>, upkeep: Upkeep) {
    match control {
        None => {}
        Some(Ok(control)) => control.serve(upkeep).await,
        Some(Err(error)) => warn!(
            error = format!("{error:#}"),
            "takes no tasks of other processes"
        ),
    }
}

fn greet(address: SocketAddr, is_tls: bool, gate: &Gate, place: &Place, config: &Config) {
    let (scheme, verify) = match is_tls {
        true => ("https", ""),
        false => ("http", "--dest-tls-verify=false "),
    };
    // Whoever started the server may have closed its output: that is no reason not to serve.
    let _ = writeln!(
        stdout(),
        "berth listens on {scheme}://{address} and keeps its data in {place}\n\
         try: docker tag alpine {address}/alpine && docker push {address}/alpine\n \
         or: skopeo copy {verify}oci:FOLDER docker://{address}/alpine:latest"
    );
    let authentication = !gate.is_open();
    if authentication && !is_tls {
        for warning in exposure::warnings(config) {
            warn!("{warning}");
        }
    }
    info!(%address, tls = is_tls, authentication, data = %place, "listening");
    if gate.is_open() && !address.ip().is_loopback() {
        warn!(
            "everyone who reaches {address} can push, pull and delete: authentication is off; htpasswd = \"FILE\" or \
             berth user add turns it on, at the next start"
        );
    }
}
