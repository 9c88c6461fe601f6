//! Debian 12's kernel: found by name, fetched once, unpacked without being installed.

use std::{
    cmp::Reverse,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};

use crate::{
    apt,
    process::Step,
    report::say,
    vm::read,
    workspace::{find_program, is_root},
};

/// A kernel, unpacked.
#[derive(Debug)]
pub(crate) struct Kernel {
    /// Its release, as `uname -r` gives it.
    pub(crate) release: String,
    /// The file that boots.
    pub(crate) image: PathBuf,
    /// The folder `lib/modules/RELEASE`.
    modules: PathBuf,
}

/// One module, ready to be loaded after those before it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Module {
    /// Its name, with underscores.
    pub(crate) name: String,
    /// The file `NAME.ko`.
    pub(crate) file: PathBuf,
}

/// Gives the newest 6.1 kernel in `folder`, or fetches the newest one that apt knows into it.
///
/// # Errors
/// When there is none and apt cannot get one.
pub(crate) fn get(folder: &Path) -> Result<Kernel> {
    if let Some(kernel) = newest_unpacked(folder)? {
        return Ok(kernel);
    }
    if find_program("apt-get").is_none() {
        bail!("Debian 12's kernel cannot be had: there is no apt-get here");
    }
    if is_root() {
        apt::update()?;
    }
    let package = newest_package()?;
    say(format_args!(
        "fetching {package} (about 27 MB) to boot it, not to install it"
    ));
    let scratch = folder.join(format!("fetch-{}", std::process::id()));
    fs::create_dir_all(&scratch).with_context(|| format!("make {}", scratch.display()))?;
    let unpacked = fetch(&package, &scratch, folder);
    fs::remove_dir_all(&scratch).with_context(|| format!("remove {}", scratch.display()))?;
    unpacked?;
    newest_unpacked(folder)?.with_context(|| format!("{package} holds no kernel"))
}

impl Kernel {
    /// The modules of these names and what they depend on, in an order in which they load.
    /// Those built into the kernel need no file.
    ///
    /// # Errors
    /// When the kernel has no such module.
    pub(crate) fn modules(&self, names: &[&str]) -> Result<Vec<Module>> {
        let mut files = Vec::new();
        list_modules(&self.modules.join("kernel"), &mut files)?;
        let built_in = fs::read_to_string(self.modules.join("modules.builtin"))
            .with_context(|| format!("read {}", self.modules.join("modules.builtin").display()))?;
        let built_in: Vec<String> = built_in
            .lines()
            .map(|line| module_name(Path::new(line)))
            .collect();
        let mut ordered = Vec::new();
        for name in names {
            self.add_module(name, &files, &built_in, &mut ordered)?;
        }
        Ok(ordered)
    }

    fn add_module(
        &self,
        name: &str,
        files: &[PathBuf],
        built_in: &[String],
        ordered: &mut Vec<Module>,
    ) -> Result<()> {
        let known = |module: &Module| module.name == name;
        if ordered.iter().any(known) || built_in.iter().any(|other| other == name) {
            return Ok(());
        }
        let Some(file) = files.iter().find(|file| module_name(file) == name) else {
            bail!("kernel {} has no module {name}", self.release);
        };
        // The modules of one kernel cannot depend on each other in a circle: they would not load.
        for dependency in dependencies(&read(file)?) {
            self.add_module(&dependency, files, built_in, ordered)?;
        }
        ordered.push(Module {
            name: name.to_owned(),
            file: file.clone(),
        });
        Ok(())
    }
}

fn fetch(package: &str, scratch: &Path, folder: &Path) -> Result<()> {
    // As root apt wants a folder that its user _apt may write to, and warns where it may not.
    Step::new("apt-get")
        .folder(scratch)
        .args(["-q", "-o", "APT::Sandbox::User=root", "download", package])
        .stdout()
        .with_context(|| format!("fetch {package}"))?;
    let archive = fs::read_dir(scratch)
        .with_context(|| format!("list {}", scratch.display()))?
        .filter_map(Result::ok)
        .map(|entry| entry.path())
        .find(|path| path.extension().is_some_and(|ending| ending == "deb"))
        .with_context(|| format!("apt-get left no archive of {package}"))?;
    let unpacked = scratch.join("unpacked");
    Step::new("dpkg-deb")
        .arg("-x")
        .arg(&archive)
        .arg(&unpacked)
        .stdout()?;
    // Renamed into place whole: a folder that was cut off is never taken for a kernel.
    let place = folder.join(package);
    fs::rename(&unpacked, &place).with_context(|| format!("make {}", place.display()))
}

