//! The settings that flags stand for.

use super::values::{many, one};
use super::{
    CommonFlags, FilterFlags, HookFlags, LineFlags, ServerFlags, SessionRecordFlags, StoreFlags,
};
use crate::config::{Key, Level, Setting, Word as _};

impl CommonFlags {
    /// The settings that the flags stand for.
    pub(in crate::cli) fn settings(&self) -> Vec<Setting> {
        let level = match (self.quiet, self.verbose) {
            (true, _) => one(Key::DiagnosticsLevel, "--quiet", Some(Level::Warn.word())),
            (_, true) => one(
                Key::DiagnosticsLevel,
                "--verbose",
                Some(Level::Debug.word()),
            ),
            _ => one(
                Key::DiagnosticsLevel,
                "--log-level",
                self.log_level.as_deref(),
            ),
        };
        [
            level,
            one(
                Key::DiagnosticsFile,
                "--diagnostics",
                self.diagnostics.as_deref(),
            ),
            one(
                Key::DiagnosticsFormat,
                "--diagnostics-format",
                self.diagnostics_format.as_deref(),
            ),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

impl HookFlags {
    pub(in crate::cli) fn settings(&self) -> Vec<Setting> {
        [
            many(Key::CaptureInterfaces, "--interface", &self.interface),
            one(Key::CaptureAttach, "--attach", self.attach.as_deref()),
            one(Key::CaptureXdpMode, "--xdp-mode", self.xdp_mode.as_deref()),
            one(Key::CaptureRing, "--ring", self.ring.as_deref()),
            one(Key::CaptureUser, "--user", self.user.as_deref()),
            one(
                Key::LogStatistics,
                "--statistics",
                self.statistics.as_deref(),
            ),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

impl ServerFlags {
    pub(in crate::cli) fn settings(&self) -> Vec<Setting> {
        [
            one(Key::ServerListen, "--listen", self.listen.as_deref()),
            one(
                Key::ServerTokenFile,
                "--token-file",
                self.token_file.as_deref(),
            ),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

impl FilterFlags {
    pub(in crate::cli) fn settings(&self) -> Vec<Setting> {
        [
            many(Key::CapturePorts, "--port", &self.port),
            many(Key::CaptureNets, "--net", &self.net),
            many(Key::CaptureLocal, "--local", &self.local),
            one(Key::CaptureFlows, "--flows", self.flows.as_deref()),
            one(
                Key::CaptureHeadBytes,
                "--head-bytes",
                self.head_bytes.as_deref(),
            ),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

impl LineFlags {
    pub(in crate::cli) fn settings(&self) -> Vec<Setting> {
        [
            one(Key::LogDir, "--log-dir", self.log_dir.as_deref()),
            one(Key::LogSplit, "--split", self.split.as_deref()),
            one(Key::LogFormat, "--format", self.format.as_deref()),
            one(Key::RedactEnabled, "--redact", self.redact.as_deref()),
            many(Key::RedactKeys, "--redact-key", &self.redact_key),
            one(
                Key::RedactQuery,
                "--redact-query",
                self.redact_query.as_deref(),
            ),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

impl SessionRecordFlags {
    pub(in crate::cli) fn settings(&self) -> Vec<Setting> {
        let none = self.no_sessions.then_some("false");
        [
            one(Key::SessionsInterim, "--interim", self.interim.as_deref()),
            one(Key::SessionsEnabled, "--no-sessions", none),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

impl StoreFlags {
    pub(in crate::cli) fn settings(&self) -> Vec<Setting> {
        let no_store = self.no_store.then_some("false");
        [
            one(Key::StoreDir, "--data-dir", self.data_dir.as_deref()),
            one(Key::StoreEnabled, "--store", self.store.as_deref()),
            one(Key::StoreEnabled, "--no-store", no_store),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}
