//! How other processes have a server look after the data folder that it serves: a socket in that
//! folder, over which a client sends one task as a line of JSON and reads messages, a line each,
//! until the last one.

mod client;
mod server;
mod socket;

use berth_progress::Progress;
use serde::{Deserialize, Serialize};

use crate::upkeep::Outcome;

pub(crate) use client::ask;
pub(crate) use server::ControlSocket;

/// What a server tells a client.
#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
enum Message {
    /// How far the task has come.
    Progress(Progress),
    /// Something that the task came upon.
    Finding(String),
    /// What came of it; the last message.
    Done(Outcome),
    /// Why nothing came of it; the last message.
    Failed(String),
}
