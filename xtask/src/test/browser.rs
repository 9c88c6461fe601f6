//! The tests of the dashboard: of its code with Node alone, and of the page in Chromium, over the
//! program that was built.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};

use crate::{
    apt, build, dashboard,
    node::Node,
    report::print,
    test::{PROGRAM_VARIABLE, totals::Totals},
    workspace::{Workspace, find_program},
};

/// A browser, and a font that has Korean letters.
const PACKAGES: [&str; 2] = ["chromium", "fonts-nanum"];

/// Tells the tests where the browser is.
pub(crate) const BROWSER_VARIABLE: &str = "CHROMIUM";

/// Runs the unit tests of the page.
///
/// # Errors
/// When the packages of the page cannot be had.
pub(super) fn page(workspace: &Workspace, totals: &mut Totals) -> Result<()> {
    let node = match Node::setup(workspace) {
        Ok(node) => node,
        Err(error) => {
            totals.leave_out("page", &format!("{error:#}"));
            return Ok(());
        }
    };
    let folder = dashboard::folder(workspace);
    node.install(&folder)?;
    let step =
        node.npm()
            .folder(folder)
            .args(["run", "--silent", "test", "--", "--reporter=tap-flat"]);
    totals.add_tap_run("page", step, |line| print(line))
}

/// Runs the tests in the browser.
///
/// # Errors
/// When what they need cannot be installed or built.
pub(super) fn run(workspace: &Workspace, totals: &mut Totals) -> Result<()> {
    let node = match Node::setup(workspace) {
        Ok(node) => node,
        Err(error) => {
            totals.leave_out("browser", &format!("{error:#}"));
            return Ok(());
        }
    };
    let Some(browser) = find()? else {
        let reason = "there is no chromium; as root on Debian it is installed with apt";
        totals.leave_out("browser", reason);
        return Ok(());
    };
    let folder = workspace.root.join("tests/browser");
    node.install(&folder)?;
    dashboard::run(workspace)?;
    build::release(workspace)?;
    let step = node
        .node()
        .folder(&folder)
        .args(["--test", "--test-reporter=tap", "--test-concurrency=1"])
        .args(tests(&folder.join("tests"))?)
        .env(PROGRAM_VARIABLE, workspace.tapline())
        .env(BROWSER_VARIABLE, browser)
        .env(
            "TAPLINE_SCREENSHOTS",
            workspace.root.join("target/screenshots"),
        );
    totals.add_tap_run("browser", step, |line| print(line))
}

/// The files of tests: Node takes a folder in some versions only.
fn tests(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("read {}", folder.display()))? {
        let path = entry?.path();
        if path.to_string_lossy().ends_with(".test.mjs") {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// Finds Chromium, and installs it where that can be done.
///
/// # Errors
/// When apt fails.
pub(crate) fn find() -> Result<Option<PathBuf>> {
    if apt::usable() {
        apt::install(&PACKAGES, "for the tests of the dashboard")?;
    }
    Ok(["chromium", "chromium-browser", "google-chrome"]
        .into_iter()
        .find_map(find_program))
}
