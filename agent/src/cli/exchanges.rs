//! `tapline exchanges`: the exchanges in the store.

use super::query::{self, Output, QueryArguments, Rows, cell, milliseconds_cell, time_cell};
use crate::config::Config;
use crate::exit::Exit;
use crate::store::{Cursor, ExchangeFilter, Follower, Order, Page, ReadError, Store};

/// Shows the exchanges that were asked for.
///
/// # Errors
/// The store cannot be read, or the rows cannot be written.
pub fn exchanges(
    config: Config,
    arguments: QueryArguments<ExchangeFilter>,
) -> anyhow::Result<Exit> {
    query::run::<Exchanges>(&config.store.dir, &arguments)
}

struct Exchanges;

impl Rows for Exchanges {
    type Filter = ExchangeFilter;
    const HEADER: &'static [&'static str] = &[
        "time", "client", "server", "role", "status", "ms", "method", "host", "target",
    ];

    fn page(
        store: &Store,
        filter: &ExchangeFilter,
        order: Order,
        after: Option<Cursor>,
        limit: usize,
    ) -> Result<Page, ReadError> {
        store.exchanges(filter, order, after, limit)
    }

    fn fresh(
        store: &mut Store,
        follower: &mut Follower,
        filter: &ExchangeFilter,
    ) -> Result<Page, ReadError> {
        follower.exchanges(store, filter)
    }

    fn show(page: &Page, output: &mut Output) -> anyhow::Result<()> {
        for record in page.exchanges() {
            output.row(&record, |zone| {
                vec![
                    time_cell(record.ts, zone),
                    format!("{}#{}", record.src_ip, record.src_port),
                    format!("{}#{}", record.dst_ip, record.dst_port),
                    record.role.name().to_owned(),
                    record.status.map_or_else(
                        || record.outcome.name().to_owned(),
                        |status| status.to_string(),
                    ),
                    milliseconds_cell(record.ttfb_us),
                    cell(record.method),
                    cell(record.host),
                    cell(record.target),
                ]
            })?;
        }
        Ok(())
    }
}
