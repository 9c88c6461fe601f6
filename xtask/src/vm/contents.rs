//! What is in the virtual machine: the initramfs, put together.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};

use crate::{
    process::Step,
    vm::{Scratch, archive::Archive, kernel::Kernel, read},
    workspace::find_program,
};

/// The first process. `@FLAGS@` stands for what is passed on to the test.
const INIT: &str = include_str!("init.sh");

/// What the tests may use of the kernel, apart from what it has built in.
const MODULES: [&str; 11] = [
    "veth",
    "dummy",
    "sch_ingress",
    "cls_bpf",
    "act_bpf",
    "sch_netem",
    "8021q",
    "vxlan",
    "ipip",
    "ip_gre",
    "af_packet",
];

/// Programs of the host that go along where the host has them. The shell, because that of busybox
/// takes its own `ip` before any other.
const HOST_PROGRAMS: [&str; 6] = ["sh", "ip", "tc", "ethtool", "curl", "setpriv"];

const USERS: &[u8] = b"root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n";
const GROUPS: &[u8] = b"root:x:0:\nnogroup:x:65534:\n";
const HOSTS: &[u8] = b"127.0.0.1 localhost\n::1 localhost\n";

/// Gives the bytes of an initramfs with these programs in /usr/local/bin, and the libraries and
/// modules that they need. `scratch` is a folder for copies.
///
/// # Errors
/// When a file cannot be read, or the kernel lacks a module.
pub(crate) fn initramfs(
    kernel: &Kernel,
    programs: &[(&str, &Path)],
    flags: &[String],
    scratch: &Path,
) -> Result<Vec<u8>> {
    let mut image = Image::default();
    for folder in [
        "bin",
        "sbin",
        "etc",
        "modules",
        "usr",
        "usr/local",
        "usr/local/bin",
        "sys",
        "lib",
    ] {
        image.folder(folder);
    }
    image.archive.program(
        "init",
        INIT.replace("@FLAGS@", &shell_words(flags)?).as_bytes(),
    );
    image.archive.file("etc/passwd", USERS);
    image.archive.file("etc/group", GROUPS);
    image.archive.file("etc/hosts", HOSTS);

    let busybox = find_program("busybox").context("find busybox")?;
    if !libraries(&busybox)?.is_empty() {
        bail!(
            "{} is not static: install busybox-static",
            busybox.display()
        );
    }
    image.archive.program("bin/busybox", &read(&busybox)?);
    for name in HOST_PROGRAMS {
        if let Some(program) = find_program(name) {
            let folder = if name == "sh" { "bin" } else { "sbin" };
            image.program(&format!("{folder}/{name}"), &program, scratch)?;
        }
    }
    for (name, program) in programs {
        image.program(&format!("usr/local/bin/{name}"), program, scratch)?;
    }

    let modules = kernel.modules(&MODULES)?;
    let order: String = modules
        .iter()
        .map(|module| format!("{}\n", module.name))
        .collect();
    image.archive.file("modules/order", order.as_bytes());
    for module in modules {
        image
            .archive
            .file(&format!("modules/{}.ko", module.name), &read(&module.file)?);
    }
    Ok(image.archive.finish())
}

/// An archive that knows which folders and libraries it has.
#[derive(Default)]
struct Image {
    archive: Archive,
    present: BTreeSet<String>,
}

impl Image {
    /// Adds a folder and those above it, each once.
    fn folder(&mut self, path: &str) {
        for (end, _) in path.match_indices('/').chain([(path.len(), "")]) {
            let part = &path[..end];
            if !part.is_empty() && self.present.insert(part.to_owned()) {
                self.archive.folder(part);
            }
        }
    }

    /// Adds a program without what only a debugger wants of it, and the libraries it names.
    fn program(&mut self, path: &str, program: &Path, scratch: &Path) -> Result<()> {
        let copy = Scratch(scratch.join(format!("stripped-{}", std::process::id())));
        let stripped = find_program("strip").is_some()
            && Step::new("strip")
                .args(["--strip-debug", "-o"])
                .arg(&copy.0)
                .arg(program)
                .outcome()?
                .status
                .success();
        let bytes = if stripped {
            read(&copy.0)?
        } else {
            read(program)?
        };
        self.archive.program(path, &bytes);
        for library in libraries(program)? {
            let place = library.to_string_lossy().trim_start_matches('/').to_owned();
            if let Some((folder, _)) = place.rsplit_once('/') {
                self.folder(folder);
            }
            if self.present.insert(place.clone()) {
                self.archive.program(&place, &read(&library)?);
            }
        }
        Ok(())
    }
}

/// The libraries of a program, with its loader, as absolute paths; none for a static one.
fn libraries(program: &Path) -> Result<Vec<PathBuf>> {
    let asked = Step::new("ldd").arg(program).env("LC_ALL", "C").outcome()?;
    if asked.stdout.contains("not found") {
        bail!(
            "{} lacks a library:\n{}",
            program.display(),
            asked.stdout.trim_end()
        );
    }
    Ok(library_paths(&asked.stdout)
        .filter(|path| fs::metadata(path).is_ok())
        .collect())
}

/// The paths in lines like `libc.so.6 => /lib/libc.so.6 (0x7f…)` and `/lib64/ld.so.2 (0x7f…)`.
fn library_paths(printed: &str) -> impl Iterator<Item = PathBuf> {
    printed.lines().filter_map(|line| {
        let right = line
            .split_once("=>")
            .map_or(line, |(_, right)| right)
            .trim();
        let path = right.split_whitespace().next()?;
        path.starts_with('/').then(|| PathBuf::from(path))
    })
}

/// Flags for the init script. They are names and options of tests: anything else is refused, so
/// that none of it can be taken for shell.
fn shell_words(flags: &[String]) -> Result<String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_=:.".contains(c);
    match flags.iter().find(|flag| !flag.chars().all(plain)) {
        Some(flag) => bail!("cannot pass {flag:?} on to the test: use letters, digits and -_=:."),
        None => Ok(flags.join(" ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_libraries_are_read_from_what_ldd_prints() {
        let printed = "\tlinux-vdso.so.1 (0x00007f23391bd000)\n\
            \tlibgcc_s.so.1 => /lib/x86_64-linux-gnu/libgcc_s.so.1 (0x00007f23391a1000)\n\
            \t/lib64/ld-linux-x86-64.so.2 (0x00007f23391bf000)\n";
        let paths: Vec<PathBuf> = library_paths(printed).collect();
        let wanted = [
            "/lib/x86_64-linux-gnu/libgcc_s.so.1",
            "/lib64/ld-linux-x86-64.so.2",
        ];
        assert_eq!(paths, wanted.map(PathBuf::from));
        assert_eq!(library_paths("\tnot a dynamic executable\n").count(), 0);
    }

    #[test]
    fn only_plain_words_reach_the_script() {
        let words = |flag: &str| shell_words(&[flag.to_owned(), "--exact".to_owned()]);
        assert_eq!(words("xdp::loads").unwrap(), "xdp::loads --exact");
        for flag in ["$(reboot)", "a b", "a;b", "`x`", "a\nb"] {
            words(flag).unwrap_err();
        }
    }

    #[test]
    fn the_script_has_one_place_for_the_flags() {
        assert_eq!(INIT.matches("@FLAGS@").count(), 1);
    }
}
