//! What this process may do, and how it gives up what it no longer needs.
//!
//! What each hook truly needs, tried on Linux 6.18 with `unprivileged_bpf_disabled` = 2:
//!
//! | step | tc | XDP | socket filter |
//! |---|---|---|---|
//! | make maps | BPF | BPF | BPF |
//! | load the program | BPF, NET_ADMIN, PERFMON¹ | BPF, NET_ADMIN, PERFMON¹ | BPF, PERFMON¹ |
//! | attach it the first time, and again | nothing (bpf link); NET_ADMIN where there is no tcx (before 6.6) | nothing (bpf link) | NET_RAW for the socket; nothing to bind it again |
//! | ask which programs are attached | NET_ADMIN; SYS_ADMIN for their names | the same | |
//! | read and write maps through descriptors | nothing | nothing | nothing |
//!
//! ¹ A bare program loads without it; the bounded search through packet bytes does not.
//!
//! Capabilities belong to threads. [`reduce`] changes the calling thread and refuses when there are
//! others, which would keep everything. So the order of a start is: load and attach, make the files,
//! `reduce`, and only then start threads and runtimes, which inherit what is left.

mod files;
mod user;

use std::io;
use std::path::PathBuf;

pub use caps::Capability;
use caps::{CapSet, CapsHashSet};

pub use files::{chown_for, ensure_writable};
pub use user::User;

/// Where the kernel program sits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hook {
    /// tc (tcx or clsact), ingress and egress.
    Tc,
    /// A filter on an AF_PACKET socket.
    Socket,
    /// XDP at ingress; egress is tc's.
    Xdp,
}

impl Hook {
    /// All hooks, in the order in which they are tried.
    pub const ALL: [Self; 3] = [Self::Tc, Self::Socket, Self::Xdp];

    /// As `--attach` calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Tc => "tc",
            Self::Socket => "socket",
            Self::Xdp => "xdp",
        }
    }

    /// Capabilities to load and attach.
    pub fn needs(self) -> &'static [Capability] {
        match self {
            Self::Tc | Self::Xdp => &[
                Capability::CAP_BPF,
                Capability::CAP_NET_ADMIN,
                Capability::CAP_PERFMON,
            ],
            Self::Socket => &[
                Capability::CAP_BPF,
                Capability::CAP_NET_RAW,
                Capability::CAP_PERFMON,
            ],
        }
    }

    /// Capabilities to keep with [`reduce`], to attach again when an interface comes back and to new
    /// interfaces. Where bpf links do it they need nothing; NET_ADMIN is for clsact and for asking
    /// what is attached, BPF for kernels that refuse `bpf()` altogether without it.
    pub fn keeps(self) -> &'static [Capability] {
        match self {
            Self::Tc | Self::Xdp => &[Capability::CAP_BPF, Capability::CAP_NET_ADMIN],
            Self::Socket => &[Capability::CAP_BPF, Capability::CAP_NET_RAW],
        }
    }
}

