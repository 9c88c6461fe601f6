//! The kernel programs under test: loaded, with one connection in their table that has seen a whole
//! exchange, and with everything at hand that tells which way a frame took.

use std::collections::BTreeMap;
use std::mem::offset_of;
use std::os::fd::{AsFd as _, BorrowedFd};

use agent_common::connection::{Connection, Direction};
use agent_common::counters::Counters;
use agent_common::flow::{FLOW_WAYS, FlowDirection, FlowLines, FlowLinesImage, line_index};
use agent_common::record::RecordHeader;
use agent_common::ring::segments;
use agent_common::scratch::WorkplaceImage;
use agent_common::settings::Settings;
use agent_common::table::{Bucket, WAYS};
use anyhow::{Context as _, Result, bail};
use aya::maps::{Array, IterableMap as _, Map, MapData, PerCpuArray};
use aya::programs::Program;
use aya::{Ebpf, EbpfLoader};
use tapline::capture::programs;
use tapline::capture::rings::Rings;

use crate::frames::{self, Sender, flag};
use crate::system_call::{self, Kind};
use crate::wrapper::{Word, Words};

/// The size of the ring of each CPU, as the agent has it by default on two.
const RING: u32 = 8 << 20;

/// Buckets of the connection table: as for 65536 connections.
const BUCKETS: u32 = 65_536 / WAYS as u32;

/// Buckets of the table of flows: as for 262,144 flows.
const FLOW_BUCKETS: u32 = 262_144 / FLOW_WAYS as u32;

/// First sequence number of the client; the server's is larger by a million.
const FIRST_SEQUENCE: u32 = 1_000_000;

/// A hook to be measured.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Hook {
    Tc,
    Xdp,
    Socket,
}

impl Hook {
    /// Every hook.
    pub(crate) const ALL: [Self; 3] = [Self::Tc, Self::Xdp, Self::Socket];

    /// As in `--attach`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Tc => "tc",
            Self::Xdp => "xdp",
            Self::Socket => "socket",
        }
    }

    /// The program in the object.
    pub(crate) fn program(self) -> &'static str {
        match self {
            Self::Tc => "tapline_ingress",
            Self::Xdp => "tapline_xdp",
            Self::Socket => "tapline_socket",
        }
    }

    /// Its type.
    pub(crate) fn kind(self) -> Kind {
        match self {
            Self::Tc => Kind::SchedClassifier,
            Self::Xdp => Kind::Xdp,
            Self::Socket => Kind::SocketFilter,
        }
    }

    /// What the program returns for every packet.
    pub(crate) fn verdict(self) -> u32 {
        match self {
            Self::Tc => u32::MAX,
            Self::Xdp => 2,
            Self::Socket => 0,
        }
    }

    /// A frame as `BPF_PROG_TEST_RUN` wants it. Socket filters are shown what is behind the link
    /// header of what is passed; at a packet socket they see the link header too, so it is passed
    /// twice.
    pub(crate) fn input(self, frame: &[u8]) -> Vec<u8> {
        match self {
            Self::Tc | Self::Xdp => frame.to_vec(),
            Self::Socket => [&frame[..frames::ETHERNET], frame].concat(),
        }
    }
}

/// The value of the connection table, as bits.
#[repr(C)]
#[derive(Clone, Copy)]
struct BucketImage([u8; size_of::<Bucket>()]);

// SAFETY: bytes only: no padding, every bit pattern is valid.
unsafe impl aya::Pod for BucketImage {}

/// A program with its maps.
pub(crate) struct Subject {
    pub(crate) hook: Hook,
    ebpf: Ebpf,
    counters: PerCpuArray<MapData, WorkplaceImage>,
    rings: Rings,
    connections: Array<MapData, BucketImage>,
    flow_lines: Array<MapData, FlowLinesImage>,
    /// The flow of the connection, where flows are counted: its bucket, and the offset of its lines there.
    flow: Option<(u32, usize)>,
    cpu: usize,
    bucket: u32,
    /// Offset of the connection in its bucket.
    connection: usize,
}

