//! Where things are: the sources, the folders that the commands write to, the cargo that runs.

pub(crate) mod metadata;

use std::{
    env,
    path::{Path, PathBuf},
};

/// The folders of one checkout.
#[derive(Clone, Debug)]
pub(crate) struct Workspace {
    /// The folder of the workspace's `Cargo.toml`.
    pub(crate) root: PathBuf,
    /// Where cargo puts what it builds for the host: `CARGO_TARGET_DIR`, else `target`.
    pub(crate) host_target: PathBuf,
}

impl Workspace {
    /// Finds the checkout that cargo runs this program for, else the one it was built from: checkouts
    /// that share a target folder share the program too.
    pub(crate) fn find() -> Self {
        let manifest = env::var_os("CARGO_MANIFEST_DIR")
            .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
        let root = manifest.parent().unwrap_or(&manifest).to_path_buf();
        let host_target = match env::var_os("CARGO_TARGET_DIR") {
            Some(folder) if !folder.is_empty() => {
                std::path::absolute(&folder).unwrap_or_else(|_| PathBuf::from(folder))
            }
            _ => root.join("target"),
        };
        Self { root, host_target }
    }

    /// Everything that belongs to the kernel programs: cargo's folder for them and the object.
    ///
    /// Always under the checkout, also with `CARGO_TARGET_DIR`: a plain `cargo build` and an
    /// editor look for the object there.
    pub(crate) fn ebpf_folder(&self) -> PathBuf {
        self.root.join("target/ebpf")
    }

    /// The object that `agent/build.rs` embeds.
    pub(crate) fn ebpf_object(&self) -> PathBuf {
        self.ebpf_folder().join("tapline.bpf.o")
    }

    /// Tools that xtask installs for itself, apart from the user's own.
    pub(crate) fn tools(&self) -> PathBuf {
        self.root.join("target/tools")
    }

    /// The program, built for release.
    pub(crate) fn tapline(&self) -> PathBuf {
        self.host_target.join("release/tapline")
    }
}

/// The cargo that started this program, or the first in `PATH`.
pub(crate) fn cargo() -> PathBuf {
    env::var_os("CARGO").map_or_else(|| PathBuf::from("cargo"), PathBuf::from)
}

/// What to type to start `cargo xtask` as root with these arguments.
///
/// The compiler that is in use comes along by its folder: rustup's own commands would look for
/// toolchains in root's home.
pub(crate) fn sudo_command(arguments: &str) -> String {
    let cargo = cargo();
    let folder = cargo.parent().filter(|folder| folder.is_absolute());
    let folder = folder
        .map(|folder| format!("{}:", folder.display()))
        .unwrap_or_default();
    format!("sudo env PATH=\"{folder}$PATH\" cargo xtask {arguments}")
}

/// The first file named `name` in `PATH` that can be executed.
pub(crate) fn find_program(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    // Debian keeps servers and network tools out of an ordinary user's PATH.
    let system = ["/usr/local/sbin", "/usr/sbin", "/sbin"].map(PathBuf::from);
    env::split_paths(&path)
        .chain(system)
        .map(|folder| folder.join(name))
        .find(|file| is_executable(file))
}

fn is_executable(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    file.metadata()
        .is_ok_and(|data| data.is_file() && data.permissions().mode() & 0o111 != 0)
}

/// Whether this process may do what only root may.
pub(crate) fn is_root() -> bool {
    // SAFETY: geteuid has no preconditions and cannot fail.
    unsafe { libc::geteuid() == 0 }
}
