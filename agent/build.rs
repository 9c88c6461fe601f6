//! Puts the kernel programs where the agent embeds them: `OUT_DIR/tapline.bpf.o`.
//!
//! The object is built by `cargo xtask build-ebpf`, not here: it needs another compiler. Where
//! there is none, an empty file stands in, so that an editor, the unit tests and `tapline read`
//! work without it; capturing then says what to do.
//!
//! The page of the dashboard (`dashboard/dist`, built by `cargo xtask dashboard`) is embedded by its
//! module; what is done here is to have that compiled again when the page changes.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
};

/// Names another object than the one that `cargo xtask build-ebpf` leaves behind.
const VARIABLE: &str = "TAPLINE_EBPF_OBJECT";

fn main() -> Result<(), String> {
    let object = match env::var_os(VARIABLE).filter(|path| !path.is_empty()) {
        Some(path) => PathBuf::from(path),
        None => folder("CARGO_MANIFEST_DIR")?.join("../target/ebpf/tapline.bpf.o"),
    };
    let embedded = folder("OUT_DIR")?.join("tapline.bpf.o");
    write_line(&format!("cargo::rerun-if-env-changed={VARIABLE}"));
    write_line("cargo::rerun-if-changed=build.rs");
    watch_page(&folder("CARGO_MANIFEST_DIR")?.join("dashboard/dist"));
    match fs::read(&object) {
        Ok(bytes) => {
            watch(&object);
            write(&embedded, &bytes)
        }
        Err(error)
            if error.kind() == io::ErrorKind::NotFound && env::var_os(VARIABLE).is_none() =>
        {
            // Cargo takes a watched path that does not exist for one that changes with every
            // build: watch the folder that the object will come to instead.
            if let Some(folder) = object.parent()
                && fs::create_dir_all(folder).is_ok()
            {
                watch(folder);
            }
            write(&embedded, &[])
        }
        Err(error) => Err(format!(
            "cannot read the kernel programs at {}: {error}",
            object.display()
        )),
    }
}

/// Watches a folder that is made empty where it is not there, since Cargo takes a path that
/// does not exist for one that changes with every build.
fn watch_page(folder: &Path) {
    if folder.is_dir() || fs::create_dir_all(folder).is_ok() {
        watch(folder);
    }
}

fn folder(variable: &str) -> Result<PathBuf, String> {
    env::var_os(variable)
        .map(PathBuf::from)
        .ok_or_else(|| format!("cargo did not set {variable}"))
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), String> {
    fs::write(path, bytes).map_err(|error| format!("cannot write {}: {error}", path.display()))
}

fn watch(path: &Path) {
    write_line(&format!("cargo::rerun-if-changed={}", path.display()));
}

// A build script speaks to cargo on stdout.
fn write_line(line: &str) {
    println!("{line}");
}
