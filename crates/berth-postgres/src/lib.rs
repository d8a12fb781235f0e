//! Transactional metadata of an OCI registry on PostgreSQL, for any number of replicas at once.
//!
//! [`PostgresMetadata`] implements the traits of [`berth_metadata`] and passes the same contract suites as SQLite. It also has
//! the leases by which replicas agree on who works on an upload session.
//!
//! ```no_run
//! use berth_metadata::{Blob, MetadataStore};
//! use berth_postgres::{PostgresMetadata, PostgresOptions};
//! use berth_spec::{Digest, RepositoryName};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let url = std::env::var("DATABASE_URL")?.into();
//! let metadata = PostgresMetadata::open(&url, &PostgresOptions::default())?;
//!
//! let alpine: RepositoryName = "library/alpine".parse()?;
//! let blob = Blob::new(Digest::sha256(b"layer"), 5);
//! metadata.link_blob(&alpine, &blob, None).await?;
//! # Ok(())
//! # }
//! ```
//!
//! # Changes at the same time
//!
//! SQLite has one writer, so its changes come one after another without asking. Here they do so where they must, by locks of rows, in
//! transactions that are READ COMMITTED: each statement sees what was committed before it began, so what is looked at after a
//! lock was got is as new as the lock. (SERIALIZABLE would need no locks. But every change of a repository changes how much
//! that holds, so of those that come together all but one would be rolled back and done again; whoever waits for a lock does
//! it once.)
//!
//! Locks are asked for in one order, so nobody waits in a circle:
//!
//! 1. **The repository** that is changed (`FOR NO KEY UPDATE` of its row). So two pushes into one repository, deletions
//!    against pushes, conditions, immutable tags and quotas are decided one after another. Different repositories do not wait for
//!    each other.
//! 2. **Blobs**, in the order of their digests. Whoever needs a blob (the end of an upload, a mount, a `HEAD`, the push of a manifest)
//!    holds `FOR KEY SHARE`, as many may at once, until its link is committed (at the end of an upload to a bucket, which changes
//!    which generation is meant, `FOR NO KEY UPDATE`, one at a time). Whoever wants to condemn or forget it
//!    asks for it alone (`FOR UPDATE`), and only then, by another statement, looks who uses it. So one of the two sees what
//!    the other did. Who finds a blob condemned takes it back while it holds it.
//! 3. **Namespaces** with a quota, in the order of their names, by the trigger that counts. What they hold does not change from then on until the
//!    end of the transaction, so what is compared with the quota is true. Pushes into such a namespace wait for each other.
//!
//! Before all of these, whoever records or forsakes a publication of a blob, a generation, locks a number made of it
//! (advisory lock). So a generation is either recorded or forsaken, and never both; the row of the blob could not decide that, since there
//! need be none.
//!
//! | operation | locks |
//! |---|---|
//! | end of an upload | generation, repository, blobs |
//! | forsake | generations, by their numbers |
//! | mount, push of a manifest, deletion of a blob from a repository | repository, blobs |
//! | deletions of manifests and tags, by clients and by retention | repository |
//! | `HEAD` that renews a promise | blob |
//! | condemn | blobs, alone |
//! | forget | one at a time (advisory lock); all repositories that are linked to them, by id; blobs, alone |
//! | first count of a namespace | the table of namespaces, against all that counts |
//! | upload sessions and their leases, users, tokens | none: each is one statement |
//! | signing keys | their table |
//! | turns | one row, passed over by whoever finds it locked |
//!
//! Between looking for what to lock and locking it, another change may come: then the transaction is done again. It is as well after a
//! deadlock (40P01) or a serialization failure (40001), a few times with waits between; the tests see to it that the order
//! above leaves none. Diesel tells a deadlock by its text alone, so with a server whose messages are not English it is an error instead.
//!
//! Reads take no locks. One that takes several statements sees one state (REPEATABLE READ).
//!
//! # No cache
//!
//! `SqliteMetadata` keeps manifests and tags in memory, since its one writer can say what has changed. A replica cannot know what another has
//! changed, so here every read asks the database: a `GET` of a manifest, by tag or by digest, is one statement, and never older
//! than the last answered write of any replica. Only one thing is remembered: which namespaces have been counted, which stays true.
//!
//! # Time
//!
//! Times are those of the replica that writes. A link that is renewed never gets an older time, so a clock that is behind
//! shortens no promise that another replica gave. Turns go by the clock of the database alone. Clocks may differ by as much as is small beside the grace period of collection.
//!
//! # Leases of upload sessions
//!
//! Who works on an upload session is in its row ([`UploadLeases`](berth_metadata::UploadLeases)): the holder, until when by the
//! database's clock, and of which revision. Taking a session is one statement, which raises the revision; a lease is of one
//! revision, so whatever changes the session ends it, without a statement of its own. The revision keeps out a replica that was paused and
//! wakes late, so none may be given twice, not even where the last changes are lost (see Failover): the raised one is not below the time
//! of the database in milliseconds, and whoever goes by a lease changes nothing if another holder took the session last. Renewing a lease and giving
//! it back need not be durable, and are not waited for (`synchronous_commit = off` in that transaction): what is lost of them makes somebody
//! wait, or ask once more.
//!
//! # Durability
//!
//! An answer comes after the commit, and a commit after the write-ahead log is on the server's disk: sessions that would have
//! `synchronous_commit = off` set it to `on`. `local`, `remote_write` and `remote_apply` are left as the database's owner has chosen, and stay
//! in a session as they were when it began. A server with `fsync = off` is warned about in the log.
//!
//! # Failover
//!
//! Only a primary is used (`target_session_attrs=primary`), whatever hosts the URL has: a standby would answer what was true some
//! time ago. While no primary can be reached, work fails after [`PostgresOptions::reach_timeout`]; it goes on with the next one by itself.
//!
//! A standby that was replicated to **asynchronously** lacks the last commits when it takes over, and what berth had acknowledged in
//! them is gone: tags and manifests of the last pushes, users, revoked tokens that are good again. Their blobs are in the bucket still, without
//! records. And what was removed in them has records again, but no bytes: `berth verify` tells of these; a push of the image mends them, since a blob whose
//! bytes are missing is unknown to whoever asks for it. So have the server wait for a standby (`synchronous_standby_names`, with
//! `synchronous_commit` at `on` or `remote_apply`), as managed databases do within a region: then nothing acknowledged is lost. The wait of a commit for
//! its standby has no end in PostgreSQL, and no timeout of berth's sessions ends it. The same holds for a database that is restored from a backup or to an earlier time.
//!
//! # Connections
//!
//! A pool of [`PostgresOptions::connections`] serves work on tokio's blocking threads; whoever finds all taken waits on the
//! async side, for 15 seconds at most. Changes take no more than three quarters of them: they wait for each other's locks, and reads wait for
//! nobody. Each session has a `statement_timeout`, a `lock_timeout` and an `idle_in_transaction_session_timeout`. When a connection turns out to
//! be lost, the work is done again on another one, unless it was being committed: then nobody knows, and the error says so. (Asking the
//! server later what became of a transaction would be no answer after a failover: another primary may have given its number to another one.)
//! While the server cannot be reached, work waits for it, and opening too ([`PostgresOptions::reach_timeout`]). A server that is silent is asked by the system whether it is there, after 10
//! seconds and then every 5, and given up after 30; one whose system answers and whose PostgreSQL hangs is waited for. A proxy that gives each
//! transaction another session (PgBouncer's transaction mode) is not supported: settings and prepared statements belong to sessions.
//!
//! # TLS
//!
//! libpq is compiled in, so nothing is to be installed, and it has no TLS (OpenSSL would take as long to build as all else together). A relay
//! in this process has, by rustls: libpq connects to it over a socket in a folder of its own (under `TMPDIR`) that only this user may enter. Whoever may is
//! where he would be if he reached the server itself: he has to log in. Which servers it connects to comes from the URL:
//!
//! | `sslmode` | |
//! |---|---|
//! | none | as `verify-full`, if a host is not this machine; sockets, `localhost` and loopback addresses in the clear |
//! | `disable` | in the clear |
//! | `require` | TLS with whoever answers, which is warned about; with `sslrootcert=FILE`, as `verify-ca` |
//! | `verify-ca` | with whoever has a certificate of the authorities in `sslrootcert=FILE`, for whatever host |
//! | `verify-full` | with whoever has one for the host in the URL, of these authorities, or of those of the system (or of `SSL_CERT_FILE`) |
//! | `prefer`, `allow` | refused: whoever is on the way could turn TLS off |
//!
//! A server that offers no TLS is never spoken to in the clear, except with `disable`. Of several hosts, the next one is tried when one cannot be trusted. TLS 1.2 and
//! 1.3; the name must be among the certificate's alternative names. Authorities are read when the database is opened. What else begins with `ssl` in the
//! URL, certificates of clients among it, is refused rather than ignored, and so is `hostaddr`; `PGSSLMODE` and the like are not read. Logging in is by SCRAM without binding to the channel, so
//! `channel_binding=require` fails. In a password file (`PGPASSFILE`), the host of such a database is `*`.
//!
//! # Upgrades
//!
//! `migrations/postgres` is compiled in. [`PostgresMetadata::open`] runs what is missing under an advisory lock: of replicas that
//! start together, one does so. A database that a newer version has changed is refused, as with SQLite. Replicas that are
//! running already go on, since their statements name the columns that they use: a migration that only adds (tables, columns
//! that are nullable or have a default, indexes) may run beside them. One that changes or removes something must be split into
//! two versions, of which the first no longer needs it.
#![forbid(unsafe_code)]

mod accounts;
mod address;
mod blobs;
mod collection;
mod connections;
mod damages;
mod database_url;
mod failure;
mod generations;
mod inspection;
mod leases;
mod lists;
mod manifests;
mod metadata;
mod migrations;
#[cfg(test)]
mod plan;
mod recount;
mod registry;
mod repositories;
mod retention;
#[cfg(feature = "test-server")]
pub mod test_server;
mod texts;
mod tls;
mod transactions;
mod turns;
mod uploads;
mod url_parts;
mod usage;
mod users;

use std::time::SystemTime;

use berth_metadata::sql::stored::milliseconds;

pub use database_url::DatabaseUrl;
pub use metadata::{PostgresMetadata, PostgresOptions};

/// The time that rows are stamped with.
fn now() -> i64 {
    milliseconds(SystemTime::now())
}
