//! Helpers for tests that need a real kernel: a network namespace of their own, or root.

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
            assert_eq!(result, 0, "unshare: {}", std::io::Error::last_os_error());
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
        -1 => panic!("fork: {}", std::io::Error::last_os_error()),
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
