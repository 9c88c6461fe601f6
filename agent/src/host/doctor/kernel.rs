//! The kernel, its settings, and the hooks.

use std::error::Error;
use std::fs;
use std::io;
use std::path::Path;

use aya::maps::MapType;
use aya::programs::tc::TcAttachType;
use aya::programs::{ProgramType, SchedClassifier};
use aya::sys::{BpfHelper, is_helper_supported, is_map_supported, is_program_supported};
use caps::CapsHashSet;

use super::super::privileges::{Capability, Hook, for_setcap, held, in_words, missing};
use super::{Check, State, Topic};

const RUN_AS_ROOT: &str = "run as root to find out";

/// All checks of kernel and hooks.
pub(super) fn checks() -> Vec<Check> {
    let held = held().unwrap_or_default();
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let mut checks = vec![
        version(release.trim()),
        types(Path::new("/sys/kernel/btf/vmlinux").exists()),
        unprivileged(number("/proc/sys/kernel/unprivileged_bpf_disabled")),
        compiler(number("/proc/sys/net/core/bpf_jit_enable")),
        file_system(&fs::read_to_string("/proc/self/mounts").unwrap_or_default()),
        user_namespace(&fs::read_to_string("/proc/self/uid_map").unwrap_or_default()),
        maps(&held),
    ];
    checks.extend(Hook::ALL.map(|hook| hook_check(hook, &held)));
    checks
}

