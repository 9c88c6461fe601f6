//! The compiler and the linker that build the kernel programs.
//!
//! Two ways lead to an object: a rustup nightly that has the sources of `core`, or a
//! distribution's own compiler at `/usr/bin/rustc` with its sources beside it, told by
//! `RUSTC_BOOTSTRAP=1` to accept what else only a nightly does. Either needs a `bpf-linker` whose
//! LLVM is at least as new as the compiler's: an older one cannot read what the compiler writes.

mod compiler;
mod linker;

use std::path::PathBuf;

use anyhow::{Result, bail};

pub(crate) use compiler::Compiler;

use crate::{
    apt,
    process::{Step, path_with},
    report::say,
    workspace::{self, Workspace, find_program},
};

/// A compiler and a linker that fit together.
#[derive(Debug)]
pub(crate) struct Toolchain {
    /// The compiler, with the sources of `core`.
    pub(crate) compiler: Compiler,
    /// The program `bpf-linker`.
    pub(crate) linker: PathBuf,
}

impl Toolchain {
    /// A cargo command that builds with this toolchain for the kernel.
    pub(crate) fn cargo(&self, subcommand: &str) -> Step {
        let cargo = self.compiler.cargo.clone().unwrap_or_else(workspace::cargo);
        let linker_folder = self.linker.parent().unwrap_or(&self.linker);
        let step = Step::new(cargo)
            .without_toolchain_variables()
            .arg(subcommand)
            .env("RUSTC", &self.compiler.rustc)
            .env("PATH", path_with(linker_folder));
        if self.compiler.nightly {
            step
        } else {
            step.env("RUSTC_BOOTSTRAP", "1")
        }
    }
}

/// Finds a toolchain, and installs what is missing where that can be done.
///
/// # Errors
/// With one sentence that says what to install, where nothing can be installed from here.
pub(crate) fn setup(workspace: &Workspace) -> Result<Toolchain> {
    let compilers = compiler::find_all()?;
    for compiler in &compilers {
        if let Some(linker) = linker::find(workspace, compiler.llvm) {
            return Ok(Toolchain {
                compiler: compiler.clone(),
                linker,
            });
        }
    }
    let mut failures = Vec::new();
    for compiler in compilers {
        match linker::install(workspace, compiler.llvm) {
            Ok(linker) => return Ok(Toolchain { compiler, linker }),
            Err(error) => {
                say(format_args!("{}: no linker: {error:#}", compiler.origin));
                failures.push(format!("{}: {error:#}", compiler.origin));
            }
        }
    }
    match install_compiler() {
        Ok(compiler) => {
            let linker = match linker::find(workspace, compiler.llvm) {
                Some(linker) => linker,
                None => linker::install(workspace, compiler.llvm)?,
            };
            Ok(Toolchain { compiler, linker })
        }
        Err(error) => {
            failures.push(format!("{error:#}"));
            bail!(
                "no way to build the kernel programs; install a nightly \
                 (`rustup toolchain install nightly --component rust-src`) and \
                 `cargo install bpf-linker --version {}`, or on Debian as root \
                 `apt-get install {}`; what was tried:\n  {}",
                linker::VERSION,
                compiler::DEBIAN_PACKAGES.join(" "),
                failures.join("\n  ")
            )
        }
    }
}

/// The command `cargo xtask setup`.
///
/// # Errors
/// As [`setup()`].
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    let toolchain = setup(workspace)?;
    say(format_args!(
        "kernel programs are built with {} (LLVM {}) and {}",
        toolchain.compiler.origin,
        toolchain.compiler.llvm,
        toolchain.linker.display()
    ));
    Ok(())
}

/// Gets a compiler: Debian's by apt where it is to be had, else a nightly by rustup.
fn install_compiler() -> Result<Compiler> {
    if apt::usable() {
        apt::update()?;
        if apt::has(&compiler::DEBIAN_PACKAGES)? {
            apt::install(&compiler::DEBIAN_PACKAGES, "to build the kernel programs")?;
            if let Some(compiler) = compiler::of_the_system() {
                return Ok(compiler);
            }
        }
    }
    let Some(rustup) = find_program("rustup") else {
        bail!("there is no rustup, and apt (as root) has no compiler that fits");
    };
    say("installing with rustup: the nightly toolchain (minimal) and rust-src, about 300 MB");
    Step::new(rustup)
        .without_toolchain_variables()
        .args(["toolchain", "install", "nightly", "--profile", "minimal"])
        .args(["--component", "rust-src"])
        .run()?;
    match compiler::of_rustup()?.into_iter().next() {
        Some(compiler) => Ok(compiler),
        None => bail!("rustup installed a nightly, but its sources of `core` are not there"),
    }
}
