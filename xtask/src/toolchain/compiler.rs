//! Compilers that can build `core` for the kernel: what is there, and which LLVM they carry.

use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::{process::Step, workspace::find_program};

/// What Debian calls its newer compiler and the sources of `core`.
pub(crate) const DEBIAN_PACKAGES: [&str; 2] = ["rustc-web", "rust-web-src"];

/// The oldest compiler (1.`MINIMUM`) that the workspace accepts.
const MINIMUM: u32 = 95;

/// A compiler that has the sources of `core` beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Compiler {
    /// The program `rustc`, not a wrapper.
    pub(crate) rustc: PathBuf,
    /// The cargo that belongs to it; none where the distribution has no fitting one.
    pub(crate) cargo: Option<PathBuf>,
    /// Whether it takes unstable flags by itself.
    pub(crate) nightly: bool,
    /// The major version of its LLVM.
    pub(crate) llvm: u32,
    /// What it is, for people.
    pub(crate) origin: String,
}

/// Every compiler that is installed and fits, the preferred first.
///
/// # Errors
/// When rustup is there and cannot list its toolchains.
pub(crate) fn find_all() -> Result<Vec<Compiler>> {
    let mut found = of_rustup()?;
    found.extend(of_the_system());
    Ok(found)
}

/// The nightlies of rustup that have the sources.
///
/// # Errors
/// When rustup is there and cannot list its toolchains.
pub(crate) fn of_rustup() -> Result<Vec<Compiler>> {
    let Some(rustup) = find_program("rustup") else {
        return Ok(Vec::new());
    };
    let listed = Step::new(&rustup)
        .without_toolchain_variables()
        .args(["toolchain", "list", "--verbose"])
        .stdout()?;
    let nightlies = listed.lines().filter(|line| line.starts_with("nightly"));
    Ok(nightlies
        .filter_map(|line| {
            let (name, _) = line.split_once(char::is_whitespace)?;
            let folder = PathBuf::from(&line[line.find('/')?..]);
            let cargo = folder.join("bin/cargo");
            let compiler = inspect(&folder.join("bin/rustc"), &format!("rustup's {name}"))?;
            (compiler.nightly && cargo.is_file()).then_some(Compiler {
                cargo: Some(cargo),
                ..compiler
            })
        })
        .collect())
}

/// The compiler of the distribution, when it is new enough and has the sources.
pub(crate) fn of_the_system() -> Option<Compiler> {
    inspect(Path::new("/usr/bin/rustc"), "the distribution's compiler")
}

/// Asks a compiler what it is. None when it does not run, is too old or has no sources.
fn inspect(rustc: &Path, origin: &str) -> Option<Compiler> {
    let ask = |argument: &[&str]| {
        Step::new(rustc)
            .without_toolchain_variables()
            .args(argument)
            .stdout()
            .ok()
    };
    if !rustc.is_file() {
        return None;
    }
    let version = ask(&["-vV"])?;
    let sysroot = PathBuf::from(ask(&["--print", "sysroot"])?.trim());
    if !sysroot
        .join("lib/rustlib/src/rust/library/core/src/lib.rs")
        .is_file()
    {
        return None;
    }
    let (release, llvm) = versions(&version)?;
    (minor(release)? >= MINIMUM).then(|| Compiler {
        rustc: rustc.to_path_buf(),
        cargo: None,
        nightly: release.contains("nightly"),
        llvm,
        origin: format!("{origin} {release}"),
    })
}

/// The release and the major version of LLVM from what `rustc -vV` prints.
fn versions(printed: &str) -> Option<(&str, u32)> {
    let field = |name: &str| printed.lines().find_map(|line| line.strip_prefix(name));
    let llvm = field("LLVM version: ")?.split('.').next()?.parse().ok()?;
    Some((field("release: ")?, llvm))
}

fn minor(release: &str) -> Option<u32> {
    release.strip_prefix("1.")?.split('.').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_rustc_prints_is_understood() {
        let printed = "rustc 1.97.0-nightly (e50aa6fba 2026-05-19)\nbinary: rustc\n\
                       release: 1.97.0-nightly\nLLVM version: 22.1.4\n";
        assert_eq!(versions(printed), Some(("1.97.0-nightly", 22)));
        assert_eq!(minor("1.97.0-nightly"), Some(97));
        assert_eq!(versions("rustc 1.97.0\n"), None);
        assert_eq!(minor("2.0.0"), None);
    }
}
