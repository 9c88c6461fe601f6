//! The kernel programs and their maps: loading them with the settings of this run.

mod filters;

use std::collections::BTreeMap;
use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

use agent_common::counters::Counters;
use agent_common::flow::{FLOW_WAYS, FlowBucket, FlowLines};
use agent_common::ring::segments;
use agent_common::scratch::WorkplaceImage;
use agent_common::settings::{Settings, filter};
use agent_common::table::{Bucket, WAYS};
use aya::maps::{MapData, MapError, PerCpuArray, ProgramArray};
use aya::programs::{Program, ProgramError, SocketFilter};
use aya::{Ebpf, EbpfError, EbpfLoader};
use ipnet::IpNet;

use self::filters::{fill_nets, fill_ports, prefixes};
use super::flows::table::{FlowMaps, FlowTable};
use super::flows::{IdleLimits, flow_buckets};
use super::kernel_log::{self, KernelLog};
use super::mapped::Mapped;
use super::reader::KernelEnd;
use super::rings::{self, Rings};
use crate::host::clock::coarse_tick_ns;

const SOCKET_PROGRAMS: &str = "SOCKET_PROGRAMS";

/// What the programs are told.
#[derive(Clone, Debug)]
pub struct ProgramSettings {
    /// Bytes of the rings of all CPUs together: a power of two, a multiple of the page size; see
    /// [`rings::bytes_of_a_cpu`].
    pub ring: u32,
    /// Connections remembered; rounded up to a power of two.
    pub flows: u32,
    /// When flows are over; `None`: they are not counted.
    pub sessions: Option<IdleLimits>,
    /// The longest head that is collected, in bytes.
    pub head_bytes: u32,
    /// Only packets with one of these ports; empty: all.
    pub ports: Vec<u16>,
    /// Only packets with an address in one of these networks; empty: all.
    pub nets: Vec<IpNet>,
    /// Whether the programs tell of packets that contradict themselves.
    pub verbose: bool,
}

/// Why the programs cannot be loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The build embedded nothing.
    #[error("this build has no kernel programs: build it with `cargo xtask build`")]
    NotBuilt,
    /// The object or one of its maps was refused.
    #[error("cannot load the kernel programs: {reason}")]
    Object {
        /// What the loader says.
        reason: String,
    },
    /// The verifier or a missing feature refused a program.
    #[error("the kernel refused the program {program}: {reason}")]
    Program {
        /// The program.
        program: &'static str,
        /// What the kernel says.
        reason: String,
    },
    /// A map cannot be used.
    #[error("cannot use the kernel map {map}: {reason}")]
    Map {
        /// The map.
        map: &'static str,
        /// What went wrong.
        reason: String,
    },
    /// The number of CPUs, of which each has a ring, is not known.
    #[error("cannot find out from {POSSIBLE} how many CPUs there may be")]
    Cpus(#[source] io::Error),
    /// The secret keys of the connection table cannot be drawn.
    #[error("cannot draw random numbers from the kernel")]
    Random(#[source] io::Error),
}

/// The loaded object. Programs are loaded one by one, when a hook first needs them.
#[expect(missing_debug_implementations, reason = "aya's maps have none")]
pub struct Programs {
    pub(super) ebpf: Ebpf,
    counters: PerCpuArray<MapData, WorkplaceImage>,
    /// What filters of packet sockets go on with. The kernel empties it when it is closed.
    socket_programs: ProgramArray<MapData>,
    log: Option<KernelLog>,
    counts_flows: bool,
}

static OBJECT: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/tapline.bpf.o"));

/// The object file as it was built; empty when the build had none. For tests and measurements.
#[must_use]
pub fn object() -> &'static [u8] {
    OBJECT
}

