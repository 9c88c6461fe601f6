//! From the configuration to the settings of each part.

use crate::alerts::AlertSettings;
use crate::alerts::webhook::Webhook;
use crate::capture::flows::IdleLimits;
use crate::config::{ApiMode, Config, LogFormat, LogOutput, RedactQuery};
use crate::exit::UsageError;
use crate::http::redact::{Query, RedactSettings, Redactor};
use crate::session::table::{SessionSettings, SessionTable};
use crate::sink::api::{ApiSettings, Mode, Target};
use crate::sink::log::{Format, LogSettings, OnFull, Output, Retain, Rotate};
use crate::sink::spool::SpoolSettings;
use crate::sink::sqlite::SqliteSettings;

/// Settings of the log sink for live capture: what is full loses lines and says so.
pub(super) fn log_of_run(config: &Config) -> LogSettings {
    let log = &config.log;
    LogSettings {
        rotate: Rotate {
            max_bytes: log.rotate.size,
            max_age: log.rotate.age,
            compress: log.rotate.compress,
        },
        retain: Retain {
            days: log.retain.days,
            bytes: log.retain.size,
        },
        on_full: OnFull::Drop,
        ..common(config)
    }
}

/// Settings of the store for live capture.
pub fn store_of_run(config: &Config) -> SqliteSettings {
    let store = &config.store;
    SqliteSettings {
        directory: store.dir.clone(),
        retain: Retain {
            days: store.retain.days,
            bytes: store.retain.size,
        },
        on_full: OnFull::Drop,
        ..SqliteSettings::default()
    }
}

/// Settings of the HTTP API; `None`: nothing is sent. Reads the token and certificates.
///
/// # Errors
/// They cannot be read, or do not go together.
pub(super) fn api_of_run(config: &Config) -> Result<Option<ApiSettings>, UsageError> {
    let api = &config.sinks.api;
    if !api.enabled {
        return Ok(None);
    }
    if api.exchanges && api.mode == ApiMode::Single {
        return Err(UsageError(
            "sinks.api.exchanges needs sinks.api.mode: array".to_owned(),
        ));
    }
    let target = Target::new(&api.url, api.token_file.as_deref(), api.ca_file.as_deref());
    let target = target.map_err(|error| UsageError(format!("{:#}", anyhow::Error::new(error))))?;
    Ok(Some(ApiSettings {
        mode: match api.mode {
            ApiMode::Array => Mode::Array,
            ApiMode::Single => Mode::Single,
        },
        exchanges: api.exchanges,
        batch: api.batch as usize,
        interval: api.interval,
        timeout: api.timeout,
        connections: api.connections as usize,
        gzip: api.gzip,
        spool: SpoolSettings {
            directory: api.spool.dir.clone(),
            bytes: api.spool.size,
        },
        ..ApiSettings::new(target)
    }))
}

/// Rules, and who is told of them. Reads the token and certificates.
///
/// # Errors
/// They cannot be read.
pub(super) fn alerts(config: &Config) -> Result<AlertSettings, UsageError> {
    let webhook = &config.alerts.webhook;
    let rules = config.alerts.rules.clone();
    if rules.is_empty() || webhook.url.is_empty() {
        return Ok(AlertSettings {
            rules,
            ..AlertSettings::default()
        });
    }
    let webhook = Webhook::new(
        &webhook.url,
        webhook.token_file.as_deref(),
        webhook.ca_file.as_deref(),
    );
    let webhook =
        webhook.map_err(|error| UsageError(format!("{:#}", anyhow::Error::new(error))))?;
    if webhook.shows_token() {
        tracing::warn!(
            %webhook,
            "the token of the webhook is sent in cleartext: use https where it is on another host"
        );
    }
    Ok(AlertSettings {
        rules,
        webhook: Some(webhook),
        ..AlertSettings::default()
    })
}

/// Settings of the log sink for capture files: it waits for the disk, and the days of a capture are
/// not taken for closed days of this host.
pub(super) fn log_of_read(config: &Config) -> LogSettings {
    LogSettings {
        rotate: Rotate {
            max_bytes: None,
            max_age: None,
            compress: false,
        },
        retain: Retain::default(),
        on_full: OnFull::Block,
        sync: false,
        live: false,
        ..common(config)
    }
}

/// When sessions are over for the kernel side; `None`: none are counted, because nothing takes them.
pub(super) fn idle_limits(config: &Config, takes_sessions: bool) -> Option<IdleLimits> {
    let sessions = &config.sessions;
    (sessions.enabled && takes_sessions).then_some(sessions.idle)
}

/// What makes records of sessions.
pub(super) fn sessions(config: &Config, run: u64, tick_ns: u64) -> SessionTable {
    let interim_ns = config
        .sessions
        .interim
        .map(|time| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX));
    SessionTable::new(
        run,
        SessionSettings {
            idle: config.sessions.idle,
            interim_ns,
            tick_ns,
        },
    )
}

/// What takes secrets out of heads.
pub(super) fn redactor(config: &Config) -> Redactor {
    let redact = &config.redact;
    let settings = RedactSettings {
        enabled: redact.enabled,
        keys: redact.keys.clone(),
        query: match redact.query {
            RedactQuery::Keep => Query::Keep,
            RedactQuery::Drop => Query::Drop,
        },
    };
    Redactor::new(&settings, &config.log.headers)
}

fn common(config: &Config) -> LogSettings {
    let log = &config.log;
    LogSettings {
        output: match &log.output {
            LogOutput::Folder(folder) => Output::Directory(folder.clone()),
            LogOutput::Stdout => Output::Stdout,
        },
        format: match log.format {
            LogFormat::Classic => Format::Classic,
            LogFormat::Json => Format::Json,
            LogFormat::Combined => Format::Combined,
            LogFormat::Ecs => Format::Ecs,
            LogFormat::Zeek => Format::Zeek,
        },
        split: log.split,
        missing: log.missing.clone(),
        headers: log.headers.clone(),
        ..LogSettings::default()
    }
}
