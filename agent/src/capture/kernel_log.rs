//! What the kernel programs say about single packets, for those who look closely (`-v`).
//!
//! The programs log only when they were loaded with the level debug; otherwise the verifier takes the
//! code out. It goes through a ring of its own, so that nothing of it can displace a record.

use agent_common::counters::Ignored;
use aya::Ebpf;
use aya_log::EbpfLogger;

/// The name under which the loader finds the level.
pub(super) const LEVEL: &str = aya_log::LEVEL;

/// No message at all.
pub(super) const SILENT: u8 = 0;

/// Messages up to debug.
pub(super) const DEBUG: u8 = log::Level::Debug as u8;

/// Reads the messages of the programs.
#[expect(missing_debug_implementations, reason = "aya's ring has none")]
pub struct KernelLog(EbpfLogger<Forward>);

impl KernelLog {
    /// Takes the ring of messages; `None` when the programs have none.
    pub(super) fn new(ebpf: &mut Ebpf) -> Option<Self> {
        EbpfLogger::init_with_logger(ebpf, Forward).ok().map(Self)
    }

    /// Passes on what has come. To be called about once a second: the ring is small, and messages
    /// that find it full are lost.
    pub fn flush(&mut self) {
        self.0.flush();
    }
}

/// Hands messages to the diagnostics.
struct Forward;

impl log::Log for Forward {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        let text = record.args().to_string();
        // The programs know reasons by number only.
        let reason = text
            .rsplit_once("reason ")
            .and_then(|(_, number)| number.parse::<usize>().ok())
            .and_then(|number| Ignored::NAMES.get(number));
        match reason {
            Some(reason) => tracing::debug!(reason, "the kernel program ignored a packet"),
            None => tracing::debug!(message_of_the_program = text, "the kernel program says"),
        }
    }

    fn flush(&self) {}
}
