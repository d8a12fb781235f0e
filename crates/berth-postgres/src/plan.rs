//! For tests of what a query costs.
#![allow(clippy::unwrap_used)]

use std::time::Duration;

use diesel::connection::SimpleConnection;
use diesel::pg::{Pg, PgConnection};
use diesel::prelude::*;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::sql_types::Text;

use crate::address::Address;
use crate::database_url::DatabaseUrl;
use crate::test_server::TestServer;
use crate::{connections, migrations};

struct Explain<'a, Q>(&'a Q);

impl<Q> QueryId for Explain<'_, Q> {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl<Q> Query for Explain<'_, Q> {
    type SqlType = Text;
}

impl<Q> RunQueryDsl<PgConnection> for Explain<'_, Q> {}

impl<Q: QueryFragment<Pg>> QueryFragment<Pg> for Explain<'_, Q> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.unsafe_to_cache_prepared();
        out.push_sql("EXPLAIN (COSTS OFF) ");
        self.0.walk_ast(out)
    }
}

/// An empty database, which would read whole tables, since they are small, if it were not kept from that.
pub(crate) struct Planner(PgConnection);

impl Planner {
    pub(crate) fn new(server: &TestServer) -> Self {
        let url = DatabaseUrl::parse(&server.database()).unwrap();
        let address = Address::open(&url).unwrap();
        migrations::run(&address, Duration::ZERO).unwrap();
        let mut connection = connections::connect(&address).unwrap();
        connection
            .batch_execute(
                "SET enable_seqscan = off; SET enable_bitmapscan = off; SET enable_sort = off",
            )
            .unwrap();
        Self(connection)
    }

    /// How PostgreSQL finds the rows of a query.
    pub(crate) fn plan(&mut self, query: &impl QueryFragment<Pg>) -> String {
        let lines: Vec<String> = Explain(query).load(&mut self.0).unwrap();
        lines.join("\n")
    }
}
