//! Where copied bytes end: in a record, or in a counter that says why not.

use super::Copier;
use crate::counters::{Escalated, Lost};
use crate::host::Host;
use crate::packet::Packet;

impl<P: Packet, H: Host> Copier<'_, P, H> {
    /// Takes `bytes` from the budgets of the connection and the CPU; false when one is spent.
    #[inline(always)]
    pub(super) fn spend(&mut self, bytes: u32) -> bool {
        let connection = self.connection;
        let window = (self.direction.last_seen.get() >> 8) as u16;
        if connection.budget_window.get() != window {
            connection.budget_window.set(window);
            connection.budget_used.set(0);
        }
        if self.counters.budget_window != u64::from(window) {
            self.counters.budget_window = u64::from(window);
            self.counters.budget_used = 0;
        }
        let used = connection.budget_used.get().saturating_add(bytes);
        if used > self.host.connection_budget() {
            self.lose(Lost::ConnectionBudget, bytes);
            self.stop_looking_for_unasked();
            return false;
        }
        if self.counters.budget_used > self.host.cpu_budget() {
            self.lose(Lost::CpuBudget, bytes);
            self.stop_looking_for_unasked();
            return false;
        }
        connection.budget_used.set(used);
        self.counters.budget_used += u64::from(bytes);
        true
    }

    /// Nothing but a response whose request was not seen made the connection escalate, and most are on a
    /// connection like any other: long bodies are not copied on and on for the sake of what may stand behind.
    #[inline(always)]
    fn stop_looking_for_unasked(&self) {
        if self.connection.escalated.get() == Escalated::Unasked.mark() {
            self.connection.escalated.set(0);
        }
    }

    /// Counts bytes that do not reach the reader, and leaves a gap in the direction's numbering.
    #[inline(always)]
    pub(super) fn lose(&mut self, why: Lost, bytes: u32) {
        self.counters.lost[why as usize] += 1;
        self.counters.lost_bytes[why as usize] += u64::from(bytes);
        let records = self.direction.records.get();
        self.direction.records.set(records.wrapping_add(1));
    }

    /// Sends the header and `work.captured` bytes that stand at payload offset `from`.
    #[inline(always)]
    pub(super) fn send(&mut self, from: u32, flags: u16) {
        let record = self.direction.records.get().wrapping_add(1);
        self.direction.records.set(record);
        self.counters.records += 1;
        let captured = self.work.captured.get();
        let header = &mut self.scratch.header;
        header.cpu_record = self.counters.records;
        header.direction_record = record;
        header.position = self.work.start.get() + u64::from(from);
        header.captured = captured;
        header.flags = self.work.flags.get() as u16 | flags;
        if !self.host.send(self.scratch, captured) {
            self.counters.lost[Lost::Ring as usize] += 1;
            self.counters.lost_bytes[Lost::Ring as usize] += u64::from(captured);
        }
    }
}
