//! `bpf-linker`: finding one whose LLVM fits the compiler, or building it into `target/tools`.

use std::{
    env,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};

use crate::{
    apt,
    process::{Step, path_with},
    report::say,
    workspace::{Workspace, find_program},
};

/// The version that is built when none fits.
pub(crate) const VERSION: &str = "0.13.0";

/// The versions of LLVM that this `bpf-linker` can be built against.
const SUPPORTED_LLVM: std::ops::RangeInclusive<u32> = 21..=23;

/// A linker that reads what a compiler with LLVM `llvm` writes: xtask's own, or one in `PATH`.
pub(crate) fn find(workspace: &Workspace, llvm: u32) -> Option<PathBuf> {
    let own = workspace.tools().join("bin/bpf-linker");
    [Some(own), find_program("bpf-linker")]
        .into_iter()
        .flatten()
        .find(|linker| linker.is_file() && fits(linker, llvm))
}

/// Builds `bpf-linker` against an LLVM of version `llvm` or newer, into `target/tools`.
///
/// # Errors
/// When no such LLVM is installed or to be had, or the build fails.
pub(crate) fn install(workspace: &Workspace, llvm: u32) -> Result<PathBuf> {
    if !SUPPORTED_LLVM.contains(&llvm) {
        bail!(
            "bpf-linker {VERSION} knows LLVM {} to {}, the compiler has {llvm}",
            SUPPORTED_LLVM.start(),
            SUPPORTED_LLVM.end()
        );
    }
    let (major, prefix) = match find_llvm(llvm) {
        Some(found) => found,
        None => install_llvm(llvm)?,
    };
    let root = workspace.tools();
    say(format_args!(
        "building bpf-linker {VERSION} with LLVM {major} into {} (about a minute)",
        root.display()
    ));
    Step::cargo("install")
        .args(["bpf-linker", "--version", VERSION, "--locked", "--force"])
        .args([
            "--no-default-features",
            "--features",
            &format!("llvm-{major}"),
        ])
        .arg("--root")
        .arg(&root)
        .env("CARGO_TARGET_DIR", root.join("build"))
        .env(&format!("LLVM_SYS_{major}1_PREFIX"), &prefix)
        .env("PATH", path_with(&prefix.join("bin")))
        .stdout()
        .context("build bpf-linker")?;
    std::fs::remove_dir_all(root.join("build")).context("remove the linker's build folder")?;
    let linker = root.join("bin/bpf-linker");
    if !fits(&linker, llvm) {
        bail!(
            "the bpf-linker just built at {} does not run",
            linker.display()
        );
    }
    Ok(linker)
}

/// Whether a linker runs at all (its LLVM may be gone), is recent enough, and has an LLVM that is.
fn fits(linker: &Path, llvm: u32) -> bool {
    let Ok(asked) = Step::new(linker).arg("--version").outcome() else {
        return false;
    };
    if !asked.status.success() || !is_recent(&asked.stdout) {
        return false;
    }
    let libraries = Step::new("ldd").arg(linker).outcome();
    // A linker that carries its LLVM inside does not tell which: a release of that version is
    // always built with the newest that it knows.
    libraries
        .ok()
        .and_then(|outcome| linked_llvm(&outcome.stdout))
        .is_none_or(|major| major >= llvm)
}

/// Whether `bpf-linker --version` tells of 0.13 or newer.
fn is_recent(printed: &str) -> bool {
    let version = printed
        .trim()
        .strip_prefix("bpf-linker ")
        .unwrap_or_default();
    let mut parts = version
        .split('.')
        .map_while(|part| part.parse::<u32>().ok());
    matches!(
        (parts.next(), parts.next()),
        (Some(0), Some(13..)) | (Some(1..), _)
    )
}

/// The major version in a line of `ldd` like `libLLVM.so.22.1 => …` or `libLLVM-22.so => …`.
fn linked_llvm(printed: &str) -> Option<u32> {
    let name = printed
        .lines()
        .find_map(|line| line.trim().strip_prefix("libLLVM"))?;
    let digits: String = name
        .chars()
        .skip_while(|c| !c.is_ascii_digit())
        .take_while(char::is_ascii_digit)
        .collect();
    digits.parse().ok()
}

/// An installed LLVM with headers, as (major version, folder), the nearest version first.
fn find_llvm(minimum: u32) -> Option<(u32, PathBuf)> {
    (minimum..=*SUPPORTED_LLVM.end()).find_map(|major| {
        let told = env::var_os(format!("LLVM_SYS_{major}1_PREFIX")).map(PathBuf::from);
        told.into_iter()
            .chain([
                PathBuf::from(format!("/usr/lib/llvm-{major}")),
                PathBuf::from(format!("/usr/lib/llvm{major}")),
                PathBuf::from(format!("/usr/lib64/llvm{major}")),
            ])
            .find(|folder| {
                folder.join("bin/llvm-config").exists()
                    && folder.join("include/llvm-c/Core.h").exists()
            })
            .map(|folder| (major, folder))
    })
}

fn install_llvm(llvm: u32) -> Result<(u32, PathBuf)> {
    let names = [
        format!("llvm-{llvm}-dev"),
        format!("libpolly-{llvm}-dev"),
        "zlib1g-dev".to_owned(),
        "libzstd-dev".to_owned(),
    ];
    let packages = names.each_ref().map(String::as_str);
    if !apt::usable() {
        bail!(
            "LLVM {llvm} with its headers is missing: as root, `apt-get install {}`",
            names.join(" ")
        );
    }
    apt::install(&packages, "to build bpf-linker")?;
    find_llvm(llvm).with_context(|| {
        format!(
            "{} is installed, but /usr/lib/llvm-{llvm} is not there",
            names[0]
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_understood() {
        let check =
            |printed: &str, recent: bool| assert_eq!(is_recent(printed), recent, "{printed}");
        check("bpf-linker 0.13.0\n", true);
        check("bpf-linker 0.14.1\n", true);
        check("bpf-linker 1.0.0\n", true);
        check("bpf-linker 0.9.15\n", false);
        check("bpf-linker\n", false);
        check("", false);
    }

    #[test]
    fn the_llvm_of_a_linker_is_found_in_its_libraries() {
        let check =
            |printed: &str, llvm: Option<u32>| assert_eq!(linked_llvm(printed), llvm, "{printed}");
        check(
            "\tlinux-vdso.so.1\n\tlibLLVM.so.22.1 => /usr/lib/llvm-22/lib/libLLVM.so.22.1\n",
            Some(22),
        );
        check("\tlibLLVM-19.so.1 => /x\n", Some(19));
        check("\tlibc.so.6 => /x\n", None);
        check("\tnot a dynamic executable\n", None);
    }
}