/// The number in a file of settings.
fn number(path: &str) -> io::Result<u32> {
    let text = fs::read_to_string(path)?;
    text.trim()
        .parse()
        .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

fn kernel(about: &str, state: State, finding: impl Into<String>) -> Check {
    Check::new(Topic::Kernel, about, state, finding)
}

fn version(release: &str) -> Check {
    let about = "kernel";
    match parse_version(release) {
        None => kernel(
            about,
            State::Unknown,
            format!("cannot read its version from {release:?}"),
        )
        .advise("see that /proc is mounted"),
        Some(version) if version < (6, 1) => {
            kernel(about, State::DoesNot, format!("{release} is too old"))
                .advise("use Linux 6.1 or newer")
        }
        Some(version) if version < (6, 6) => kernel(
            about,
            State::Works,
            format!("{release}; no tcx yet (6.6), so tc goes by clsact"),
        ),
        Some(_) => kernel(about, State::Works, format!("{release}; has tcx")),
    }
}

fn parse_version(release: &str) -> Option<(u32, u32)> {
    let mut numbers = release.split(|character: char| !character.is_ascii_digit());
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

fn types(present: bool) -> Check {
    if present {
        kernel(
            "kernel types",
            State::Works,
            "BTF is at /sys/kernel/btf/vmlinux",
        )
    } else {
        kernel(
            "kernel types",
            State::Limited,
            "there is no BTF at /sys/kernel/btf/vmlinux",
        )
        .advise(
            "use a kernel with CONFIG_DEBUG_INFO_BTF=y, as distributions build it, and mount /sys",
        )
    }
}

fn unprivileged(setting: io::Result<u32>) -> Check {
    let about = "unprivileged BPF";
    match setting {
        Ok(0) => kernel(
            about,
            State::Limited,
            "any user may load BPF programs; Tapline does not need that",
        )
        .advise("sysctl kernel.unprivileged_bpf_disabled=2"),
        Ok(_) => kernel(about, State::Works, "only privileged programs may use BPF"),
        Err(error) => kernel(
            about,
            State::Unknown,
            format!("kernel.unprivileged_bpf_disabled: {error}"),
        )
        .advise(RUN_AS_ROOT),
    }
}

fn compiler(setting: io::Result<u32>) -> Check {
    let about = "BPF compiler";
    match setting {
        Ok(0) => kernel(
            about,
            State::Limited,
            "programs are interpreted, at several times the cost",
        )
        .advise("sysctl net.core.bpf_jit_enable=1"),
        Ok(_) => kernel(about, State::Works, "programs are compiled to machine code"),
        // Only the host's own network namespace has the setting.
        Err(error) if error.kind() == io::ErrorKind::NotFound => kernel(
            about,
            State::Unknown,
            "net.core.bpf_jit_enable is not told in this network namespace",
        )
        .advise("look at it on the host: sysctl net.core.bpf_jit_enable should be 1"),
        Err(error) => kernel(
            about,
            State::Unknown,
            format!("net.core.bpf_jit_enable: {error}"),
        )
        .advise(RUN_AS_ROOT),
    }
}

fn file_system(mounts: &str) -> Check {
    let about = "BPF file system";
    let mount = mounts.lines().find_map(|line| {
        let mut words = line.split(' ').skip(1);
        let (path, kind) = (words.next()?, words.next()?);
        (kind == "bpf").then_some(path)
    });
    match mount {
        Some(path) => kernel(about, State::Works, format!("mounted at {path}")),
        None => kernel(
            about,
            State::Limited,
            "not mounted: nothing can be pinned; capture does not need it",
        )
        .advise("mount -t bpf bpf /sys/fs/bpf"),
    }
}

fn user_namespace(map: &str) -> Check {
    let about = "user namespace";
    let words: Vec<&str> = map.split_ascii_whitespace().collect();
    match words[..] {
        ["0", "0", "4294967295"] => kernel(about, State::Works, "the host's own"),
        [] => kernel(about, State::Unknown, "cannot read /proc/self/uid_map").advise("see that /proc is mounted"),
        _ => kernel(about, State::DoesNot, "root here is not root of the host, and the kernel asks for that one")
            .advise("run outside of this user namespace, or in a container with the host's (--privileged, --userns=host)"),
    }
}

fn maps(held: &CapsHashSet) -> Check {
    let about = "maps";
    if !missing(&[Capability::CAP_BPF], held).is_empty() {
        return kernel(about, State::Unknown, "trying them needs CAP_BPF").advise(RUN_AS_ROOT);
    }
    let wanted = [
        (MapType::RingBuf, "ring buffer"),
        (MapType::Array, "array"),
        (MapType::PerCpuArray, "per-CPU array"),
        (MapType::LruHash, "LRU hash"),
    ];
    let mut lacking = Vec::new();
    for (kind, name) in wanted {
        match is_map_supported(kind) {
            Ok(true) => {}
            Ok(false) => lacking.push(name),
            Err(error) => {
                return kernel(
                    about,
                    State::Unknown,
                    format!("trying {name}: {}", chain(&error)),
                )
                .advise("see whether a security module or a seccomp filter forbids bpf()");
            }
        }
    }
    if lacking.is_empty() {
        kernel(
            about,
            State::Works,
            "ring buffer, array, per-CPU array, LRU hash",
        )
    } else {
        kernel(
            about,
            State::DoesNot,
            format!("the kernel has no {}", lacking.join(", ")),
        )
        .advise("use Linux 6.1 or newer with CONFIG_BPF_SYSCALL=y")
    }
}

fn hook_check(hook: Hook, held: &CapsHashSet) -> Check {
    let about = format!("hook {}", hook.name());
    let check = |state, finding: String| Check::new(Topic::Hook, about.as_str(), state, finding);
    let missing = missing(hook.needs(), held);
    if !missing.is_empty() {
        return check(State::DoesNot, format!("needs {}", in_words(&missing))).advise(format!(
            "run as root, or setcap {}=ep on the program",
            for_setcap(hook.needs())
        ));
    }
    match probe(hook) {
        Ok(found) => check(State::Works, found),
        Err(Refusal::NotThere(what)) => check(State::DoesNot, what)
            .advise("use Linux 6.1 or newer, built as distributions build it"),
        Err(Refusal::Failed(why)) => check(State::Unknown, why)
            .advise("see whether a security module or a seccomp filter forbids bpf()"),
    }
}

enum Refusal {
    NotThere(String),
    Failed(String),
}

/// Loads two instructions for the hook, and one for each helper that not every kernel has.
fn probe(hook: Hook) -> Result<String, Refusal> {
    let (kind, helpers): (_, &[(BpfHelper, &str)]) = match hook {
        Hook::Tc => (
            ProgramType::SchedClassifier,
            &[(BpfHelper::BPF_FUNC_skb_load_bytes, "bpf_skb_load_bytes")],
        ),
        Hook::Socket => (
            ProgramType::SocketFilter,
            &[(BpfHelper::BPF_FUNC_skb_load_bytes, "bpf_skb_load_bytes")],
        ),
        Hook::Xdp => (
            ProgramType::Xdp,
            &[(BpfHelper::BPF_FUNC_xdp_load_bytes, "bpf_xdp_load_bytes")],
        ),
    };
    let failed = |error: &dyn Error| Refusal::Failed(format!("trying it: {}", chain(error)));
    if !is_program_supported(kind).map_err(|error| failed(&error))? {
        return Err(Refusal::NotThere(
            "the kernel does not take such programs".to_owned(),
        ));
    }
    for (helper, name) in helpers {
        if !is_helper_supported(kind, *helper).map_err(|error| failed(&error))? {
            return Err(Refusal::NotThere(format!(
                "the kernel has no {name} for it"
            )));
        }
    }
    match hook {
        Hook::Tc => match SchedClassifier::query_tcx("lo", TcAttachType::Ingress) {
            Ok(_) => Ok("a program loads; it goes on by tcx".to_owned()),
            Err(error) if errno(&error) == Some(libc::EINVAL) => {
                Ok("a program loads; it goes on by a clsact qdisc, as there is no tcx".to_owned())
            }
            Err(error) => Ok(format!(
                "a program loads; asking for tcx: {}",
                chain(&error)
            )),
        },
        Hook::Socket => packet_socket()
            .map(|()| "a program loads, a packet socket opens".to_owned())
            .map_err(|error| Refusal::NotThere(format!("a packet socket does not open: {error}"))),
        Hook::Xdp => Ok("a program loads; which interface takes it is said below".to_owned()),
    }
}

/// Opens and closes a packet socket that receives nothing.
fn packet_socket() -> io::Result<()> {
    use std::os::fd::{FromRawFd as _, OwnedFd};
    // SAFETY: takes numbers only.
    let socket = unsafe { libc::socket(libc::AF_PACKET, libc::SOCK_RAW | libc::SOCK_CLOEXEC, 0) };
    if socket < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: a descriptor that was just made, and that nobody else knows.
    drop(unsafe { OwnedFd::from_raw_fd(socket) });
    Ok(())
}

/// An error with its causes, in one line.
pub(super) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let words = error.to_string();
        if !text.contains(&words) {
            text = format!("{text}: {words}");
        }
        cause = error.source();
    }
    text.replace('\n', " ")
}

