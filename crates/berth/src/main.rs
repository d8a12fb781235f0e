//! berth, an OCI registry: configuration, wiring, logs and signals. What it does is in the layers
//! below; see `docs/architecture.md`.
#![forbid(unsafe_code)]

mod accounts;
mod allocator;
mod audit;
mod authentication;
mod blob_storage;
mod commands;
mod config;
mod control;
mod data_folder;
mod exposure;
mod file_handles;
mod json_lines;
mod log_writer;
mod logs;
mod place;
mod pulls;
mod reload;
mod rules;
mod schedule;
mod serve;
mod signals;
mod terminal;
mod upkeep;

use std::io::{self, ErrorKind, Write};
use std::process::ExitCode;

use anyhow::Context;
use clap::{ArgMatches, CommandFactory, FromArgMatches, Parser, Subcommand};
use commands::{
    BackupCommand, ExportCommand, Gc, ImportCommand, KeyCommand, MigrateCommand, RestoreCommand,
    TokenCommand, UserCommand, VerifyCommand,
};
use config::{Configured, Sources};

/// An OCI registry: docker push, skopeo copy, podman pull, helm push and oras talk to it.
#[derive(Parser)]
#[command(name = "berth", version, propagate_version = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve the registry until SIGTERM or Ctrl-C.
    Serve(Sources),
    /// Print the options as they would be in effect, in the form of a configuration file.
    Config(Sources),
    /// Collect garbage: in the server that serves the folder, if there is one, or else at once.
    Gc(Gc),
    /// Compare all that is stored with its digests and with what needs it; fail if something is wrong.
    Verify(VerifyCommand),
    /// Copy all that is stored at this moment into a folder, while the server goes on serving.
    Backup(BackupCommand),
    /// Make a data folder of a backup, and verify it.
    Restore(RestoreCommand),
    /// Bring what another registry wrote into this one: into the server that serves it, if there is one, or else at once.
    Import(ImportCommand),
    /// Write repositories into a folder, as OCI image layouts, while the server goes on serving.
    Export(ExportCommand),
    /// Make another registry what this one is, with accounts: in another folder, or on a database and a bucket.
    Migrate(MigrateCommand),
    /// Add, list and remove users with a password.
    User(UserCommand),
    /// Add, list and revoke the tokens with which programs come in.
    Token(TokenCommand),
    /// List and rotate the keys that sign the registry's own tokens.
    Key(KeyCommand),
}

fn main() -> ExitCode {
    allocator::keep_freed_memory();
    match run() {
        Ok(code) => code,
        Err(error) => {
            // There is nobody else to tell if standard error cannot be written to.
            let _ = writeln!(io::stderr(), "berth: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> anyhow::Result<ExitCode> {
    let matches = Cli::command()
        .try_get_matches()
        .unwrap_or_else(|error| config::exit_with(&error));
    let cli = Cli::from_arg_matches(&matches)?;
    let options = matches.subcommand().map(|(_, options)| options);
    match cli.command {
        Command::Serve(sources) => serve::serve(Configured::load(sources, options)?.config)?,
        Command::Config(sources) => print(&Configured::load(sources, options)?)?,
        Command::Gc(gc) => return gc.run(options),
        Command::Verify(verify) => return verify.run(options),
        Command::Backup(backup) => return backup.run(options),
        Command::Restore(restore) => return restore.run(options),
        Command::Import(import) => return import.run(innermost(options)),
        Command::Export(export) => return export.run(options),
        Command::Migrate(migrate) => return migrate.run(),
        Command::User(user) => return user.run(innermost(options)),
        Command::Token(token) => return token.run(innermost(options)),
        Command::Key(key) => return key.run(innermost(options)),
    }
    Ok(ExitCode::SUCCESS)
}

/// The options of the subcommand of a subcommand.
fn innermost(options: Option<&ArgMatches>) -> Option<&ArgMatches> {
    options?.subcommand().map(|(_, options)| options)
}

fn print(configured: &Configured) -> anyhow::Result<()> {
    let mut output = io::stdout();
    let printed = write!(output, "{configured}").and_then(|()| output.flush());
    match printed {
        // Whoever reads has read enough.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        printed => printed.context("cannot print the options to standard output"),
    }
}
