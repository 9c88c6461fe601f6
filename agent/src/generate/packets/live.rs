//! Frames by XDP: a kernel program puts them straight into the ring of an interface's other end
//! (BPF_PROG_TEST_RUN with live frames), millions a second from one CPU.
//!
//! One conversation is made: handshake, request, response, end. The program sends each of its frames for some
//! clients, then the next frame for the same clients: so many connections go on at the same time, each in its
//! order. What differs from client to client, its address, its port and the checksums, the program writes; it
//! belongs to the kernel programs (`agent-ebpf`), and takes frames as `agent_common::live` says.
//!
//! A call takes some 20 ms however little it sends, because the kernel waits for all its CPUs: so it sends
//! many.

mod conversation;
mod error;

use std::io;
use std::time::{Duration, Instant};

use agent_common::live::{
    AT_ONCE, BYTES, CLIENTS, FIRST_CLIENT, FRAMES, FRAMES_MOST, INTERFACE, Live, LiveFrame, NEXT,
};
use aya::maps::{Array, MapData};
use aya::programs::{ProgramError, TestRun as _, TestRunAttrs, TestRunOptions, Xdp};
use aya::{Ebpf, EbpfLoader};

use self::conversation::{Template, conversation, ends};
pub use self::error::LiveError;
use super::departed::Departed;
use super::lane;
use super::script::Script;
use super::segment::Segment;
use super::truth::Truth;
use crate::capture::programs;
use crate::generate::seed::Seed;
use crate::host::interfaces::{self, Interface, InterfaceError};

/// Frames that were given to an interface leave it within this time; some cards count them that late.
const PATIENCE: Duration = Duration::from_millis(1500);

/// An interface that sent next to nothing for so long, though it was given frames, takes no more.
const STALLED: Duration = Duration::from_secs(3);

/// Clients of a call at most.
pub const WAVE: u32 = 1 << 17;

/// Clients at the same time, at most.
const AT_ONCE_MOST: u32 = 256;

/// Frames that the kernel makes at a time: as many as a driver takes out of its ring at once, so that none is
/// dropped because the ring is full.
const BATCH: u32 = 64;

/// Name of the program, and of its map.
const PROGRAM: &str = "tapline_live";
const MAP: &str = "LIVE";
const FRAMES_MAP: &str = "LIVE_FRAMES";

/// Sends waves of a conversation.
#[expect(missing_debug_implementations, reason = "aya's maps have none")]
pub struct LiveSender {
    ebpf: Ebpf,
    map: Array<MapData, Live>,
    /// The kernel empties no array, but it is ours to keep.
    _given: Array<MapData, LiveFrame>,
    interface: String,
    index: u32,
    /// It had a carrier at the beginning.
    was_running: bool,
    departed: Departed,
    /// When frames left it last, and how many were given and had left then.
    progress: (Instant, Departed),
    script: Script,
    segments: Vec<Segment>,
    frames: Vec<Template>,
    next: u32,
    bytes: u64,
}

impl LiveSender {
    /// Loads the program and makes the conversation.
    ///
    /// # Errors
    /// There is none in this build, or the kernel refuses it.
    pub fn open(interface: &Interface, seed: Seed) -> Result<Self, LiveError> {
        let object = programs::object();
        if object.is_empty() {
            return Err(LiveError::NotBuilt);
        }
        let failed = |error: &dyn std::error::Error| LiveError::Load(chain(error));
        let mut ebpf = EbpfLoader::new()
            .btf(None)
            .load(object)
            .map_err(|error| failed(&error))?;
        let map = ebpf.take_map(MAP).ok_or(LiveError::NotBuilt)?;
        let map = Array::try_from(map).map_err(|error| failed(&error))?;
        program(&mut ebpf)
            .and_then(Xdp::load)
            .map_err(|error| failed(&error))?;
        let (script, segments, frames) = conversation(seed);
        let count = sent_packets(&interface.name)
            .ok_or_else(|| LiveError::NotCounted(interface.name.clone()))?;
        let given = ebpf.take_map(FRAMES_MAP).ok_or(LiveError::NotBuilt)?;
        let mut given: Array<MapData, LiveFrame> =
            Array::try_from(given).map_err(|error| failed(&error))?;
        for (place, frame) in (0..).zip(frames.iter().take(FRAMES_MOST)) {
            given
                .set(place, frame.words(), 0)
                .map_err(|error| failed(&error))?;
        }
        Ok(Self {
            _given: given,
            ebpf,
            map,
            interface: interface.name.clone(),
            index: interface.index,
            was_running: interface.running,
            departed: Departed::begin(count),
            progress: (Instant::now(), Departed::begin(count)),
            script,
            segments,
            frames,
            next: 0,
            bytes: 0,
        })
    }