fn newest_package() -> Result<String> {
    let architecture = Step::new("dpkg").arg("--print-architecture").stdout()?;
    let pattern = format!(r"^linux-image-6\.1\..*-cloud-{}$", architecture.trim());
    let printed = Step::new("apt-cache")
        .args(["search", "--names-only", &pattern])
        .stdout()?;
    printed
        .lines()
        .filter_map(|line| line.split_whitespace().next())
        .max_by_key(|name| numbers(name))
        .map(str::to_owned)
        .context("apt knows no Debian 12 kernel (linux-image-6.1.*-cloud): add Debian 12's archive")
}

fn newest_unpacked(folder: &Path) -> Result<Option<Kernel>> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Ok(None);
    };
    let mut places: Vec<PathBuf> = entries
        .filter_map(Result::ok)
        .map(|entry| entry.path())
        .filter(|path| {
            path.file_name()
                .is_some_and(|name| name.to_string_lossy().starts_with("linux-image-"))
        })
        .collect();
    places.sort_by_key(|path| Reverse(numbers(&path.to_string_lossy())));
    let Some(place) = places.first() else {
        return Ok(None);
    };
    let name = place.file_name().unwrap_or_default().to_string_lossy();
    let release = name.trim_start_matches("linux-image-").to_owned();
    let image = place.join("boot").join(format!("vmlinuz-{release}"));
    let modules = place.join("lib/modules").join(&release);
    if !image.is_file() || !modules.is_dir() {
        bail!("{} holds no kernel: remove that folder", place.display());
    }
    Ok(Some(Kernel {
        release,
        image,
        modules,
    }))
}

/// The numbers in a name, so that 6.1.0-9 comes before 6.1.0-56.
fn numbers(name: &str) -> Vec<u64> {
    name.split(|c: char| !c.is_ascii_digit())
        .filter_map(|part| part.parse().ok())
        .collect()
}

fn list_modules(folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(folder).with_context(|| format!("list {}", folder.display()))? {
        let path = entry
            .with_context(|| format!("list {}", folder.display()))?
            .path();
        if path.is_dir() {
            list_modules(&path, files)?;
        } else if path.extension().is_some_and(|ending| ending == "ko") {
            files.push(path);
        }
    }
    Ok(())
}

fn module_name(file: &Path) -> String {
    file.file_stem()
        .unwrap_or_default()
        .to_string_lossy()
        .replace('-', "_")
}

/// What a module's own notes (its section .modinfo) say that it depends on.
fn dependencies(module: &[u8]) -> Vec<String> {
    const KEY: &[u8] = b"\0depends=";
    let Some(at) = module.windows(KEY.len()).position(|window| window == KEY) else {
        return Vec::new();
    };
    let value = &module[at + KEY.len()..];
    let end = value
        .iter()
        .position(|byte| *byte == 0)
        .unwrap_or(value.len());
    String::from_utf8_lossy(&value[..end])
        .split(',')
        .filter(|name| !name.is_empty())
        .map(|name| name.replace('-', "_"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_is_told_by_number_not_by_letter() {
        assert!(numbers("linux-image-6.1.0-56-cloud") > numbers("linux-image-6.1.0-9-cloud"));
        assert!(numbers("linux-image-6.1.10-1") > numbers("linux-image-6.1.9-1"));
    }

    #[test]
    fn the_notes_of_a_module_name_what_it_needs() {
        let check = |bytes: &[u8], names: &[&str]| assert_eq!(dependencies(bytes), names);
        check(
            b"\x7fELF\0license=GPL\0depends=udp-tunnel,ip6_udp_tunnel\0x",
            &["udp_tunnel", "ip6_udp_tunnel"],
        );
        check(b"\0depends=\0depends=x\0", &[]);
        check(b"\0depends=cut", &["cut"]);
        check(b"\0nothing\0", &[]);
        check(b"", &[]);
    }
}
