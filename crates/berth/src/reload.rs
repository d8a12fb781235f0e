use std::time::Duration;

use anyhow::Context;
use berth_tls::TlsAcceptor;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinHandle;
use tracing::info;

/// How often the files of TLS are looked at.
const INTERVAL: Duration = Duration::from_secs(2);

/// Takes new files of TLS into use: when they change, and at once on SIGHUP. Ends when this is dropped.
pub(crate) struct Reload(JoinHandle<()>);

impl Reload {
    /// From here on, SIGHUP no longer ends the process, with TLS or without.
    pub(crate) fn start(tls: Option<TlsAcceptor>) -> anyhow::Result<Self> {
        let hang_up = signal(SignalKind::hangup()).context("cannot listen for signals")?;
        Ok(Self(tokio::spawn(async move {
            match tls {
                Some(tls) => drop(tokio::join!(tls.watch(INTERVAL), on_signals(&tls, hang_up))),
                None => ignore(hang_up).await,
            }
        })))
    }
}

impl Drop for Reload {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn on_signals(tls: &TlsAcceptor, mut hang_up: Signal) {
    while hang_up.recv().await.is_some() {
        tls.reload().await;
    }
}

async fn ignore(mut hang_up: Signal) {
    while hang_up.recv().await.is_some() {
        info!("SIGHUP loads the files of TLS again, and there are none");
    }
}