impl Subject {
    /// Loads the program of `hook` out of `object` and shows it an exchange: SYN, SYN with ACK, an ACK, a
    /// request, its response. `flows`: they are counted.
    ///
    /// # Errors
    /// The kernel refuses it, or the exchange is not in its table afterwards.
    pub(crate) fn new(hook: Hook, object: &[u8], cpu: usize, flows: bool) -> Result<Self> {
        let settings = Settings {
            bucket_mask: BUCKETS - 1,
            flow_mask: FLOW_BUCKETS - 1,
            flows: u32::from(flows),
            ring_mask: RING - 1,
            ..Settings::DEFAULT
        };
        let cpus = programs::possible_cpus()?;
        let mut ebpf = EbpfLoader::new()
            .btf(None)
            .override_global("SETTINGS", &settings, true)
            .map_max_entries("RINGS", cpus as u32 * segments(settings.ring_mask))
            .map_max_entries("CURSORS", cpus as u32)
            .map_max_entries("CONNECTIONS", BUCKETS)
            .map_max_entries("RELEASES", BUCKETS * WAYS as u32)
            .map_max_entries("FLOWS", FLOW_BUCKETS)
            .map_max_entries("FLOW_LINES", 2 * FLOW_BUCKETS)
            .map_max_entries("FLOWS_KNOWN", FLOW_BUCKETS * FLOW_WAYS as u32)
            .load(object)
            .context("load the object")?;
        let name = hook.program();
        let program = ebpf
            .program_mut(name)
            .with_context(|| format!("there is no program {name} in the object"))?;
        load(name, program)?;
        let counters = PerCpuArray::try_from(take(&mut ebpf, "WORKPLACE")?)?;
        let rings = programs::rings(&ebpf, settings.ring_mask, cpus)?;
        let connections = Array::try_from(take(&mut ebpf, "CONNECTIONS")?)?;
        let flow_lines = Array::try_from(take(&mut ebpf, "FLOW_LINES")?)?;
        let mut subject = Self {
            hook,
            ebpf,
            counters,
            rings,
            connections,
            flow_lines,
            flow: None,
            cpu,
            bucket: 0,
            connection: 0,
        };
        subject.exchange()?;
        (subject.bucket, subject.connection) = subject.find()?;
        if flows {
            subject.flow = Some(subject.find_flow()?);
        }
        Ok(subject)
    }