/// What went wrong with privileges.
#[derive(Debug, thiserror::Error)]
pub enum PrivilegeError {
    /// The process lacks capabilities that the hook needs.
    #[error(
        "the {} hook needs {missing}, which this process does not have: run as root, or give the \
         capabilities to the program: setcap {grant}=ep {}",
        hook.name(), program.display()
    )]
    Missing {
        /// The hook that was asked for.
        hook: Hook,
        /// The names of the capabilities that are not there.
        missing: String,
        /// All that the hook needs, as setcap wants it.
        grant: String,
        /// This program's file.
        program: PathBuf,
    },
    /// Threads were started too early.
    #[error("cannot give up privileges while other threads run, which would keep theirs: {names}")]
    OtherThreads {
        /// The names of the threads.
        names: String,
    },
    /// The user does not exist.
    #[error(
        "there is no user {name:?} to change to; make one (useradd --system {name}) or name another with --user"
    )]
    UnknownUser {
        /// The name that was given.
        name: String,
    },
    /// The user is root.
    #[error("the user {name:?} is root; name an unprivileged one with --user")]
    PrivilegedUser {
        /// The name that was given.
        name: String,
    },
    /// A folder holds what is not ours, so it is not given away.
    #[error(
        "cannot give the folder {} to user {user:?}: {entry:?} in it is not Tapline's; choose a folder \
         of its own, or make it writable for that user yourself", folder.display()
    )]
    ForeignFile {
        /// The folder.
        folder: PathBuf,
        /// The user it was to belong to.
        user: String,
        /// The file in it.
        entry: String,
    },
    /// A folder cannot be written with the privileges that are left.
    #[error(
        "the folder {} cannot be written with the privileges that are left; make it and the \
         folders above it accessible to the user that Tapline runs as", folder.display()
    )]
    NotWritable {
        /// The folder.
        folder: PathBuf,
        /// The system's word.
        source: io::Error,
    },
    /// A system call failed.
    #[error("cannot {action}: {reason}")]
    System {
        /// What was attempted, to follow "cannot".
        action: String,
        /// The system's word.
        reason: String,
    },
}

impl PrivilegeError {
    fn system(action: impl Into<String>, reason: impl ToString) -> Self {
        Self::System {
            action: action.into(),
            reason: reason.to_string(),
        }
    }
}

/// The capabilities that count for the calling thread now (its effective set).
///
/// # Errors
/// The kernel does not tell.
pub fn held() -> Result<CapsHashSet, PrivilegeError> {
    caps::read(None, CapSet::Effective)
        .map_err(|error| PrivilegeError::system("read the capabilities of this process", error))
}

/// Those of `needs` that are not in `held`. CAP_SYS_ADMIN stands for BPF and PERFMON, which were cut
/// out of it.
pub fn missing(needs: &[Capability], held: &CapsHashSet) -> Vec<Capability> {
    let administrator = held.contains(&Capability::CAP_SYS_ADMIN);
    needs
        .iter()
        .filter(|need| {
            let part = matches!(need, Capability::CAP_BPF | Capability::CAP_PERFMON);
            !(held.contains(need) || part && administrator)
        })
        .copied()
        .collect()
}

/// Checks that this process may load and attach at `hook`.
///
/// # Errors
/// [`PrivilegeError::Missing`] names what is missing and how to get it.
pub fn check(hook: Hook) -> Result<(), PrivilegeError> {
    let missing = missing(hook.needs(), &held()?);
    if missing.is_empty() {
        return Ok(());
    }
    Err(PrivilegeError::Missing {
        hook,
        missing: in_words(&missing),
        grant: for_setcap(hook.needs()),
        program: std::env::current_exe().unwrap_or_else(|_| PathBuf::from("tapline")),
    })
}

/// The names of capabilities for a sentence: "CAP_A, CAP_B and CAP_C".
pub(crate) fn in_words(capabilities: &[Capability]) -> String {
    let mut names: Vec<String> = capabilities.iter().map(ToString::to_string).collect();
    match names.pop() {
        Some(last) if !names.is_empty() => format!("{} and {last}", names.join(", ")),
        last => last.unwrap_or_default(),
    }
}

/// The names of capabilities as setcap wants them: "cap_a,cap_b".
pub(crate) fn for_setcap(capabilities: &[Capability]) -> String {
    let names: Vec<String> = capabilities.iter().map(ToString::to_string).collect();
    names.join(",").to_lowercase()
}

/// What [`reduce`] could not do, and does not fail for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reduced {
    /// Whether the bounding set is empty. It stays as it is without CAP_SETPCAP (a process that was
    /// given file capabilities only); `no_new_privs` keeps it from mattering.
    pub bounding_emptied: bool,
}

