//! `cargo xtask dashboard`: the page that the program embeds, with Node.
//!
//! The page is built into `agent/dashboard/dist`. It is left as it is where it is newer than its
//! sources: the program would be built again for nothing.

use std::{
    fs,
    path::{Path, PathBuf},
    time::SystemTime,
};

use anyhow::{Context as _, Result, bail};

use crate::{
    apt,
    process::Step,
    report::say,
    workspace::{Workspace, find_program},
};

/// The oldest Node that builds it: major and minor version.
const OLDEST: (u32, u32) = (20, 19);

/// What the page is made of, in its folder.
const SOURCES: [&str; 7] = [
    "src",
    "scripts",
    "index.html",
    "package.json",
    "package-lock.json",
    "tsconfig.json",
    "vite.config.ts",
];

/// Builds the page, where it is older than its sources.
///
/// # Errors
/// When there is no Node and none can be had, or the page does not build.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    let folder = folder(workspace);
    let page = folder.join("dist/index.html");
    if is_current(&folder, &page)? {
        say(format_args!("the page is current: {}", page.display()));
        return Ok(());
    }
    let npm = npm()?;
    say("building the page of the dashboard");
    install(&npm, &folder)?;
    Step::new(&npm)
        .folder(&folder)
        .args(["run", "--silent", "build"])
        .run()?;
    say(format_args!("built {}", page.display()));
    Ok(())
}

/// Builds the page where that can be done; where not it is said, and the program will say so too.
pub(crate) fn run_if_possible(workspace: &Workspace) {
    if let Err(error) = run(workspace) {
        say(format_args!("without the page of the dashboard: {error:#}"));
    }
}

/// Where the sources of the page are.
pub(crate) fn folder(workspace: &Workspace) -> PathBuf {
    workspace.root.join("agent/dashboard")
}

/// Gets the packages that the lock file of a folder names, where they are not there yet.
///
/// # Errors
/// When npm cannot get them.
pub(crate) fn install(npm: &Path, folder: &Path) -> Result<()> {
    // npm writes it when all is there.
    let done = modified(&folder.join("node_modules/.package-lock.json"));
    let lock = modified(&folder.join("package-lock.json"));
    if done.is_some() && done >= lock {
        return Ok(());
    }
    Step::new(npm)
        .folder(folder)
        // Packages run no programs of theirs while they are installed.
        .args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"])
        .args(["--loglevel", "error"])
        .stdout()
        .map(drop)
        .context("get the packages of the page with npm")
}

/// Finds npm beside a Node that is new enough, and installs both where that can be done.
///
/// # Errors
/// With one sentence that says what to install.
pub(crate) fn npm() -> Result<PathBuf> {
    let found = version();
    if let (Some(version), Some(npm)) = (found, find_program("npm"))
        && version >= OLDEST
    {
        return Ok(npm);
    }
    if apt::usable() {
        apt::update()?;
        if candidate().is_some_and(|version| version >= OLDEST) {
            // Some archives have npm inside of nodejs.
            let packages: &[&str] = match apt::has(&["nodejs", "npm"])? {
                true => &["nodejs", "npm"],
                false => &["nodejs"],
            };
            apt::install(packages, "to build the page of the dashboard")?;
            if let Some(npm) = find_program("npm") {
                return Ok(npm);
            }
        }
    }
    let here = match found {
        Some((major, minor)) => format!("here is Node {major}.{minor}"),
        None => "here is none".to_owned(),
    };
    let (major, minor) = OLDEST;
    bail!(
        "it takes Node {major}.{minor} or later with npm, {here}, and apt (as root) has none: \
         https://nodejs.org/en/download says how to get it"
    )
}

/// The version of the Node in `PATH`.
fn version() -> Option<(u32, u32)> {
    let node = find_program("node")?;
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

/// Whether the page is newer than all that it is made of.
fn is_current(folder: &Path, page: &Path) -> Result<bool> {
    let Some(built) = modified(page) else {
        return Ok(false);
    };
    for source in SOURCES {
        let newest = newest(&folder.join(source))
            .with_context(|| format!("read {source} in {}", folder.display()))?;
        if newest > built {
            return Ok(false);
        }
    }
    Ok(true)
}

/// When the newest file of a folder, or this file, was changed; the folder itself counts, for what
/// was taken away.
fn newest(path: &Path) -> Result<SystemTime> {
    let data = fs::metadata(path)?;
    let mut newest = data.modified()?;
    if data.is_dir() {
        for entry in fs::read_dir(path)? {
            newest = newest.max(self::newest(&entry?.path())?);
        }
    }
    Ok(newest)
}

fn modified(path: &Path) -> Option<SystemTime> {
    fs::metadata(path).and_then(|data| data.modified()).ok()
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
    }

    #[test]
    fn what_was_changed_since_is_seen() {
        let folder = std::env::temp_dir().join(format!("tapline-page-{}", std::process::id()));
        fs::create_dir_all(folder.join("dist")).unwrap();
        for name in ["src/views", "scripts"] {
            fs::create_dir_all(folder.join(name)).unwrap();
        }
        let write = |name: &str, seconds: u64| {
            let path = folder.join(name);
            fs::write(&path, name).unwrap();
            let time = SystemTime::now() + std::time::Duration::from_secs(seconds);
            fs::File::options()
                .write(true)
                .open(&path)
                .unwrap()
                .set_modified(time)
                .unwrap();
        };
        for name in &SOURCES[2..] {
            write(name, 0);
        }
        write("src/views/one.ts", 0);
        let page = folder.join("dist/index.html");
        assert!(!is_current(&folder, &page).unwrap());
        write("dist/index.html", 10);
        assert!(is_current(&folder, &page).unwrap());
        write("src/views/one.ts", 20);
        assert!(!is_current(&folder, &page).unwrap());
        fs::remove_dir_all(folder).unwrap();
    }
}
