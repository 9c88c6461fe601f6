//! `tapline sessions`: the sessions in the store.

use super::query::{self, Output, QueryArguments, Rows, cell, milliseconds_cell, time_cell};
use crate::config::Config;
use crate::exit::Exit;
use crate::store::{Cursor, Follower, Order, Page, ReadError, SessionFilter, Store};

/// Shows the sessions that were asked for.
///
/// # Errors
/// The store cannot be read, or the rows cannot be written.
pub fn sessions(config: Config, arguments: QueryArguments<SessionFilter>) -> anyhow::Result<Exit> {
    query::run::<Sessions>(&config.store.dir, &arguments)
}

struct Sessions;

impl Rows for Sessions {
    type Filter = SessionFilter;
    const HEADER: &'static [&'static str] = &[
        "time",
        "protocol",
        "source",
        "destination",
        "state",
        "ms",
        "packets",
        "bytes",
        "requests",
        "errors",
        "cpu",
    ];

    fn page(
        store: &Store,
        filter: &SessionFilter,
        order: Order,
        after: Option<Cursor>,
        limit: usize,
    ) -> Result<Page, ReadError> {
        store.sessions(filter, order, after, limit)
    }

    fn fresh(
        store: &mut Store,
        follower: &mut Follower,
        filter: &SessionFilter,
    ) -> Result<Page, ReadError> {
        follower.sessions(store, filter)
    }

    fn show(page: &Page, output: &mut Output) -> anyhow::Result<()> {
        for record in page.sessions() {
            let details = record.details;
            output.row(&record, |zone| {
                vec![
                    time_cell(record.timestamp, zone),
                    record.protocol.name().to_owned(),
                    format!("{}#{}", record.src_ip, record.src_port),
                    format!("{}#{}", record.dst_ip, record.dst_port),
                    cell(details.map(|details| match details.interim {
                        true => "goes on",
                        false => details.conn_state,
                    })),
                    milliseconds_cell(details.map(|details| details.duration_us)),
                    record.packets.to_string(),
                    record.bytes.to_string(),
                    cell(details.map(|details| details.http_requests)),
                    cell(details.map(|details| details.http_errors)),
                    record.cpu_id.to_string(),
                ]
            })?;
        }
        Ok(())
    }
}
