//! `cargo xtask lint`: formatting and clippy, for the host's packages and for the kernel programs.

use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use clap::Args;

use crate::{
    apt, build_ebpf,
    process::Step,
    report::{print, say},
    toolchain::{self, Toolchain},
    workspace::Workspace,
};

/// Debian's clippy for Debian's newer compiler.
const DEBIAN_PACKAGE: &str = "rust-web-clippy";

/// What `cargo xtask lint` takes.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Fail when something was left out
    #[arg(long)]
    strict: bool,
}

/// Checks everything. Gives whether all was checked, or need not be.
///
/// # Errors
/// At the first command that finds something.
pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<bool> {
    let fuzz = workspace.root.join("fuzz/Cargo.toml");
    let fuzz = fuzz.is_file().then_some(fuzz);

    say("checking the format");
    cargo(workspace, "fmt").args(["--all", "--check"]).run()?;
    if let Some(manifest) = &fuzz {
        cargo(workspace, "fmt")
            .args(["--check", "--manifest-path"])
            .arg(manifest)
            .run()?;
    }

    say("clippy on the host's packages");
    cargo(workspace, "clippy")
        .args([
            "--locked",
            "--workspace",
            "--exclude",
            "agent-ebpf",
            "--all-targets",
        ])
        .args(["--", "-D", "warnings"])
        .run()?;
    if let Some(manifest) = &fuzz {
        cargo(workspace, "clippy")
            .args(["--locked", "--all-targets", "--manifest-path"])
            .arg(manifest)
            .args(["--", "-D", "warnings"])
            .run()?;
    }

    let toolchain = toolchain::setup(workspace)?;
    match driver(&toolchain) {
        Ok(driver) => {
            say("clippy on the kernel programs");
            // What `cargo clippy` does for itself: it would take the clippy of another compiler.
            build_ebpf::cargo(workspace, &toolchain, "check")
                .env("RUSTC_WORKSPACE_WRAPPER", driver)
                .env(
                    "CLIPPY_ARGS",
                    "-D__CLIPPY_HACKERY__warnings__CLIPPY_HACKERY__",
                )
                .run()?;
            Ok(true)
        }
        Err(error) => {
            print(format_args!(
                "left out: clippy on the kernel programs: {error:#}"
            ));
            Ok(!options.strict)
        }
    }
}

fn cargo(workspace: &Workspace, subcommand: &str) -> Step {
    Step::cargo(subcommand).folder(&workspace.root)
}

/// The clippy that belongs to the compiler of the kernel programs.
fn driver(toolchain: &Toolchain) -> Result<PathBuf> {
    let compiler = &toolchain.compiler;
    let driver = compiler.rustc.with_file_name("clippy-driver");
    if !driver.is_file() {
        if compiler.nightly {
            bail!(
                "{} has no clippy: `rustup component add clippy` for it",
                compiler.origin
            );
        }
        if !apt::usable() {
            bail!("as root, `apt-get install {DEBIAN_PACKAGE}`");
        }
        apt::install(&[DEBIAN_PACKAGE], "to check the kernel programs")?;
    }
    let shown = Step::new(&driver)
        .without_toolchain_variables()
        .args(["--rustc", "--version"])
        .stdout()
        .context("run the compiler's clippy")?;
    let own = Step::new(&compiler.rustc)
        .without_toolchain_variables()
        .arg("--version")
        .stdout()?;
    if shown != own {
        bail!(
            "{} belongs to another compiler ({})",
            driver.display(),
            shown.trim()
        );
    }
    Ok(driver)
}