impl Programs {
    /// Makes the maps and fills in the settings. Gives the reader's end too.
    ///
    /// # Errors
    /// The object is not there, or the kernel refuses a map.
    pub fn load(settings: &ProgramSettings) -> Result<(Self, KernelEnd), LoadError> {
        if OBJECT.is_empty() {
            return Err(LoadError::NotBuilt);
        }
        let buckets = buckets(settings.flows);
        let flow_buckets = match settings.sessions {
            Some(_) => flow_buckets(settings.flows),
            None => 1,
        };
        let tick_ns = coarse_tick_ns();
        let mut hash_keys = [0; 6];
        for key in &mut hash_keys {
            *key = random()?;
        }
        let mut filters = 0;
        if !settings.ports.is_empty() {
            filters |= filter::PORTS;
        }
        if !settings.nets.is_empty() {
            filters |= filter::NETS;
        }
        let cpus = possible_cpus()?;
        let ring_mask = rings::bytes_of_a_cpu(settings.ring, cpus) - 1;
        let kernel = Settings {
            hash_keys,
            ring_mask,
            bucket_mask: buckets - 1,
            head_max: settings.head_bytes,
            filters,
            ..IdleLimits::settings(settings.sessions, flow_buckets - 1, tick_ns)
        };
        let level = if settings.verbose {
            kernel_log::DEBUG
        } else {
            kernel_log::SILENT
        };
        let nets = prefixes(&settings.nets);
        let mut ebpf = EbpfLoader::new()
            // The kernel's type information is not needed and would keep 14 MiB.
            .btf(None)
            .override_global("SETTINGS", &kernel, true)
            .override_global(kernel_log::LEVEL, &level, false)
            .map_max_entries("RINGS", cpus as u32 * segments(ring_mask))
            .map_max_entries("CURSORS", cpus as u32)
            .map_max_entries("CONNECTIONS", buckets)
            .map_max_entries("RELEASES", buckets * WAYS as u32)
            .map_max_entries("FLOWS", flow_buckets)
            .map_max_entries("FLOW_LINES", 2 * flow_buckets)
            .map_max_entries("FLOWS_KNOWN", flow_buckets * FLOW_WAYS as u32)
            .map_max_entries("NETS", nets.len().max(1) as u32)
            .load(OBJECT)
            .map_err(|error| object_error(&error))?;
        fill_ports(&mut ebpf, &settings.ports)?;
        fill_nets(&mut ebpf, &nets)?;
        let log = settings
            .verbose
            .then(|| KernelLog::new(&mut ebpf))
            .flatten();
        let counters = take(&mut ebpf, "WORKPLACE")?;
        let socket_programs = take(&mut ebpf, SOCKET_PROGRAMS)?;
        let rings = rings(&ebpf, ring_mask, cpus)?;
        let bell = take(&mut ebpf, "BELL")?;
        let releases = map(&ebpf, "RELEASES", buckets as usize * WAYS)?;
        let sleeping = map(&ebpf, "SLEEPING", 1)?;
        let flows = match settings.sessions {
            Some(_) => {
                let known = map(&ebpf, "FLOWS_KNOWN", flow_buckets as usize * FLOW_WAYS)?;
                let maps = FlowMaps {
                    flows: descriptor(&ebpf, "FLOWS")?,
                    lines: descriptor(&ebpf, "FLOW_LINES")?,
                };
                Some(FlowTable::new(maps, known, flow_buckets, tick_ns as u32))
            }
            None => None,
        };
        let kernel_end = KernelEnd::new(rings, bell, releases, sleeping, flows);
        Ok((
            Self {
                ebpf,
                counters,
                socket_programs,
                log,
                counts_flows: settings.sessions.is_some(),
            },
            kernel_end,
        ))
    }

    /// Loads a program unless it is loaded already.
    ///
    /// # Errors
    /// The kernel refuses it.
    pub(super) fn program(&mut self, name: &'static str) -> Result<&mut Program, LoadError> {
        let program = self
            .ebpf
            .program_mut(name)
            .ok_or_else(|| LoadError::Object {
                reason: format!("there is no program {name} in it"),
            })?;
        let loaded = match program {
            Program::SchedClassifier(program) => program.load(),
            Program::Xdp(program) => program.load(),
            Program::SocketFilter(program) => program.load(),
            _ => Ok(()),
        };
        match loaded {
            Ok(()) | Err(ProgramError::AlreadyLoaded) => Ok(program),
            Err(error) => Err(LoadError::Program {
                program: name,
                reason: in_one_line(&error),
            }),
        }
    }