/// The system's error number somewhere in the chain of causes.
pub(super) fn errno(error: &(dyn Error + 'static)) -> Option<i32> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<io::Error>() {
            return error.raw_os_error();
        }
        cause = error.source();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kernel_versions() {
        let check = |release: &str, expected: State| {
            assert_eq!(version(release).state, expected, "{release:?}")
        };
        check("6.18.44-fc-v669", State::Works);
        check("6.1.0-56-cloud-amd64", State::Works);
        check("6.0.19", State::DoesNot);
        check("5.15.0-100-generic", State::DoesNot);
        check("7.0", State::Works);
        check("10.2", State::Works);
        for odd in ["", "six", "6", "6.", "99999999999.1", "6.x"] {
            check(odd, State::Unknown);
        }
        assert!(version("6.5.1").finding.contains("clsact"));
        assert!(version("6.6.1").finding.contains("has tcx"));
    }

    #[test]
    fn settings() {
        let check = |found: Check, expected: State| {
            assert_eq!(found.state, expected, "{found:?}");
            assert_eq!(
                found.advice.is_none(),
                expected == State::Works,
                "{found:?}"
            );
        };
        let refused = || Err(io::Error::from_raw_os_error(libc::EACCES));
        check(types(true), State::Works);
        check(types(false), State::Limited);
        check(unprivileged(Ok(0)), State::Limited);
        check(unprivileged(Ok(2)), State::Works);
        check(unprivileged(refused()), State::Unknown);
        check(compiler(Ok(0)), State::Limited);
        check(compiler(Ok(1)), State::Works);
        check(compiler(refused()), State::Unknown);
        check(
            compiler(Err(io::ErrorKind::NotFound.into())),
            State::Unknown,
        );
        check(
            file_system("proc /proc proc rw 0 0\nbpf /sys/fs/bpf bpf rw 0 0\n"),
            State::Works,
        );
        check(file_system("bpf /mnt tmpfs rw 0 0\n\nx\n"), State::Limited);
        check(
            user_namespace("         0          0 4294967295\n"),
            State::Works,
        );
        check(
            user_namespace("         0       1000          1\n"),
            State::DoesNot,
        );
        check(user_namespace(""), State::Unknown);
    }

    #[test]
    fn each_hook_names_what_it_lacks() {
        for hook in Hook::ALL {
            let found = hook_check(hook, &CapsHashSet::new());
            assert_eq!(found.state, State::DoesNot);
            assert!(found.finding.contains("CAP_BPF, CAP_NET_"), "{found:?}");
        }
    }
}
