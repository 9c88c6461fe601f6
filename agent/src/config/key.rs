//! The keys of the configuration: one table that the file, the variables, the flags and the
//! printout share.

/// One key of the configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(
    missing_docs,
    reason = "each is what its path says; config/tapline.yaml is the manual"
)]
pub enum Key {
    CaptureInterfaces,
    CaptureAttach,
    CaptureXdpMode,
    CapturePorts,
    CaptureNets,
    CaptureLocal,
    CaptureLoopback,
    CaptureRing,
    CaptureFlows,
    CaptureHeadBytes,
    CaptureUser,
    LogDir,
    LogFormat,
    LogSplit,
    LogRotateSize,
    LogRotateAge,
    LogRotateCompress,
    LogRetainDays,
    LogRetainSize,
    LogMissing,
    LogHeaders,
    LogStatistics,
    SessionsEnabled,
    SessionsInterim,
    SessionsIdleTcp,
    SessionsIdleUdp,
    SessionsIdleIcmp,
    RedactEnabled,
    RedactKeys,
    RedactQuery,
    StoreEnabled,
    StoreDir,
    StoreRetainDays,
    StoreRetainSize,
    SinksApiEnabled,
    SinksApiUrl,
    SinksApiTokenFile,
    SinksApiCaFile,
    SinksApiMode,
    SinksApiExchanges,
    SinksApiBatch,
    SinksApiInterval,
    SinksApiTimeout,
    SinksApiConnections,
    SinksApiGzip,
    SinksApiSpoolDir,
    SinksApiSpoolSize,
    ServerListen,
    ServerTokenFile,
    AlertsRules,
    AlertsWebhookUrl,
    AlertsWebhookTokenFile,
    AlertsWebhookCaFile,
    MetricsProgramTime,
    DiagnosticsLevel,
    DiagnosticsFormat,
    DiagnosticsFile,
}

impl Key {
    /// All keys, in the order of the file.
    pub const ALL: [Self; 57] = [
        Self::CaptureInterfaces,
        Self::CaptureAttach,
        Self::CaptureXdpMode,
        Self::CapturePorts,
        Self::CaptureNets,
        Self::CaptureLocal,
        Self::CaptureLoopback,
        Self::CaptureRing,
        Self::CaptureFlows,
        Self::CaptureHeadBytes,
        Self::CaptureUser,
        Self::LogDir,
        Self::LogFormat,
        Self::LogSplit,
        Self::LogRotateSize,
        Self::LogRotateAge,
        Self::LogRotateCompress,
        Self::LogRetainDays,
        Self::LogRetainSize,
        Self::LogMissing,
        Self::LogHeaders,
        Self::LogStatistics,
        Self::SessionsEnabled,
        Self::SessionsInterim,
        Self::SessionsIdleTcp,
        Self::SessionsIdleUdp,
        Self::SessionsIdleIcmp,
        Self::RedactEnabled,
        Self::RedactKeys,
        Self::RedactQuery,
        Self::StoreEnabled,
        Self::StoreDir,
        Self::StoreRetainDays,
        Self::StoreRetainSize,
        Self::SinksApiEnabled,
        Self::SinksApiUrl,
        Self::SinksApiTokenFile,
        Self::SinksApiCaFile,
        Self::SinksApiMode,
        Self::SinksApiExchanges,
        Self::SinksApiBatch,
        Self::SinksApiInterval,
        Self::SinksApiTimeout,
        Self::SinksApiConnections,
        Self::SinksApiGzip,
        Self::SinksApiSpoolDir,
        Self::SinksApiSpoolSize,
        Self::ServerListen,
        Self::ServerTokenFile,
        Self::AlertsRules,
        Self::AlertsWebhookUrl,
        Self::AlertsWebhookTokenFile,
        Self::AlertsWebhookCaFile,
        Self::MetricsProgramTime,
        Self::DiagnosticsLevel,
        Self::DiagnosticsFormat,
        Self::DiagnosticsFile,
    ];

