//! Helpers for tests that need a real kernel: a network namespace of their own, or root.

use std::io;
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};
use std::process::Command;

/// Whether this test may go on. Without root it says on stderr that it is left out.
pub(crate) fn is_root(test: &str) -> bool {
    // SAFETY: takes nothing and cannot fail.
    let root = unsafe { libc::geteuid() } == 0;
    if !root {
        eprintln!("left out: {test} needs root");
    }
    root
}

/// Runs `test` on a thread in a fresh network namespace, which goes with the thread. Threads and
/// commands that `test` starts are in that namespace too; nobody else can see it.
pub(crate) fn in_new_namespace(test: impl FnOnce() + Send) {
    let caller = std::thread::current();
    if !is_root(caller.name().unwrap_or("a test")) {
        return;
    }
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            // SAFETY: takes a flag and changes only this thread, which nobody else uses.
            let result = unsafe { libc::unshare(libc::CLONE_NEWNET) };
            assert_eq!(result, 0, "unshare: {}", io::Error::last_os_error());
            test();
        });
        if let Err(panic) = thread.join() {
            std::panic::resume_unwind(panic);
        }
    });
}

/// Runs `ip` with these words and expects success.
pub(crate) fn ip(words: &str) {
    let output = Command::new("ip")
        .args(words.split_whitespace())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "ip {words}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// The variable that tells a test that it runs in a process of its own.
const CHILD: &str = "TAPLINE_TEST_CHILD";

/// Whether this process was started by [`rerun`] for the test of this name.
pub(crate) fn is_child(test: &str) -> bool {
    std::env::var(CHILD).is_ok_and(|name| name == test)
}

/// Runs the test of this full name again in a process of its own, behind the words of `wrapper`
/// (a command that starts another), expects success and returns what it wrote to stdout.
pub(crate) fn rerun(test: &str, wrapper: &[&str]) -> String {
    let this = std::env::current_exe().unwrap();
    let (program, words): (&std::ffi::OsStr, &[&str]) = match wrapper {
        [] => (this.as_os_str(), &[]),
        [program, words @ ..] => (program.as_ref(), words),
    };
    let mut command = Command::new(program);
    command.args(words);
    if !wrapper.is_empty() {
        command.arg(&this);
    }
    let output = command
        .args([test, "--exact", "--nocapture", "--test-threads=1"])
        .env(CHILD, test)
        .output()
        .unwrap();
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success() && stdout.contains("1 passed"),
        "{test}: {stdout}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    stdout
}

/// Runs `body` in a forked process, which has one thread only; panics if `body` did. To be called in
/// a process of [`rerun`], where no other thread holds a lock that the fork would need.
pub(crate) fn forked(body: impl FnOnce()) {
    // SAFETY: takes nothing. The other thread of a test process waits for this one; the locks of
    // the allocator and of the standard streams are free or taken care of by the C library.
    match unsafe { libc::fork() } {
        -1 => panic!("fork: {}", io::Error::last_os_error()),
        0 => {
            let body = std::panic::AssertUnwindSafe(body);
            let failed = std::panic::catch_unwind(body).is_err();
            // SAFETY: takes a number and does not return; no destructor of the test's parent runs.
            unsafe { libc::_exit(failed.into()) }
        }
        child => {
            let mut status = 0;
            // SAFETY: `status` is valid for writes, and the child is ours.
            let ended = unsafe { libc::waitpid(child, &raw mut status, 0) };
            assert_eq!((ended, status), (child, 0), "the forked process failed");
        }
    }
}

/// Numbers of program types and places (`linux/bpf.h`), and XDP modes (`linux/if_link.h`).
pub(crate) mod number {
    pub(crate) const PROGRAM_TC: u32 = 3;
    pub(crate) const PROGRAM_XDP: u32 = 6;
    pub(crate) const AT_XDP: u32 = 37;
    pub(crate) const AT_TCX_INGRESS: u32 = 46;
    pub(crate) const XDP_GENERIC: u32 = 1 << 1;
    pub(crate) const XDP_NATIVE: u32 = 1 << 2;
}

/// Loads a program of two instructions (return 0), named `bare`.
pub(crate) fn load_bare_program(kind: u32) -> io::Result<OwnedFd> {
    const LOAD: libc::c_long = 5;
    // r0 = 0; exit
    let instructions: [u64; 2] = [0xb7, 0x95];
    let license = c"GPL";
    // The start of `union bpf_attr`: type and count, instructions, licence, log, kernel version and
    // flags, name.
    let attributes: [u64; 8] = [
        u64::from(kind) | 2 << 32,
        instructions.as_ptr() as u64,
        license.as_ptr() as u64,
        0,
        0,
        0,
        u64::from_ne_bytes(*b"bare\0\0\0\0"),
        0,
    ];
    bpf(LOAD, &attributes)
}

/// Puts a program on an interface by a link, which ends when it is dropped.
pub(crate) fn attach(
    program: &OwnedFd,
    interface: u32,
    place: u32,
    flags: u32,
) -> io::Result<OwnedFd> {
    const LINK_CREATE: libc::c_long = 28;
    let program = u64::from(program.as_raw_fd().cast_unsigned());
    let attributes: [u64; 2] = [
        program | u64::from(interface) << 32,
        u64::from(place) | u64::from(flags) << 32,
    ];
    bpf(LINK_CREATE, &attributes)
}

fn bpf(command: libc::c_long, attributes: &[u64]) -> io::Result<OwnedFd> {
    // SAFETY: the kernel reads as many bytes as it is told there are, and what pointers in them lead
    // to lives in the caller.
    let result = unsafe {
        libc::syscall(
            libc::SYS_bpf,
            command,
            attributes.as_ptr(),
            size_of_val(attributes),
        )
    };
    let descriptor = i32::try_from(result).unwrap();
    if descriptor < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: a descriptor that was just made, and that nobody else knows.
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor) })
}
