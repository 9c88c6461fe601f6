//! The few commands of `bpf(2)` that are needed on programs made here, and that aya has for programs
//! out of an object only.

use std::io;
use std::mem::offset_of;
use std::os::fd::{AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd};

/// One instruction of the kernel's virtual machine (`struct bpf_insn`).
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub(crate) struct Instruction {
    /// What to do.
    pub(crate) code: u8,
    /// Destination register in the low half, source in the high half.
    pub(crate) registers: u8,
    /// An offset in memory, or how far to jump.
    pub(crate) offset: i16,
    /// A number.
    pub(crate) immediate: i32,
}

/// `enum bpf_prog_type`, as far as it is of use here.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u32)]
pub(crate) enum Kind {
    SocketFilter = 1,
    SchedClassifier = 3,
    Xdp = 6,
}

impl Kind {
    /// `BPF_F_XDP_HAS_FRAGS` for XDP: programs with and without it cannot call each other.
    fn flags(self) -> u32 {
        if self == Self::Xdp { 1 << 5 } else { 0 }
    }

    /// `BPF_XDP`, as the loader of the object gives it.
    fn attach_type(self) -> u32 {
        if self == Self::Xdp { 37 } else { 0 }
    }
}

/// What running a program gave.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ran {
    /// What the program returned in its last run.
    pub(crate) returned: u32,
    /// Nanoseconds that all runs took together.
    pub(crate) total_ns: u64,
}

/// Loads a program.
///
/// # Errors
/// What the kernel says, with the verifier's last words.
pub(crate) fn load(kind: Kind, instructions: &[Instruction]) -> io::Result<OwnedFd> {
    #[repr(C)]
    struct Load {
        kind: u32,
        count: u32,
        instructions: u64,
        license: u64,
        log_level: u32,
        log_size: u32,
        log: u64,
        kernel_version: u32,
        flags: u32,
        name: [u8; 16],
        ifindex: u32,
        attach_type: u32,
    }
    let mut log = vec![0_u8; 64 * 1024];
    let mut name = [0; 16];
    name[..13].copy_from_slice(b"tapline_bench");
    let request = Load {
        kind: kind as u32,
        count: instructions.len() as u32,
        instructions: instructions.as_ptr() as u64,
        license: c"Dual MIT/GPL".as_ptr() as u64,
        log_level: 1,
        log_size: log.len() as u32,
        log: log.as_mut_ptr() as u64,
        kernel_version: 0,
        flags: kind.flags(),
        name,
        ifindex: 0,
        attach_type: kind.attach_type(),
    };
    // SAFETY: every pointer is to memory that outlives the call and is as long as told; the kernel
    // writes to the log alone.
    let loaded = unsafe { bpf(5, &request) };
    loaded.map(owned).map_err(|error| {
        let log = String::from_utf8_lossy(&log);
        let said = log.trim_end_matches('\0').trim();
        io::Error::new(error.kind(), format!("{error}: {said}"))
    })
}

/// Makes a table of one program to jump to, and puts `program` there.
///
/// # Errors
/// What the kernel says.
pub(crate) fn jump_table(program: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    #[repr(C)]
    struct Create {
        kind: u32,
        key_size: u32,
        value_size: u32,
        entries: u32,
    }
    #[repr(C)]
    struct Update {
        map: u32,
        unused: u32,
        key: u64,
        value: u64,
        flags: u64,
    }
    const PROGRAM_ARRAY: u32 = 3;
    let create = Create {
        kind: PROGRAM_ARRAY,
        key_size: 4,
        value_size: 4,
        entries: 1,
    };
    // SAFETY: no pointers inside.
    let map = owned(unsafe { bpf(0, &create) }?);
    let key = 0_u32;
    let value = program.as_raw_fd();
    let update = Update {
        map: map.as_raw_fd() as u32,
        unused: 0,
        key: (&raw const key) as u64,
        value: (&raw const value) as u64,
        flags: 0,
    };
    // SAFETY: key and value are four bytes long, as the map was made, and live.
    unsafe { bpf(2, &update) }?;
    Ok(map)
}

/// Runs a program `repeat` times over `frame` (`BPF_PROG_TEST_RUN`).
///
/// The time is the CPU time of this thread, which is exact and leaves out what others ran meanwhile.
/// For XDP the call itself costs as much as thousands of runs (the kernel rewrites its code to jump to
/// the program), so there it is the kernel's own figure, which is cut to whole nanoseconds a run.
///
/// # Errors
/// What the kernel says.
pub(crate) fn run(
    kind: Kind,
    program: BorrowedFd<'_>,
    frame: &[u8],
    repeat: u32,
) -> io::Result<Ran> {
    #[repr(C)]
    struct TestRun {
        program: u32,
        returned: u32,
        frame_length: u32,
        out_length: u32,
        frame: u64,
        out: u64,
        repeat: u32,
        duration_ns: u32,
        rest: [u64; 5],
    }
    let request = TestRun {
        program: program.as_raw_fd() as u32,
        returned: 0,
        frame_length: frame.len() as u32,
        out_length: 0,
        frame: frame.as_ptr() as u64,
        out: 0,
        repeat,
        duration_ns: 0,
        rest: [0; 5],
    };
    let mut request = request;
    let before = thread_cpu_ns();
    // SAFETY: the frame lives and is as long as told; nothing is asked back.
    unsafe { bpf_mut(10, &mut request) }?;
    let cpu_ns = thread_cpu_ns() - before;
    let total_ns = if kind == Kind::Xdp {
        u64::from(request.duration_ns) * u64::from(repeat)
    } else {
        cpu_ns
    };
    Ok(Ran {
        returned: request.returned,
        total_ns,
    })
}

/// Binds this thread to one CPU.
///
/// # Errors
/// There is no such CPU, or this thread may not run on it.
pub(crate) fn pin_to(cpu: usize) -> io::Result<()> {
    // SAFETY: a set of CPUs is plain data; `CPU_SET` checks nothing, so the index is checked here.
    let bound = unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        if cpu >= libc::CPU_SETSIZE as usize {
            return Err(io::Error::from_raw_os_error(libc::EINVAL));
        }
        libc::CPU_SET(cpu, &mut set);
        libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &raw const set)
    };
    if bound == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// CPU time that this thread has used.
fn thread_cpu_ns() -> u64 {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: `time` is valid for writes.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// # Safety
/// The request must be one of this command, with pointers that the kernel may use as it says.
unsafe fn bpf<T>(command: i32, request: &T) -> io::Result<i32> {
    // SAFETY: the caller's promise; the kernel reads no more than it is told the length of.
    let result = unsafe {
        libc::syscall(
            libc::SYS_bpf,
            command,
            core::ptr::from_ref(request),
            size_of::<T>() as libc::c_uint,
        )
    };
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(result as i32)
    }
}

/// # Safety
/// As [`bpf`]; the kernel writes to the request.
unsafe fn bpf_mut<T>(command: i32, request: &mut T) -> io::Result<()> {
    // SAFETY: as above, and the request is borrowed mutably.
    let result = unsafe {
        libc::syscall(
            libc::SYS_bpf,
            command,
            core::ptr::from_mut(request),
            size_of::<T>() as libc::c_uint,
        )
    };
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    }
}

fn owned(descriptor: i32) -> OwnedFd {
    // SAFETY: the kernel just gave it, nobody else owns it.
    unsafe { OwnedFd::from_raw_fd(descriptor) }
}

const _: () = assert!(size_of::<Instruction>() == 8);
const _: () = assert!(offset_of!(Instruction, immediate) == 4);
