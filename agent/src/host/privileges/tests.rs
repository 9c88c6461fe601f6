use std::ffi::OsStr;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use super::super::testing::{
    attach, forked, ip, is_child, is_root, load_bare_program, number, rerun,
};
use super::*;

/// A line of /proc/self/status of this process.
fn status(field: &str) -> String {
    let text = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(field));
    line.unwrap_or_else(|| panic!("{field} in {text}"))
        .trim_start_matches(':')
        .trim()
        .to_owned()
}

#[track_caller]
fn check_status(expected: &[(&str, &str)]) {
    for (field, value) in expected {
        assert_eq!(status(field), *value, "{field}");
    }
}

const NET_ADMIN: &str = "0000000000001000";
const BPF_AND_NET_ADMIN: &str = "0000008000001000";
const NONE: &str = "0000000000000000";

/// Runs the body in a process of its own with one thread, as root, behind a wrapper.
fn in_own_process(test: &str, wrapper: &[&str], body: impl FnOnce()) {
    let full = format!("host::privileges::tests::{test}");
    if is_child(&full) {
        forked(body);
    } else if is_root(&full) {
        rerun(&full, wrapper);
    }
}

#[test]
fn root_keeps_what_is_asked_for_and_nothing_else() {
    in_own_process("root_keeps_what_is_asked_for_and_nothing_else", &[], || {
        let reduced = reduce(Hook::Tc.keeps(), None).unwrap();
        assert_eq!(
            reduced,
            Reduced {
                bounding_emptied: true
            }
        );
        check_status(&[
            ("CapEff", BPF_AND_NET_ADMIN),
            ("CapPrm", BPF_AND_NET_ADMIN),
            ("CapInh", NONE),
            ("CapAmb", NONE),
            ("CapBnd", NONE),
            ("NoNewPrivs", "1"),
            ("Uid", "0\t0\t0\t0"),
        ]);
        // Threads that start now have no more, and neither has a program.
        let of_thread =
            std::thread::spawn(|| std::fs::read_to_string("/proc/thread-self/status").unwrap());
        assert!(
            of_thread
                .join()
                .unwrap()
                .contains(&format!("CapEff:\t{BPF_AND_NET_ADMIN}"))
        );
        let of_program = std::process::Command::new("cat")
            .arg("/proc/self/status")
            .output()
            .unwrap();
        assert!(String::from_utf8_lossy(&of_program.stdout).contains(&format!("CapPrm:\t{NONE}")));
        // There is no way back.
        assert!(caps::raise(None, CapSet::Effective, Capability::CAP_SYS_ADMIN).is_err());
    });
}

#[test]
fn another_user_with_the_capabilities_that_are_kept() {
    in_own_process(
        "another_user_with_the_capabilities_that_are_kept",
        &[],
        || {
            let user = User::find("nobody").unwrap();
            let parent = tempfile::tempdir().unwrap();
            let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
            std::fs::set_permissions(parent.path(), open).unwrap();
            let folder = parent.path().join("logs");
            std::fs::create_dir(&folder).unwrap();
            std::fs::write(folder.join("http-20260101.log"), "by root").unwrap();
            let closed = parent.path().join("closed");
            std::fs::create_dir(&closed).unwrap();
            chown_for(&user, &folder, |name| {
                name.as_encoded_bytes().starts_with(b"http-")
            })
            .unwrap();

            reduce(&[Capability::CAP_NET_ADMIN], Some(&user)).unwrap();
            let uids = format!("{0}\t{0}\t{0}\t{0}", user.uid);
            check_status(&[
                ("CapEff", NET_ADMIN),
                ("CapPrm", NET_ADMIN),
                ("CapAmb", NONE),
                ("CapBnd", NONE),
                ("NoNewPrivs", "1"),
                ("Uid", &uids),
                ("Gid", &format!("{0}\t{0}\t{0}\t{0}", user.gid)),
                ("Groups", &user.gid.to_string()),
            ]);
            assert!(std::fs::read("/etc/shadow").is_err());
            ensure_writable(&folder).unwrap();
            std::fs::write(folder.join("http-20260101.log"), "by nobody").unwrap();
            std::fs::write(folder.join("http-20260102.log"), "new").unwrap();
            // As it is shown: with its cause, once.
            let error = format!(
                "{:#}",
                anyhow::Error::new(ensure_writable(&closed).unwrap_err())
            );
            assert!(error.contains("closed"), "{error}");
            assert_eq!(error.matches("Permission denied").count(), 1, "{error}");
            // SAFETY: takes a number and cannot harm: it is refused.
            assert_ne!(unsafe { libc::setuid(0) }, 0);
            for path in ["http-20260101.log", "http-20260102.log"] {
                std::fs::remove_file(folder.join(path)).unwrap();
            }
        },
    );
}

