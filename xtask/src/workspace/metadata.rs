//! What cargo says about the packages of the workspace and what it built.

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use serde::Deserialize;

use crate::{process::Step, workspace::Workspace};

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    targets: Vec<Target>,
}

#[derive(Deserialize)]
struct Target {
    name: String,
    kind: Vec<String>,
}

/// One line of `--message-format=json`, as far as it matters.
#[derive(Deserialize)]
struct Message {
    reason: String,
    target: Option<Target>,
    executable: Option<PathBuf>,
}

/// The names of the integration tests (`tests/NAME.rs`) of a package.
///
/// # Errors
/// When cargo cannot read the workspace.
pub(crate) fn test_targets(workspace: &Workspace, package: &str) -> Result<Vec<String>> {
    let printed = Step::cargo("metadata")
        .folder(&workspace.root)
        .args(["--no-deps", "--format-version", "1", "--locked"])
        .stdout()?;
    let metadata: Metadata = serde_json::from_str(&printed).context("read cargo's metadata")?;
    Ok(metadata
        .packages
        .into_iter()
        .filter(|candidate| candidate.name == package)
        .flat_map(|package| package.targets)
        .filter(|target| target.kind.iter().any(|kind| kind == "test"))
        .map(|target| target.name)
        .collect())
}

/// Builds one integration test and gives the program that it became.
///
/// # Errors
/// When it does not build.
pub(crate) fn build_test(workspace: &Workspace, package: &str, test: &str) -> Result<PathBuf> {
    let step = Step::cargo("test")
        .folder(&workspace.root)
        .args(["--locked", "--package", package, "--test", test, "--no-run"])
        .arg("--message-format=json-render-diagnostics");
    let shown = step.shown();
    let mut program = None;
    let status = step.lines(|line| program = executable(line, test).or_else(|| program.take()))?;
    program
        .filter(|_| status.success())
        .with_context(|| format!("`{shown}` failed with {status}"))
}

fn executable(line: &str, test: &str) -> Option<PathBuf> {
    let message: Message = serde_json::from_str(line).ok()?;
    let target = message.target?;
    let wanted = message.reason == "compiler-artifact"
        && target.name == test
        && target.kind.iter().any(|kind| kind == "test");
    message.executable.filter(|_| wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_of_a_test_is_found_in_what_cargo_prints() {
        let check = |line: &str, found: Option<&str>| {
            assert_eq!(executable(line, "vm"), found.map(PathBuf::from), "{line}");
        };
        check(
            r#"{"reason":"compiler-artifact","target":{"name":"vm","kind":["test"]},"executable":"/t/vm-1"}"#,
            Some("/t/vm-1"),
        );
        check(
            r#"{"reason":"compiler-artifact","target":{"name":"vm","kind":["lib"]},"executable":"/t/vm-1"}"#,
            None,
        );
        check(
            r#"{"reason":"compiler-artifact","target":{"name":"other","kind":["test"]},"executable":"/t/o"}"#,
            None,
        );
        check(r#"{"reason":"build-finished","success":true}"#, None);
        check("not json", None);
    }
}