    /// The program.
    pub(crate) fn program(&self) -> Result<BorrowedFd<'_>> {
        let program = self
            .ebpf
            .program(self.hook.program())
            .context("the program is gone")?;
        let descriptor = match program {
            Program::SchedClassifier(program) => program.fd(),
            Program::Xdp(program) => program.fd(),
            Program::SocketFilter(program) => program.fd(),
            _ => bail!("the program changed its type"),
        };
        Ok(descriptor?.as_fd())
    }

    /// What is to be set before each run so that a segment of `sender` with the sequence number of
    /// [`Self::next_sequence`] is the next, on a connection whose exchanges so far are complete
    /// (`sender` the client: it asks anew; the server: it answers).
    pub(crate) fn before(&self, sender: Sender) -> Vec<Words<'_>> {
        let (client, server) = match sender {
            Sender::Client => (1, 1),
            Sender::Server => (2, 1),
        };
        let word = |side: Sender, field: usize, value: u32| Word {
            offset: self.direction(side) + field,
            value,
        };
        let messages = offset_of!(Direction, messages);
        let mut all = vec![Words {
            table: self.connections.map().fd().as_fd(),
            bucket: self.bucket,
            words: vec![
                word(
                    sender,
                    offset_of!(Direction, next_sequence),
                    next_sequence(sender),
                ),
                word(Sender::Client, messages, client),
                word(Sender::Server, messages, server),
            ],
        }];
        if let Some((bucket, line)) = self.flow {
            let side = u32::from(sender == Sender::Server);
            all.push(Words {
                table: self.flow_lines.map().fd().as_fd(),
                bucket: line_index(FLOW_BUCKETS - 1, side, bucket),
                words: vec![Word {
                    offset: line + offset_of!(FlowDirection, next_sequence),
                    value: next_sequence(sender),
                }],
            });
        }
        all
    }

    /// The counters of the CPU that this thread runs on.
    pub(crate) fn counters(&self) -> Result<Counters> {
        let all = self.counters.get(&0, 0).context("read the counters")?;
        let own = all.get(self.cpu).context("there is no such CPU")?;
        Ok(own.counters())
    }

    /// The stream position of what `sender` sent.
    pub(crate) fn position(&self, sender: Sender) -> Result<u64> {
        let bucket = self.connections.get(&self.bucket, 0)?;
        let offset = self.direction(sender) + offset_of!(Direction, position);
        let bytes = bucket.0[offset..offset + 8].try_into()?;
        Ok(u64::from_ne_bytes(bytes))
    }

    /// Takes all records out of the ring. Gives their number and the bytes of payload in them.
    pub(crate) fn drain(&mut self) -> (u64, u64) {
        let captured = offset_of!(RecordHeader, captured);
        let (mut records, mut bytes) = (0, 0);
        self.rings.look();
        while let Some(record) = self.rings.next() {
            records += 1;
            if let Some(word) = record.get(captured..captured + 4) {
                bytes += u64::from(u32::from_ne_bytes([word[0], word[1], word[2], word[3]]));
            }
        }
        self.rings.done();
        (records, bytes)
    }

    fn exchange(&mut self) -> Result<()> {
        let head = frames::request_head(200);
        let answer = frames::response_head(200);
        for (sender, sequence, flags, payload) in [
            (Sender::Client, isn(Sender::Client), flag::SYN, &[][..]),
            (
                Sender::Server,
                isn(Sender::Server),
                flag::SYN | flag::ACK,
                &[],
            ),
            (Sender::Client, isn(Sender::Client) + 1, flag::ACK, &[]),
            (
                Sender::Client,
                isn(Sender::Client) + 1,
                flag::PUSH | flag::ACK,
                &head,
            ),
            (Sender::Server, isn(Sender::Server) + 1, flag::ACK, &answer),
        ] {
            let frame = frames::frame(sender, sequence, flags, payload);
            let input = self.hook.input(&frame);
            let ran = system_call::run(self.hook.kind(), self.program()?, &input, 1)
                .context("run the program")?;
            if ran.returned != self.hook.verdict() {
                bail!("{} returned {}", self.hook.program(), ran.returned);
            }
        }
        let counters = self.counters()?;
        let (records, bytes) = self.drain();
        if (counters.candidates, records, bytes) != (2, 2, 400) {
            bail!(
                "an exchange of two heads of 200 bytes gave {} candidates and {records} records of \
                 {bytes} bytes",
                counters.candidates
            );
        }
        Ok(())
    }

    /// The bucket and the offset in it of the only connection there is.
    fn find(&self) -> Result<(u32, usize)> {
        for bucket in 0..BUCKETS {
            let image = self.connections.get(&bucket, 0)?;
            for place in 0..WAYS {
                let connection = offset_of!(Bucket, places) + place * size_of::<Connection>();
                let tag = connection + offset_of!(Connection, tag);
                if image.0[tag..tag + 8] != [0; 8] {
                    return Ok((bucket, connection));
                }
            }
        }
        bail!("the connection is not in the table")
    }

    /// The bucket and the offset in it of the only flow there is.
    fn find_flow(&self) -> Result<(u32, usize)> {
        for index in 0..FLOW_BUCKETS {
            let image = self.flow_lines.get(&index, 0)?;
            for (place, line) in image.lines().places.iter().enumerate() {
                if line.tag.get() != 0 {
                    let offset = offset_of!(FlowLines, places) + place * size_of::<FlowDirection>();
                    return Ok((index, offset));
                }
            }
        }
        bail!("the flow is not in the table")
    }

    /// Offset of a direction in the bucket. The client has the lower address.
    fn direction(&self, sender: Sender) -> usize {
        self.connection
            + offset_of!(Connection, directions)
            + size_of::<Direction>() * usize::from(sender == Sender::Server)
    }
}

/// The sequence number of the next segment of `sender` after the exchange.
pub(crate) fn next_sequence(sender: Sender) -> u32 {
    isn(sender) + 1 + 200
}

fn isn(sender: Sender) -> u32 {
    match sender {
        Sender::Client => FIRST_SEQUENCE,
        Sender::Server => 2 * FIRST_SEQUENCE,
    }
}

/// How many instructions the verifier looks at for each program of `object`, by name.
///
/// # Errors
/// The kernel refuses one.
pub(crate) fn verified(object: &[u8]) -> Result<BTreeMap<String, Option<u32>>> {
    let mut ebpf = EbpfLoader::new()
        .btf(None)
        .load(object)
        .context("load the object")?;
    let mut counts = BTreeMap::new();
    for (name, program) in ebpf.programs_mut() {
        load(name, program)?;
        counts.insert(
            name.to_owned(),
            program.info()?.verified_instruction_count(),
        );
    }
    Ok(counts)
}

fn load(name: &str, program: &mut Program) -> Result<()> {
    match program {
        Program::SchedClassifier(program) => program.load(),
        Program::Xdp(program) => program.load(),
        Program::SocketFilter(program) => program.load(),
        _ => bail!("{name} is of no type that is known here"),
    }
    .with_context(|| format!("load {name}"))
}

fn take(ebpf: &mut Ebpf, name: &str) -> Result<Map> {
    ebpf.take_map(name)
        .with_context(|| format!("there is no map {name} in the object"))
}
