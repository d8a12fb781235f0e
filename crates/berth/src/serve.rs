use std::io::{Write, stdout};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use anyhow::Context;
use berth_blob::FilesystemBlobs;
use berth_metadata::SqliteMetadata;
use berth_registry::Registry;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::oneshot;
use tokio::time::{MissedTickBehavior, interval};
use tracing::{info, warn};

use crate::config::Config;
use crate::data_folder::DataFolder;
use crate::file_handles;
use crate::logs;
use crate::signals::StopSignals;

/// How often upload sessions are looked through for those whose time has run out.
const EXPIRY_INTERVAL: Duration = Duration::from_secs(60);

/// After how many of these bytes are looked for that belong to no session.
const ORPHANS_EVERY: u64 = 60;

/// How long work that nobody waits for any more may hold up the end of the process.
const END_TIMEOUT: Duration = Duration::from_secs(5);

/// Serves the registry until a signal ends it.
pub(crate) fn serve(config: Config) -> anyhow::Result<()> {
    let _logs = logs::start(&config)?;
    file_handles::allow_all();
    let folder = DataFolder::claim(&config.data)?;
    let registry = open(&folder, &config)?;
    let runtime = Runtime::new().context("cannot start the runtime")?;
    let served = runtime.block_on(listen(registry, &config));
    runtime.shutdown_timeout(END_TIMEOUT);
    // The lock goes with the process: a thread that still writes must not meet another process.
    std::mem::forget(folder);
    served
}

fn open(folder: &DataFolder, config: &Config) -> anyhow::Result<Registry> {
    let shown = config.data.display();
    let metadata = SqliteMetadata::open(&folder.metadata())
        .with_context(|| format!("cannot open the metadata in {shown}"))?;
    let blobs = FilesystemBlobs::open(folder.blobs())
        .with_context(|| format!("cannot open the blobs in {shown}"))?;
    Ok(Registry::new(
        Arc::new(metadata),
        Arc::new(blobs),
        config.settings(),
    ))
}

async fn listen(registry: Registry, config: &Config) -> anyhow::Result<()> {
    let mut signals = StopSignals::listen()?;
    let address = config.listen.0;
    let listener = TcpListener::bind(address).await.with_context(|| {
        format!("cannot listen on {address}; another address or port can be chosen with --listen")
    })?;
    greet(listener.local_addr()?, config);
    let expiry = tokio::spawn(expire_uploads(registry.clone()));
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
    expiry.abort();
    Ok(())
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

async fn expire_uploads(registry: Registry) {
    let mut ticks = interval(EXPIRY_INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for tick in 0u64.. {
        ticks.tick().await;
        match registry.expire_uploads(SystemTime::now()).await {
            Ok(0) => {}
            Ok(sessions) => info!(sessions, "removed expired upload sessions"),
            Err(error) => warn!(%error, "cannot remove expired upload sessions"),
        }
        if tick % ORPHANS_EVERY != 0 {
            continue;
        }
        match registry.remove_orphaned_uploads().await {
            Ok(0) => {}
            Ok(orphans) => info!(orphans, "removed bytes of no upload session"),
            Err(error) => warn!(%error, "cannot remove bytes of no upload session"),
        }
    }
}