    /// The path of the key in the file, sections joined by dots: `log.rotate.size`.
    #[must_use]
    pub const fn path(self) -> &'static str {
        match self {
            Self::CaptureInterfaces => "capture.interfaces",
            Self::CaptureAttach => "capture.attach",
            Self::CaptureXdpMode => "capture.xdp_mode",
            Self::CapturePorts => "capture.ports",
            Self::CaptureNets => "capture.nets",
            Self::CaptureLocal => "capture.local",
            Self::CaptureLoopback => "capture.loopback",
            Self::CaptureRing => "capture.ring",
            Self::CaptureFlows => "capture.flows",
            Self::CaptureHeadBytes => "capture.head_bytes",
            Self::CaptureUser => "capture.user",
            Self::LogDir => "log.dir",
            Self::LogFormat => "log.format",
            Self::LogSplit => "log.split",
            Self::LogRotateSize => "log.rotate.size",
            Self::LogRotateAge => "log.rotate.age",
            Self::LogRotateCompress => "log.rotate.compress",
            Self::LogRetainDays => "log.retain.days",
            Self::LogRetainSize => "log.retain.size",
            Self::LogMissing => "log.missing",
            Self::LogHeaders => "log.headers",
            Self::LogStatistics => "log.statistics",
            Self::SessionsEnabled => "sessions.enabled",
            Self::SessionsInterim => "sessions.interim",
            Self::SessionsIdleTcp => "sessions.idle.tcp",
            Self::SessionsIdleUdp => "sessions.idle.udp",
            Self::SessionsIdleIcmp => "sessions.idle.icmp",
            Self::RedactEnabled => "redact.enabled",
            Self::RedactKeys => "redact.keys",
            Self::RedactQuery => "redact.query",
            Self::StoreEnabled => "store.enabled",
            Self::StoreDir => "store.dir",
            Self::StoreRetainDays => "store.retain.days",
            Self::StoreRetainSize => "store.retain.size",
            Self::SinksApiEnabled => "sinks.api.enabled",
            Self::SinksApiUrl => "sinks.api.url",
            Self::SinksApiTokenFile => "sinks.api.token_file",
            Self::SinksApiCaFile => "sinks.api.ca_file",
            Self::SinksApiMode => "sinks.api.mode",
            Self::SinksApiExchanges => "sinks.api.exchanges",
            Self::SinksApiBatch => "sinks.api.batch",
            Self::SinksApiInterval => "sinks.api.interval",
            Self::SinksApiTimeout => "sinks.api.timeout",
            Self::SinksApiConnections => "sinks.api.connections",
            Self::SinksApiGzip => "sinks.api.gzip",
            Self::SinksApiSpoolDir => "sinks.api.spool.dir",
            Self::SinksApiSpoolSize => "sinks.api.spool.size",
            Self::ServerListen => "server.listen",
            Self::ServerTokenFile => "server.token_file",
            Self::AlertsRules => "alerts.rules",
            Self::AlertsWebhookUrl => "alerts.webhook.url",
            Self::AlertsWebhookTokenFile => "alerts.webhook.token_file",
            Self::AlertsWebhookCaFile => "alerts.webhook.ca_file",
            Self::MetricsProgramTime => "metrics.program_time",
            Self::DiagnosticsLevel => "diagnostics.level",
            Self::DiagnosticsFormat => "diagnostics.format",
            Self::DiagnosticsFile => "diagnostics.file",
        }
    }

    /// Whether the value is a list.
    #[must_use]
    pub const fn is_list(self) -> bool {
        matches!(
            self,
            Self::CaptureInterfaces
                | Self::CapturePorts
                | Self::CaptureNets
                | Self::CaptureLocal
                | Self::LogHeaders
                | Self::RedactKeys
                | Self::AlertsRules
        )
    }

    /// The environment variable of the key: `TAPLINE_LOG_ROTATE_SIZE`.
    #[must_use]
    pub fn variable(self) -> String {
        let path = self.path().to_ascii_uppercase().replace('.', "_");
        format!("{}{path}", super::environment::PREFIX)
    }

    /// The key with this path.
    #[must_use]
    pub fn from_path(path: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|key| key.path() == path)
    }

    /// Whether `path` is a section: keys lie below it.
    #[must_use]
    pub fn is_section(path: &str) -> bool {
        Self::ALL.into_iter().any(|key| {
            key.path()
                .strip_prefix(path)
                .is_some_and(|rest| rest.starts_with('.'))
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::Key;

    #[test]
    fn all_keys_are_in_the_table_once() {
        for (index, key) in Key::ALL.into_iter().enumerate() {
            assert_eq!(key as usize, index, "{key:?}");
            assert_eq!(Key::from_path(key.path()), Some(key));
        }
        // The last variant closes the table: one behind it would not be in ALL.
        assert_eq!(Key::DiagnosticsFile as usize + 1, Key::ALL.len());
    }

    #[test]
    fn variables_are_unique() {
        let names: BTreeSet<String> = Key::ALL.into_iter().map(Key::variable).collect();
        assert_eq!(names.len(), Key::ALL.len());
        assert!(names.contains("TAPLINE_LOG_ROTATE_SIZE"));
        assert!(names.contains("TAPLINE_CAPTURE_XDP_MODE"));
    }

    #[test]
    fn sections() {
        for section in [
            "capture",
            "log",
            "log.rotate",
            "log.retain",
            "sessions",
            "sessions.idle",
            "redact",
            "store",
            "store.retain",
            "sinks",
            "sinks.api",
            "sinks.api.spool",
            "server",
            "alerts",
            "alerts.webhook",
            "diagnostics",
        ] {
            assert!(Key::is_section(section), "{section}");
        }
        for other in ["", "lo", "log.", "log.dir", "stor", "log.rotate.size"] {
            assert!(!Key::is_section(other), "{other}");
        }
    }
}