#[test]
fn other_threads_are_named() {
    in_own_process("other_threads_are_named", &[], || {
        let (keep_running, wait) = std::sync::mpsc::channel::<()>();
        let thread = std::thread::Builder::new()
            .name("early-bird".into())
            .spawn(move || wait.recv())
            .unwrap();
        while !std::fs::read_dir("/proc/self/task").unwrap().any(|task| {
            std::fs::read_to_string(task.unwrap().path().join("comm"))
                .unwrap()
                .contains("early-bird")
        }) {
            std::thread::yield_now();
        }
        let before = status("CapEff");
        let error = reduce(&[], None).unwrap_err().to_string();
        assert!(error.contains("early-bird"), "{error}");
        assert_eq!(status("CapEff"), before);
        drop(keep_running);
        assert!(thread.join().unwrap().is_err());
    });
}

#[test]
fn without_setpcap_the_bounding_set_stays_and_the_rest_goes() {
    let wrapper = ["setpriv", "--bounding-set=-all,+net_admin,+bpf,+sys_nice"];
    in_own_process(
        "without_setpcap_the_bounding_set_stays_and_the_rest_goes",
        &wrapper,
        || {
            let reduced = reduce(Hook::Tc.keeps(), None).unwrap();
            assert_eq!(
                reduced,
                Reduced {
                    bounding_emptied: false
                }
            );
            check_status(&[
                ("CapEff", BPF_AND_NET_ADMIN),
                ("CapPrm", BPF_AND_NET_ADMIN),
                ("NoNewPrivs", "1"),
            ]);
        },
    );
}

#[test]
fn what_is_missing_is_named_with_what_to_do() {
    let wrapper = ["setpriv", "--bounding-set=-all,+net_admin,+bpf"];
    in_own_process("what_is_missing_is_named_with_what_to_do", &wrapper, || {
        let error = check(Hook::Tc).unwrap_err().to_string();
        assert!(
            error.contains("the tc hook needs CAP_PERFMON, which"),
            "{error}"
        );
        assert!(
            error.contains("setcap cap_bpf,cap_net_admin,cap_perfmon=ep /"),
            "{error}"
        );
        let error = check(Hook::Socket).unwrap_err().to_string();
        assert!(error.contains("CAP_NET_RAW and CAP_PERFMON"), "{error}");
        // To become another user takes CAP_SETUID.
        let error = reduce(&[], Some(&User::find("nobody").unwrap()))
            .unwrap_err()
            .to_string();
        assert!(error.contains("become user \"nobody\""), "{error}");
    });
}

#[test]
fn the_administrator_has_what_was_cut_out_of_his_capability() {
    let check = |held: &[Capability], expected: &[Capability]| {
        let held: CapsHashSet = held.iter().copied().collect();
        assert_eq!(missing(Hook::Tc.needs(), &held), expected);
    };
    check(&[], Hook::Tc.needs());
    check(Hook::Tc.needs(), &[]);
    check(&[Capability::CAP_SYS_ADMIN], &[Capability::CAP_NET_ADMIN]);
    check(
        &[Capability::CAP_NET_ADMIN, Capability::CAP_BPF],
        &[Capability::CAP_PERFMON],
    );
}

