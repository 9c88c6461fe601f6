//! Where `tapline run` brings exchanges and sessions.

use crate::cli::settings;
use crate::config::{Config, StoreConfig};
use crate::server::api::{Api, Bounds};
use crate::sink::RecordSink;
use crate::sink::api::{ApiSettings, ApiSink};
use crate::sink::counts::Counts;
use crate::sink::sqlite::{SqliteSink, StoreError};

/// The sinks of exchanges and sessions, how each is asked for its account, and the API over the store.
pub(super) struct Sinks {
    pub(super) records: Vec<Box<dyn RecordSink>>,
    pub(super) accounts: Vec<(&'static str, Account)>,
    pub(super) api: Option<Api>,
}

/// Asks a sink for its account.
pub(super) type Account = Box<dyn Fn() -> Counts>;

impl Sinks {
    /// Starts the store, unless it is off, and the sink that sends records to an API, where one is set up.
    ///
    /// # Errors
    /// One of them cannot be started.
    pub(super) fn start(config: &Config, to_api: Option<ApiSettings>) -> anyhow::Result<Self> {
        let mut sinks = Self {
            records: Vec::new(),
            accounts: Vec::new(),
            api: None,
        };
        if let Some(store) = store(config)? {
            let days = config.store.retain.days;
            let directory = config.store.dir.clone();
            sinks.api = Some(Api::new(store.intake(), directory, days, Bounds::default()));
            let handle = store.handle();
            sinks.add(store, Box::new(move || handle.counts()));
        }
        if let Some(settings) = to_api {
            let sink = ApiSink::start(settings)?;
            let handle = sink.handle();
            sinks.add(sink, Box::new(move || handle.counts()));
        }
        Ok(sinks)
    }

    fn add(&mut self, sink: impl RecordSink + 'static, account: Account) {
        self.accounts.push((sink.name(), account));
        self.records.push(Box::new(sink));
    }
}

/// The store, unless it is off. Another process that has the folder that nobody chose is no reason to
/// capture nothing.
fn store(config: &Config) -> Result<Option<SqliteSink>, StoreError> {
    if !config.store.enabled {
        return Ok(None);
    }
    match SqliteSink::start(settings::store_of_run(config)) {
        Err(error) if config.store.dir == StoreConfig::default().dir => {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "exchanges are not stored"
            );
            Ok(None)
        }
        started => started.map(Some),
    }
}