    /// The filter for a packet socket, loaded, with what it goes on with. `raw`: packets begin with the
    /// IP header.
    ///
    /// # Errors
    /// The kernel refuses one of the two programs.
    pub(super) fn socket_filter(&mut self, raw: bool) -> Result<&mut SocketFilter, LoadError> {
        let (place, entry, name) = if raw {
            (1, "tapline_enter_ip", "tapline_sock_ip")
        } else {
            (0, "tapline_enter", "tapline_socket")
        };
        let refused = |program, error: &dyn std::error::Error| LoadError::Program {
            program,
            reason: in_one_line(error),
        };
        let program = <&mut SocketFilter>::try_from(self.program(name)?)
            .map_err(|error| refused(name, &error))?;
        let program = program.fd().map_err(|error| refused(name, &error))?;
        let program = program.try_clone().map_err(|error| refused(name, &error))?;
        self.socket_programs
            .set(place, &program, 0)
            .map_err(|error| map_error(SOCKET_PROGRAMS, &error))?;
        <&mut SocketFilter>::try_from(self.program(entry)?).map_err(|error| refused(entry, &error))
    }

    /// Whether flows are counted.
    #[must_use]
    pub fn counts_flows(&self) -> bool {
        self.counts_flows
    }

    /// Passes on what the programs have said since the last call.
    pub fn flush_log(&mut self) {
        if let Some(log) = &mut self.log {
            log.flush();
        }
    }

    /// How long and how often each loaded program has run while BPF statistics were on, by its name.
    #[must_use]
    pub fn run_times(&self) -> Ran {
        let loaded = self.ebpf.programs();
        let times = loaded.filter_map(|(name, program)| {
            let info = program.info().ok()?;
            Some((name.to_owned(), (info.run_time(), info.run_count())))
        });
        times.collect()
    }

    /// The counters of every CPU, in order.
    ///
    /// # Errors
    /// The map cannot be read.
    pub fn counters(&self) -> Result<Vec<Counters>, LoadError> {
        let values = self
            .counters
            .get(&0, 0)
            .map_err(|error| map_error("WORKPLACE", &error))?;
        Ok(values.iter().map(WorkplaceImage::counters).collect())
    }
}

/// By the name of a program: for how long it has run, and how often.
pub type Ran = BTreeMap<String, (Duration, u64)>;

/// The reader's end of the rings of an object that was loaded with so many entries for `cpus` CPUs.
///
/// # Errors
/// A map is not there, or the kernel does not map it.
pub fn rings(ebpf: &Ebpf, ring_mask: u32, cpus: usize) -> Result<Rings, LoadError> {
    let cursors = map(ebpf, "CURSORS", cpus)?;
    let all = map(ebpf, "RINGS", cpus * segments(ring_mask) as usize)?;
    Ok(Rings::new(cursors, all, ring_mask, cpus))
}

/// CPUs that this host may have, counted by their numbers, from 0 to the highest: each has a ring.
///
/// # Errors
/// The kernel does not tell.
pub fn possible_cpus() -> Result<usize, LoadError> {
    let ranges = std::fs::read_to_string(POSSIBLE).map_err(LoadError::Cpus)?;
    let none = || LoadError::Cpus(io::Error::other(format!("it says {:?}", ranges.trim())));
    highest(&ranges).map(|cpu| cpu + 1).ok_or_else(none)
}

/// Where the kernel tells which CPUs there may be.
const POSSIBLE: &str = "/sys/devices/system/cpu/possible";

/// The highest number in ranges like `0-3,8`.
fn highest(ranges: &str) -> Option<usize> {
    let last = ranges.trim().rsplit([',', '-']).next()?;
    last.parse().ok()
}

