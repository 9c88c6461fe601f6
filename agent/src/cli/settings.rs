//! From the configuration to the settings of each part.

use crate::capture::flows::IdleLimits;
use crate::config::{Config, LogFormat, LogOutput, RedactQuery};
use crate::http::redact::{Query, RedactSettings, Redactor};
use crate::session::table::{SessionSettings, SessionTable};
use crate::sink::log::{Format, LogSettings, OnFull, Output, Retain, Rotate};
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
