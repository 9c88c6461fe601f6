//! The kernel and the agent run one classifier: the same packets give the same records and counts.
//!
//! Sequences of packets are made up: several connections in different dresses, their payloads whole,
//! cut, late, again or missing, headers that lie, and noise. Each packet is shown to a kernel program by
//! `BPF_PROG_TEST_RUN` and to the classifier in this process.

use std::cell::RefCell;
use std::collections::HashMap;
use std::time::Duration;

use agent_common::connection::Release;
use agent_common::counters::{Counters, Protocol};
use agent_common::flow::{FLOW_WAYS, FlowRecord};
use agent_common::settings::Settings;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestError, TestRunner};
use tapline::capture::flows::{IdleLimits, Item, Taken};
use tapline::capture::offline::{Offline, OfflineSettings, Slice, Slot, TICK_NS};

use self::packet::Packets;
use self::step::{Step, step};
use super::kernel::{Kernel, Program, Record};

mod packet;
mod step;

/// Connections remembered.
const FLOWS: u32 = 1 << 17;

/// Settings of a [`Kernel`] for [`same_records`]: so many places that no connection has to make room,
/// which would depend on clocks, and no budget of a CPU, which would too.
pub const ROOMY: Settings = Settings {
    bucket_mask: FLOWS / 4 - 1,
    flow_mask: FLOWS / FLOW_WAYS as u32 - 1,
    cpu_budget: u64::MAX,
    ..Settings::DEFAULT
};

/// Runs `cases` made-up sequences through each of the programs, all loaded in a `kernel` with the settings
/// [`ROOMY`], and through the classifier here.
///
/// # Panics
/// They differ; the message holds the shortest sequence found, and what differs.
pub fn same_records(kernel: Kernel, programs: &[Program], cases: u32) {
    let both = RefCell::new(Both::new(kernel, programs[0]));
    for program in programs {
        both.borrow_mut().program = *program;
        both.borrow_mut().shown = Shown::default();
        run(&both, *program, cases);
        let (kernel, offline) = both.borrow_mut().standing();
        assert!(
            kernel.len() > cases as usize,
            "hardly any flow was compared"
        );
        for (kernel, offline) in kernel.iter().zip(&offline) {
            assert_eq!(kernel, offline, "{}: what stands of a flow", program.name);
        }
        assert_eq!(kernel.len(), offline.len(), "{}: flows", program.name);
    }
}

fn run(both: &RefCell<Both>, program: Program, cases: u32) {
    let config = Config {
        cases,
        failure_persistence: None,
        ..Config::default()
    };
    let steps = prop::collection::vec(step(), 1..40);
    let result = TestRunner::new(config).run(&steps, |steps| {
        both.borrow_mut()
            .sequence(&steps)
            .map_err(TestCaseError::fail)
    });
    match result {
        Ok(()) => {}
        Err(TestError::Fail(reason, steps)) => {
            panic!("{}: {reason}\nafter {steps:#?}", program.name)
        }
        Err(error) => panic!("{}: {error}", program.name),
    }
    let shown = both.borrow().shown;
    assert!(
        shown.packets > u64::from(cases) && shown.records > u64::from(cases),
        "hardly anything was compared: {shown:?}"
    );
}

/// The two that are compared, through all sequences.
struct Both {
    program: Program,
    kernel: Kernel,
    offline: Offline,
    now_ns: u64,
    /// The kernel's time of the last packet.
    kernel_now: u32,
    sequences: u16,
    /// Of each slot and generation: the highest record number of either side.
    sent: HashMap<(u32, u32), [u32; 2]>,
    last: Option<Record>,
    shown: Shown,
}

/// How much was compared.
#[derive(Clone, Copy, Debug, Default)]
struct Shown {
    packets: u64,
    records: u64,
}

impl Both {
    fn new(kernel: Kernel, program: Program) -> Self {
        pin_to_one_cpu();
        Self {
            program,
            kernel_now: kernel.now(CPU),
            kernel,
            offline: Offline::new(OfflineSettings {
                flows: FLOWS,
                sessions: Some(idle_limits()),
                connection_budget: ROOMY.connection_budget,
                ..OfflineSettings::default()
            }),
            now_ns: 0,
            sequences: 0,
            sent: HashMap::new(),
            last: None,
            shown: Shown::default(),
        }
    }

    /// Shows both one sequence, on connections that no other has had.
    fn sequence(&mut self, steps: &[Step]) -> Result<(), String> {
        self.sequences += 1;
        self.last = None;
        let mut packets = Packets::new(self.program, self.sequences);
        for (number, step) in steps.iter().enumerate() {
            if let Step::Release { opaque, wrong } = step {
                self.release(*opaque, *wrong);
            }
            let Some((ethertype, packet)) = packets.of(step) else {
                continue;
            };
            self.show(ethertype, &packet)
                .map_err(|reason| format!("step {number}: {reason}"))?;
        }
        Ok(())
    }