/// Gives up everything but `keep`, and becomes `user` if there is one.
///
/// Afterwards the permitted and effective sets hold `keep` (as far as they did before), the
/// inheritable, ambient and bounding sets are empty, and no program that is started can gain
/// privileges (`no_new_privs`). There is no way back. A process that changed its user is not dumpable:
/// its memory, which holds other people's traffic, does not end up in core files.
///
/// Root without CAP_DAC_OVERRIDE writes only where root may write: make folders first with
/// [`chown_for`], and check them afterwards with [`ensure_writable`].
///
/// # Errors
/// Other threads run, or a step was refused. The process must not go on then: it may have given up a
/// part.
pub fn reduce(keep: &[Capability], user: Option<&User>) -> Result<Reduced, PrivilegeError> {
    no_other_threads()?;
    let failed = |action: &'static str| {
        move |error: caps::errors::CapsError| PrivilegeError::system(action, error)
    };

    let permitted = caps::read(None, CapSet::Permitted).map_err(failed("read capabilities"))?;
    let keep: CapsHashSet = keep
        .iter()
        .copied()
        .filter(|capability| permitted.contains(capability))
        .collect();

    let bounding_emptied = empty_bounding_set();
    caps::clear(None, CapSet::Ambient).map_err(failed("clear ambient capabilities"))?;
    caps::clear(None, CapSet::Inheritable).map_err(failed("clear inheritable capabilities"))?;
    if let Some(user) = user {
        // A change of user takes all capabilities away, unless this is set.
        caps::securebits::set_keepcaps(true).map_err(failed("keep capabilities"))?;
        user.become_user()?;
        caps::securebits::set_keepcaps(false).map_err(failed("keep capabilities"))?;
    }
    caps::set(None, CapSet::Effective, &keep).map_err(failed("reduce capabilities"))?;
    caps::set(None, CapSet::Permitted, &keep).map_err(failed("reduce capabilities"))?;
    refuse_new_privileges()?;

    for set in [CapSet::Effective, CapSet::Permitted] {
        if caps::read(None, set).map_err(failed("read capabilities"))? != keep {
            return Err(PrivilegeError::system(
                "reduce capabilities",
                "the kernel took the call and kept other ones",
            ));
        }
    }
    Ok(Reduced { bounding_emptied })
}

fn no_other_threads() -> Result<(), PrivilegeError> {
    let failed =
        |error: io::Error| PrivilegeError::system("list the threads of this process", error);
    // SAFETY: takes nothing and cannot fail.
    let this = unsafe { libc::gettid() }.to_string();
    let mut names = Vec::new();
    for thread in std::fs::read_dir("/proc/self/task").map_err(failed)? {
        let thread = thread.map_err(failed)?;
        if thread.file_name() != *this {
            // A thread that ended meanwhile has no name any more, and no capabilities.
            if let Ok(name) = std::fs::read_to_string(thread.path().join("comm")) {
                names.push(name.trim_end().to_owned());
            }
        }
    }
    if names.is_empty() {
        return Ok(());
    }
    Err(PrivilegeError::OtherThreads {
        names: names.join(", "),
    })
}

/// Drops every capability from the bounding set, those too that this program has no name for.
fn empty_bounding_set() -> bool {
    for capability in 0..64 {
        // SAFETY: takes numbers only.
        match unsafe { libc::prctl(libc::PR_CAPBSET_READ, capability, 0, 0, 0) } {
            0 => continue,
            1 => {}
            // Behind the kernel's last one.
            _ => break,
        }
        // SAFETY: takes numbers only.
        if unsafe { libc::prctl(libc::PR_CAPBSET_DROP, capability, 0, 0, 0) } != 0 {
            return false;
        }
    }
    true
}

fn refuse_new_privileges() -> Result<(), PrivilegeError> {
    // SAFETY: takes numbers only.
    if unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) } != 0 {
        return Err(PrivilegeError::system(
            "refuse new privileges",
            io::Error::last_os_error(),
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
