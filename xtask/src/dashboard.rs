//! `cargo xtask dashboard`: the page that the program embeds, with Node.
//!
//! The page is built into `agent/dashboard/dist`. It is left as it is where it is newer than its
//! sources: the program would be built again for nothing.

use std::{
    fs,
    path::{Path, PathBuf},
    time::SystemTime,
};

use anyhow::{Context as _, Result};

use crate::{node::Node, report::say, workspace::Workspace};

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
    let node = Node::setup(workspace)?;
    say("building the page of the dashboard");
    node.install(&folder)?;
    node.npm()
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
