//! The words of the configuration, of records and of the API for what records and anomalies there are.

use crate::config::{Word, words};

words! {
    /// How a line looks.
    Format {
        /// A JSON object a line.
        Json = "json",
        /// A line of text.
        Text = "text",
        /// Both: files of each, or on stdout one line after the other.
        Both = "both",
    }
}

words! {
    /// Where lines go.
    Destination {
        /// To stdout.
        Stdout = "stdout",
        /// To files.
        File = "file",
        /// To both.
        Both = "both",
    }
}

words! {
    /// How bad a record is.
    Level {
        /// For those who look for an error.
        Debug = "DEBUG",
        /// All is well.
        Info = "INFO",
        /// Something may go wrong.
        Warning = "WARNING",
        /// Something went wrong.
        Error = "ERROR",
        /// Much went wrong.
        Critical = "CRITICAL",
    }
}

words! {
    /// A family of anomalies.
    Family {
        /// Many errors at once.
        ErrorSpike = "error_spike",
        /// Answers that become slower and slower.
        LatencyDegradation = "latency_degradation",
        /// Somebody tries to get in.
        SecurityThreat = "security_threat",
        /// Something runs out.
        ResourceExhaustion = "resource_exhaustion",
        /// A service is gone, or comes and goes.
        ServiceOutage = "service_outage",
        /// Fields with wrong values.
        DataAnomaly = "data_anomaly",
    }
}

words! {
    /// What somebody tries.
    Threat {
        /// To guess a password.
        BruteForce = "brute_force",
        /// To get SQL executed.
        SqlInjection = "sql_injection",
        /// To get a script into a page.
        XssAttempt = "xss_attempt",
        /// To get at what is not theirs.
        UnauthorizedAccess = "unauthorized_access",
    }
}

words! {
    /// What runs out.
    Resource {
        /// Memory.
        Memory = "memory",
        /// Processor time.
        Cpu = "cpu",
        /// Room on a disk.
        Disk = "disk",
        /// Connections.
        Connections = "connections",
    }
}

words! {
    /// How fields are wrong.
    Issue {
        /// There is nothing.
        NullValues = "null_values",
        /// There is a value that cannot be.
        OutOfRange = "out_of_range",
        /// There is a value that is not written as it should be.
        FormatError = "format_error",
    }
}

words! {
    /// How a service is gone.
    Outage {
        /// It does not answer.
        Complete = "complete",
        /// It answers at times.
        Intermittent = "intermittent",
    }
}

impl Family {
    /// The place in [`ALL`](Word::ALL).
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }
}