/// Bytes that the tables for so many connections take in the kernel, `flows` too where they are counted.
#[must_use]
pub fn table_bytes(places: u32, flows: bool) -> u64 {
    let connections =
        u64::from(buckets(places)) * (size_of::<Bucket>() + WAYS * size_of::<u64>()) as u64;
    let of_flows = u64::from(flow_buckets(places))
        * (size_of::<FlowBucket>() + 2 * size_of::<FlowLines>() + FLOW_WAYS * size_of::<u64>())
            as u64;
    connections + if flows { of_flows } else { 0 }
}

/// Buckets for so many connections: a power of two.
fn buckets(flows: u32) -> u32 {
    flows.max(1).div_ceil(WAYS as u32).next_power_of_two()
}

/// A number that nobody can guess.
///
/// # Errors
/// The kernel gives none.
pub fn random() -> Result<u64, LoadError> {
    let mut bytes = [0; 8];
    // SAFETY: the buffer is valid for writes of its length.
    let read = unsafe { libc::getrandom(bytes.as_mut_ptr().cast(), bytes.len(), 0) };
    if read == bytes.len() as isize {
        Ok(u64::from_ne_bytes(bytes))
    } else {
        Err(LoadError::Random(io::Error::last_os_error()))
    }
}

fn take<M>(ebpf: &mut Ebpf, name: &'static str) -> Result<M, LoadError>
where
    M: TryFrom<aya::maps::Map, Error = MapError>,
{
    let map = ebpf.take_map(name).ok_or_else(|| missing(name))?;
    M::try_from(map).map_err(|error| map_error(name, &error))
}

fn borrow<'a, M>(ebpf: &'a mut Ebpf, name: &'static str) -> Result<M, LoadError>
where
    M: TryFrom<&'a mut aya::maps::Map, Error = MapError>,
{
    let map = ebpf.map_mut(name).ok_or_else(|| missing(name))?;
    M::try_from(map).map_err(|error| map_error(name, &error))
}

fn map<T: super::mapped::Mappable>(
    ebpf: &Ebpf,
    name: &'static str,
    entries: usize,
) -> Result<Mapped<T>, LoadError> {
    use std::os::fd::AsFd as _;
    let Some(aya::maps::Map::Array(map)) = ebpf.map(name) else {
        return Err(missing(name));
    };
    Mapped::new(map.fd().as_fd(), entries).map_err(|error| LoadError::Map {
        map: name,
        reason: format!("cannot map it into memory: {error}"),
    })
}

/// A descriptor of an array map of our own.
fn descriptor(ebpf: &Ebpf, name: &'static str) -> Result<OwnedFd, LoadError> {
    use std::os::fd::AsFd as _;
    let Some(aya::maps::Map::Array(map)) = ebpf.map(name) else {
        return Err(missing(name));
    };
    map.fd()
        .as_fd()
        .try_clone_to_owned()
        .map_err(|error| LoadError::Map {
            map: name,
            reason: format!("cannot keep it open: {error}"),
        })
}

fn missing(map: &'static str) -> LoadError {
    LoadError::Map {
        map,
        reason: "it is not in the object".to_owned(),
    }
}

fn map_error(map: &'static str, error: &MapError) -> LoadError {
    LoadError::Map {
        map,
        reason: in_one_line(error),
    }
}

fn object_error(error: &EbpfError) -> LoadError {
    LoadError::Object {
        reason: in_one_line(error),
    }
}

/// An error with its causes, on one line: verifier logs have thousands.
pub(super) fn in_one_line(error: &dyn std::error::Error) -> String {
    const LENGTH_MAX: usize = 600;
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        cause = error.source();
    }
    let mut text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if text.len() > LENGTH_MAX {
        // The verdict stands at the end.
        let mut start = text.len() - LENGTH_MAX;
        while !text.is_char_boundary(start) {
            start += 1;
        }
        text = format!("… {}", &text[start..]);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_cpu_is_the_last_of_the_ranges() {
        let check = |ranges: &str, expected: Option<usize>| {
            assert_eq!(highest(ranges), expected, "{ranges:?}");
        };
        check("0\n", Some(0));
        check("0-1\n", Some(1));
        check("0-3,8-11\n", Some(11));
        check("0,2", Some(2));
        check("", None);
        check("0-", None);
        assert!(possible_cpus().unwrap() >= 1);
    }
}
