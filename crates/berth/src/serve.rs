use std::io::{Write, stdout};
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context;
use berth_audit::{AuditLog, AuditThread};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::oneshot;
use tracing::{info, warn};

use crate::config::Config;
use crate::control::ControlSocket;
use crate::data_folder::DataFolder;
use crate::signals::StopSignals;
use crate::upkeep::Upkeep;
use crate::{file_handles, logs, schedule};

/// How long work that nobody waits for any more may hold up the end of the process.
const END_TIMEOUT: Duration = Duration::from_secs(5);

/// Serves the registry until a signal ends it.
pub(crate) fn serve(config: Config) -> anyhow::Result<()> {
    let _logs = logs::start(&config)?;
    file_handles::allow_all();
    // Before the data folder is touched, and closed after the last request has ended.
    let _audit = open_audit_log(&config)?;
    let folder = DataFolder::claim(&config.data)?;
    let upkeep = Upkeep::open(&folder, &config)?;
    let runtime = Runtime::new().context("cannot start the runtime")?;
    let served = runtime.block_on(listen(upkeep, &config));
    runtime.shutdown_timeout(END_TIMEOUT);
    // The lock goes with the process: a thread that still writes must not meet another process.
    std::mem::forget(folder);
    served
}

fn open_audit_log(config: &Config) -> anyhow::Result<Option<(AuditLog, AuditThread)>> {
    let Some((path, settings)) = config.audit()? else {
        return Ok(None);
    };
    Ok(Some(AuditLog::open(path, settings)?))
}

async fn listen(upkeep: Upkeep, config: &Config) -> anyhow::Result<()> {
    let mut signals = StopSignals::listen()?;
    let address = config.listen.0;
    let listener = TcpListener::bind(address).await.with_context(|| {
        format!("cannot listen on {address}; another address or port can be chosen with --listen")
    })?;
    let control = ControlSocket::bind(&config.data);
    greet(listener.local_addr()?, config);
    let registry = upkeep.registry.clone();
    let tasks = tokio::spawn(take_tasks(control, upkeep.clone()));
    let (collect_every, verify_rate) = (config.collection_interval.0, config.verification_rate.0);
    let schedule = tokio::spawn(schedule::run(upkeep, collect_every, verify_rate));
    let (stop, stopped) = oneshot::channel();
    let serving = berth_http::serve(listener, registry, config.limits(), async move {
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
    Ok(())
}

/// Pushes and pulls do not need that, so a file system without sockets is no reason not to serve.
async fn take_tasks(control: anyhow::Result<ControlSocket>, upkeep: Upkeep) {
    match control {
        Ok(control) => control.serve(upkeep).await,
        Err(error) => warn!(
            error = format!("{error:#}"),
            "takes no tasks of other processes"
        ),
    }
}

fn greet(address: SocketAddr, config: &Config) {
    let data = config.data.display();
    // Whoever started the server may have closed its output: that is no reason not to serve.
    let _ = writeln!(
        stdout(),
        "berth listens on http://{address} and keeps its data in {data}\n\
         try: docker tag alpine {address}/alpine && docker push {address}/alpine\n \
         or: skopeo copy --dest-tls-verify=false oci:FOLDER docker://{address}/alpine:latest"
    );
    info!(%address, %data, "listening");
    if !address.ip().is_loopback() {
        warn!(
            "everyone who reaches {address} can push, pull and delete: there is no authentication yet"
        );
    }
}