    /// Frames of a connection.
    #[must_use]
    pub fn frames_a_connection(&self) -> u64 {
        self.frames.len() as u64
    }

    /// Frames that were given to the interface, and those that left it.
    #[must_use]
    pub const fn departed(&self) -> Departed {
        self.departed
    }

    /// Bytes of the frames that left so far, by their mean length.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        let left = u128::from(self.bytes) * u128::from(self.departed.left());
        let given = u128::from(self.departed.given().max(1));
        u64::try_from(left / given).unwrap_or(u64::MAX)
    }

    /// Sends the whole conversation for the next `clients` clients, or some more (at most [`WAVE`] in any
    /// case). Gives the number of the first, and how many they are. After 2³¹ clients they begin anew.
    ///
    /// # Errors
    /// The kernel runs the program no more.
    pub fn wave(&mut self, clients: u32) -> Result<(u32, u32), LiveError> {
        let clients = clients.clamp(1, WAVE);
        let at_once = clients.min(AT_ONCE_MOST);
        let clients = clients.next_multiple_of(at_once).min(WAVE);
        let first = self.next;
        let frames = self.frames.len() as u32;
        let mut told: Live = [0; 8];
        told[INTERFACE] = self.index;
        told[FIRST_CLIENT] = first;
        told[AT_ONCE] = at_once;
        told[FRAMES] = frames;
        let failed = |error: &dyn std::error::Error| LiveError::Run(chain(error));
        self.map.set(0, told, 0).map_err(|error| failed(&error))?;
        let all = clients * frames;
        // What others sent since the last wave is none of this one.
        self.look();
        if self.departed.unsent() == 0 {
            self.progress = (Instant::now(), self.departed);
        }
        let mut done = 0;
        while done < all {
            let options = TestRunOptions {
                data_in: Some(&[0; BYTES]),
                repeat: all - done,
                attrs: TestRunAttrs::new().xdp_live_frames(BATCH),
                ..TestRunOptions::new()
            };
            let ran = program(&mut self.ebpf).and_then(|program| program.test_run(options));
            // A signal ends a run early: the map tells how far it came.
            if let Err(error) = ran
                && !is_interruption(&error)
            {
                return Err(failed(&error));
            }
            done = self.map.get(&0, 0).map_err(|error| failed(&error))?[NEXT].min(all);
        }
        let bytes: usize = self.frames.iter().map(|frame| frame.bytes.len()).sum();
        self.bytes += bytes as u64 * u64::from(clients);
        self.departed.give(u64::from(all));
        self.next = (first + clients) % CLIENTS;
        Ok((first, clients))
    }

    /// The number of a frame of a client, counted from the first frame of its wave, in which there are so many
    /// `clients`; `client` is counted from the first too.
    fn number(&self, frame: u64, client: u32, clients: u32) -> u64 {
        let at_once = u64::from(clients.min(AT_ONCE_MOST));
        let (turn, place) = (u64::from(client) / at_once, u64::from(client) % at_once);
        (turn * self.frames.len() as u64 + frame) * at_once + place
    }

    /// What the connection of a client of the last wave holds. `first`: the number of the first client of the
    /// wave, `clients`: how many there are, `frame`: the number of its first frame in the run.
    pub fn tell(
        &self,
        (first, clients): (u32, u32),
        client: u32,
        frame: u64,
        truth: &mut Vec<Truth>,
    ) {
        let number = first + client;
        lane::tell_live(&self.script, &self.segments, ends(number), number, truth);
        for told in truth {
            let moved = |number: &mut Option<u64>| {
                *number = number.map(|number| frame + self.number(number, client, clients));
            };
            match told {
                Truth::Message(message) => {
                    moved(&mut message.first_frame);
                    moved(&mut message.last_frame);
                }
                Truth::Exchange(exchange) => {
                    moved(&mut exchange.request_frame);
                    moved(&mut exchange.response_frame);
                }
                Truth::Session(_) => {}
            }
        }
    }

    /// Whether all frames of a client of the last wave are among the first `left` of the wave.
    #[must_use]
    pub fn has_left(&self, clients: u32, client: u32, left: u64) -> bool {
        let last = self.frames_a_connection().saturating_sub(1);
        self.number(last, client, clients) < left
    }

    /// To be called behind every wave: whether the interface is there and frames leave it.
    ///
    /// # Errors
    /// It is gone, went down, or has sent nothing for a while.
    pub fn check(&mut self) -> Result<(), LiveError> {
        let name = || self.interface.clone();
        match interfaces::by_name(&self.interface) {
            Ok(now) if now.index != self.index => return Err(LiveError::Gone(name())),
            Err(InterfaceError::Unknown { .. }) => return Err(LiveError::Gone(name())),
            Err(error) => return Err(error.into()),
            Ok(now) => {
                self.look();
                if !now.up || (self.was_running && !now.running) {
                    return Err(LiveError::Down(self.interface.clone()));
                }
            }
        }
        let (since, before) = self.progress;
        if self.departed.moves_since(&before) {
            self.progress = (Instant::now(), self.departed);
        } else if since.elapsed() > STALLED {
            return Err(LiveError::Stalled(self.interface.clone()));
        }
        Ok(())
    }

    /// Waits until the frames that were given have left but for `missing`, [`PATIENCE`] at the most: others send there
    /// too, so that it counts on says nothing about ours.
    pub fn settle(&mut self, missing: u64) {
        let begun = Instant::now();
        loop {
            self.look();
            if self.departed.unsent() <= missing || begun.elapsed() > PATIENCE {
                return;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    fn look(&mut self) {
        if let Some(count) = sent_packets(&self.interface) {
            self.departed.see(count);
        }
    }

    /// As [`wave`](Self::wave), and looks whether frames arrive: where the other end of the cable takes none,
    /// the kernel drops every one.
    ///
    /// # Errors
    /// They do not, or the kernel does not run the program.
    pub fn first_wave(&mut self, clients: u32) -> Result<(u32, u32), LiveError> {
        let wave = self.wave(clients)?;
        self.settle(0);
        // What others send in the meantime is a few packets.
        match self.departed.left() < self.departed.given() / 2 {
            true => Err(LiveError::NotTaken(self.interface.clone())),
            false => Ok(wave),
        }
    }
}

fn program(ebpf: &mut Ebpf) -> Result<&mut Xdp, ProgramError> {
    let program = ebpf.program_mut(PROGRAM);
    let missing = || ProgramError::InvalidName {
        name: PROGRAM.to_owned(),
    };
    program.ok_or_else(missing)?.try_into()
}

fn is_interruption(error: &ProgramError) -> bool {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<io::Error>() {
            return error.raw_os_error() == Some(libc::EINTR);
        }
        cause = error.source();
    }
    false
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Packets that an interface of the calling thread's namespace has sent, as the kernel counts them.
fn sent_packets(name: &str) -> Option<u64> {
    let text = std::fs::read_to_string("/proc/thread-self/net/dev").ok()?;
    let line = text
        .lines()
        .find_map(|line| line.trim().strip_prefix(name)?.strip_prefix(':'))?;
    line.split_whitespace().nth(9)?.parse().ok()
}