#[test]
fn users_that_cannot_be_taken() {
    for (name, part) in [
        ("no-such-user-here", "useradd"),
        ("nul\0inside", "no user"),
        ("", "no user"),
        ("root", "is root"),
    ] {
        let error = User::find(name).unwrap_err().to_string();
        assert!(error.contains(part), "{name:?}: {error}");
    }
}

#[test]
fn a_folder_with_foreign_files_is_not_given_away() {
    if !is_root("a_folder_with_foreign_files_is_not_given_away") {
        return;
    }
    let user = User::find("nobody").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let owner = |name: &str| {
        std::fs::symlink_metadata(folder.path().join(name))
            .unwrap()
            .uid()
    };
    let ours = |name: &OsStr| name.as_encoded_bytes().starts_with(b"http-");
    std::fs::write(folder.path().join("syslog"), "").unwrap();
    std::fs::write(folder.path().join("http-1.log"), "").unwrap();
    let error = chown_for(&user, folder.path(), ours)
        .unwrap_err()
        .to_string();
    assert!(error.contains("\"syslog\""), "{error}");
    assert_eq!(
        (owner("http-1.log"), owner("")),
        (0, 0),
        "nothing is given when something is foreign"
    );

    std::fs::remove_file(folder.path().join("syslog")).unwrap();
    // What somebody who may write here could plant.
    let elsewhere = tempfile::NamedTempFile::new().unwrap();
    std::os::unix::fs::symlink(elsewhere.path(), folder.path().join("http-symbolic.log")).unwrap();
    std::fs::hard_link(elsewhere.path(), folder.path().join("http-hard.log")).unwrap();
    std::fs::create_dir(folder.path().join("http-folder")).unwrap();
    chown_for(&user, folder.path(), ours).unwrap();
    assert_eq!((owner("http-1.log"), owner("")), (user.uid, user.uid));
    assert_eq!(
        (
            owner("http-symbolic.log"),
            owner("http-hard.log"),
            owner("http-folder")
        ),
        (0, 0, 0)
    );
    assert_eq!(elsewhere.as_file().metadata().unwrap().uid(), 0);

    // The folder is writable for the user now: foreign files in it are nobody's concern.
    std::fs::write(folder.path().join("notes"), "").unwrap();
    chown_for(&user, folder.path(), ours).unwrap();
    assert_eq!(owner("notes"), 0);
    let missing = chown_for(&user, Path::new("/nonexistent/logs"), ours)
        .unwrap_err()
        .to_string();
    assert!(missing.contains("/nonexistent/logs"), "{missing}");
}

#[test]
fn what_is_loaded_before_is_attached_again_afterwards() {
    let wrapper = ["unshare", "--net"];
    in_own_process(
        "what_is_loaded_before_is_attached_again_afterwards",
        &wrapper,
        || {
            ip("link add near type veth peer name far");
            let interface = super::super::interfaces::by_name("near").unwrap().index;
            let tc = load_bare_program(number::PROGRAM_TC).unwrap();
            let xdp = load_bare_program(number::PROGRAM_XDP).unwrap();
            reduce(Hook::Tc.keeps(), Some(&User::find("nobody").unwrap())).unwrap();
            if let Err(error) = attach(&tc, interface, number::AT_TCX_INGRESS, 0) {
                assert_eq!(
                    error.raw_os_error(),
                    Some(libc::EINVAL),
                    "no tcx before Linux 6.6"
                );
            }
            drop(attach(&xdp, interface, number::AT_XDP, number::XDP_GENERIC).unwrap());
            // What other users own stays out of reach all the same.
            assert!(std::fs::write("/etc/tapline-test", "").is_err());
            assert!(super::super::interfaces::list().is_ok());
        },
    );
}

#[test]
fn names_in_words() {
    let check = |needs: &[Capability], words: &str| assert_eq!(in_words(needs), words);
    check(&[], "");
    check(&[Capability::CAP_BPF], "CAP_BPF");
    check(Hook::Tc.needs(), "CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON");
}