    /// The flows that stand in both tables, without times.
    fn standing(&mut self) -> (Vec<FlowRecord>, Vec<FlowRecord>) {
        let kernel = self.kernel.flows(0..ROOMY.flow_mask + 1);
        let kernel = kernel.iter().map(without_times).collect();
        let mut offline = Vec::new();
        let all = self.offline.read_flows(u32::MAX, &mut |record, _news| {
            offline.push(without_times(record));
            Taken::No
        });
        assert!(all, "that was not all");
        (kernel, offline)
    }

    /// Shows both one packet and compares what they made of it.
    fn show(&mut self, ethertype: u16, packet: &[u8]) -> Result<(), String> {
        let ethertype = self.program.ethertype(ethertype, packet);
        if !self.kernel.run(self.program, ethertype, packet) {
            return Ok(());
        }
        self.shown.packets += 1;
        self.keep_time();
        let slice = Slice {
            bytes: packet,
            wire_length: packet.len() as u32,
            origin: self.program.origin(ethertype),
        };
        self.offline.packet(&slice, self.now_ns);
        let mut expected = Vec::new();
        let mut expected_flows = Vec::new();
        self.offline.drain_all(|item| {
            match item {
                Item::Piece(header, bytes) => expected.push(Record {
                    header: *header,
                    bytes: bytes.to_vec(),
                }),
                Item::Flow(record) => expected_flows.push(without_times(record)),
            }
            None
        });
        let records = self.kernel.records();
        let flows = self.kernel.sent_flows();
        let flows: Vec<_> = flows.iter().map(without_times).collect();
        if flows != expected_flows {
            return Err(format!(
                "the kernel sent the flows {flows:#?}, not {expected_flows:#?}"
            ));
        }
        let comparable = |records: &[Record]| -> Vec<Vec<u8>> {
            records.iter().map(Record::without_time).collect()
        };
        if comparable(&records) != comparable(&expected) {
            return Err(format!("the kernel gave {records:#?}, not {expected:#?}"));
        }
        let (counted, expected) = (self.kernel.counters(), self.offline.counters());
        if comparable_counters(counted) != comparable_counters(expected) {
            return Err(format!(
                "the kernel counted {counted:#?}, not {expected:#?}"
            ));
        }
        self.shown.records += records.len() as u64;
        for Record { header, .. } in &records {
            let sent = self
                .sent
                .entry((header.slot, header.generation))
                .or_default();
            sent[usize::from(header.side & 1)] = header.direction_record;
        }
        if let Some(record) = records.into_iter().next_back() {
            self.last = Some(record);
        }
        Ok(())
    }

    /// Moves the clock here on by as many ticks as the kernel's: what is idle there is idle here, also when
    /// the machine stood still, and when a packet that lies meets a connection of long ago.
    fn keep_time(&mut self) {
        let now = self.kernel.now(CPU);
        match now.wrapping_sub(self.kernel_now) {
            0 => self.now_ns += 1,
            ticks => self.now_ns = (self.now_ns / TICK_NS + u64::from(ticks)) * TICK_NS,
        }
        self.kernel_now = now;
    }

    /// Lets the reader of both release the connection of the last record.
    fn release(&mut self, opaque: bool, wrong: bool) {
        let Some(Record { header, .. }) = &self.last else {
            return;
        };
        let sent = self.sent[&(header.slot, header.generation)];
        let slot = Slot {
            slot: header.slot,
            release: Release {
                generation: header.generation,
                records: sent[0].wrapping_add(sent[1]).wrapping_add(u32::from(wrong)),
                opaque,
            },
        };
        self.kernel.release(slot);
        self.offline.release(slot);
    }
}

/// A flow without what no two runs have in common: times and CPUs. Whether a time is known at all is kept.
fn without_times(record: &FlowRecord) -> FlowRecord {
    FlowRecord {
        time_ns: 0,
        first_ns: 0,
        last_ns: 0,
        answer_us: record.answer_us.min(1),
        acknowledged_us: record.acknowledged_us.min(1),
        cpu: 0,
        cpus: [0, 0],
        ..*record
    }
}

/// The counts without the budgets, which depend on the clock.
fn comparable_counters(counters: Counters) -> String {
    let counters = Counters {
        budget_window: 0,
        budget_used: 0,
        ..counters
    };
    format!("{counters:?}")
}

/// When flows are over: in both after as many ticks, of which each has its own.
fn idle_limits() -> IdleLimits {
    let limit =
        |protocol| Duration::from_nanos(u64::from(ROOMY.flow_idle[protocol as usize]) * TICK_NS);
    IdleLimits {
        tcp: limit(Protocol::Tcp),
        udp: limit(Protocol::Udp),
        icmp: limit(Protocol::Icmp),
    }
}

/// The CPU that all of it runs on.
const CPU: usize = 0;

/// Keeps this thread on one CPU: record numbers are counted per CPU.
fn pin_to_one_cpu() {
    // SAFETY: a set of CPUs is plain data, and `CPU` is a place in it.
    let result = unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        libc::CPU_SET(CPU, &mut set);
        libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &raw const set)
    };
    assert_eq!(result, 0, "{}", std::io::Error::last_os_error());
}
