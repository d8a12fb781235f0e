//! The contract suites, over PostgreSQL.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use berth_metadata::contract;
use berth_postgres::test_server::TestServer;
use berth_postgres::{PostgresMetadata, PostgresOptions};

fn postgres() -> (PostgresMetadata, Arc<TestServer>) {
    let server = TestServer::shared();
    let store = PostgresMetadata::open(&server.database(), &PostgresOptions::default());
    (store.unwrap(), server)
}

#[tokio::test]
async fn postgres_keeps_the_contract() {
    let (store, _server) = postgres();
    contract::metadata_store(&store).await;
}

#[tokio::test]
async fn postgres_keeps_the_contract_of_collection() {
    let (store, _server) = postgres();
    contract::collected_store(&store).await;
}

#[tokio::test]
async fn postgres_can_be_inspected() {
    let (store, _server) = postgres();
    contract::inspection_store(&store).await;
}

#[tokio::test]
async fn postgres_keeps_the_contract_of_accounts() {
    let (store, _server) = postgres();
    contract::account_store(&store).await;
}

#[tokio::test]
async fn postgres_keeps_the_contract_of_leases() {
    let (store, _server) = postgres();
    contract::upload_leases(&store).await;
}

#[tokio::test]
async fn postgres_keeps_the_contract_of_turns() {
    let (store, _server) = postgres();
    contract::turn_store(&store).await;
}
