//! A program of somebody else on the same interface.

use std::ffi::CString;
use std::io;
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};

use super::namespace::Namespace;

/// Commands of bpf(2).
const LOAD: i64 = 5;
const CREATE_LINK: i64 = 28;
/// BPF_PROG_TYPE_SCHED_CLS.
const CLASSIFIER: u32 = 3;
/// BPF_TCX_INGRESS and BPF_TCX_EGRESS.
const DIRECTIONS: [u32; 2] = [46, 47];
/// BPF_F_BEFORE.
const BEFORE: u32 = 1 << 3;

/// A tcx program in both directions that says TC_ACT_OK: no program behind it sees a packet. Taken
/// off when dropped.
#[derive(Debug)]
pub struct Neighbour {
    _links: [OwnedFd; 2],
}

impl Neighbour {
    /// Attaches it before (`first`) or behind the programs that are there.
    ///
    /// # Panics
    /// The kernel refuses: not root, or no tcx.
    #[must_use]
    pub fn attach(namespace: &Namespace, interface: &str, first: bool) -> Self {
        namespace.enter(|| {
            let name = CString::new(interface).unwrap();
            // SAFETY: the name ends with 0 and lives through the call.
            let index = unsafe { libc::if_nametoindex(name.as_ptr()) };
            assert_ne!(index, 0, "no interface {interface}");
            let program = load();
            let links = DIRECTIONS.map(|direction| {
                let mut words = [0_u32; 12];
                words[0] = u32::try_from(program.as_raw_fd()).unwrap();
                words[1] = index;
                words[2] = direction;
                words[3] = if first { BEFORE } else { 0 };
                bpf(CREATE_LINK, &words)
            });
            Self { _links: links }
        })
    }
}

/// Loads `r0 = 0; exit`.
fn load() -> OwnedFd {
    const INSTRUCTIONS: [u64; 2] = [0xb7, 0x95];
    let halves = |pointer: u64| [pointer as u32, (pointer >> 32) as u32];
    let license = c"Dual MIT/GPL";
    let mut words = [0_u32; 30];
    words[0] = CLASSIFIER;
    words[1] = 2;
    words[2..4].copy_from_slice(&halves(INSTRUCTIONS.as_ptr() as u64));
    words[4..6].copy_from_slice(&halves(license.as_ptr() as u64));
    // The name, from byte 48 on.
    words[12] = u32::from_ne_bytes(*b"neig");
    words[13] = u32::from_ne_bytes(*b"hbou");
    words[14] = u32::from_ne_bytes(*b"r\0\0\0");
    bpf(LOAD, &words)
}

fn bpf(command: i64, words: &[u32]) -> OwnedFd {
    // SAFETY: the attributes and what they point to live through the call; their length is true.
    let descriptor =
        unsafe { libc::syscall(libc::SYS_bpf, command, words.as_ptr(), size_of_val(words)) };
    let error = io::Error::last_os_error();
    let descriptor = i32::try_from(descriptor).unwrap();
    assert!(descriptor >= 0, "bpf command {command}: {error}");
    // SAFETY: a descriptor that was just made and that nobody else owns.
    unsafe { OwnedFd::from_raw_fd(descriptor) }
}
