//! `cargo xtask build` and `build-and-run`: the program with the kernel programs and the page
//! of the dashboard inside.

use std::convert::Infallible;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use crate::{
    build_ebpf, dashboard,
    process::Step,
    report::say,
    workspace::{self, Workspace, is_root},
};

/// Builds the kernel programs and the page, then the program for release with them embedded. Where
/// the page cannot be built, the program says how to get it.
///
/// # Errors
/// When either does not build.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    build_ebpf::run(workspace)?;
    dashboard::run_if_possible(workspace);
    say("building tapline");
    release(workspace)?;
    say(format_args!("built {}", workspace.tapline().display()));
    Ok(())
}

/// Builds the program and turns into it: what comes after `--` is passed on.
///
/// # Errors
/// When this is not root, or the program does not build or start.
pub(crate) fn run_program(workspace: &Workspace, flags: &[String]) -> Result<Infallible> {
    if !is_root() {
        bail!(not_root(workspace, flags));
    }
    run(workspace)?;
    Step::new(workspace.tapline())
        .args(["run", "--config", "config/tapline.yaml"])
        .args(flags)
        .folder(&workspace.root)
        .exec()
}

/// Builds `target/release/tapline` with the object that is there.
///
/// # Errors
/// When it does not build.
pub(crate) fn release(workspace: &Workspace) -> Result<()> {
    Step::cargo("build")
        .folder(&workspace.root)
        .args(["--locked", "--release", "--package", "tapline"])
        .run()
}

/// The program that was named, or one that is built for release now.
///
/// # Errors
/// When it does not build, or the name is none of a file.
pub(crate) fn given_or_release(workspace: &Workspace, given: Option<&Path>) -> Result<PathBuf> {
    match given {
        Some(file) => std::path::absolute(file).with_context(|| format!("find {}", file.display())),
        None => {
            release(workspace)?;
            Ok(workspace.tapline())
        }
    }
}

fn not_root(workspace: &Workspace, flags: &[String]) -> String {
    let program = workspace.tapline();
    let rest: String = flags.iter().map(|flag| format!(" {flag}")).collect();
    let separator = if flags.is_empty() { "" } else { " --" };
    format!(
        "capturing needs root: start it with\n  \
           {sudo}\n\
         or build as yourself and give the program what it needs:\n  \
           cargo xtask build && sudo setcap \
         cap_bpf,cap_net_admin,cap_perfmon,cap_net_raw+ep {program}\n  \
           {program} run --config {config}{rest}",
        sudo = workspace::sudo_command(&format!("build-and-run{separator}{rest}")),
        program = program.display(),
        config = workspace.root.join("config/tapline.yaml").display(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_not_root_is_told_both_ways() {
        let workspace = Workspace {
            root: "/src".into(),
            host_target: "/src/target".into(),
        };
        let text = not_root(&workspace, &["-i".to_owned(), "lo".to_owned()]);
        assert!(text.contains("xtask build-and-run -- -i lo\n"), "{text}");
        assert!(text.contains("+ep /src/target/release/tapline\n"), "{text}");
        assert!(
            not_root(&workspace, &[]).contains("xtask build-and-run\n"),
            "{text}"
        );
    }
}
