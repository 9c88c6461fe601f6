//! `cargo xtask build-ebpf`: the kernel programs, compiled, linked and put where
//! `agent/build.rs` finds them.

use std::{env, fs};

use anyhow::{Context as _, Result, bail};
use object::build::elf::{Builder, SectionData};
use object::elf::SHT_STRTAB;

use crate::{
    process::Step,
    report::say,
    toolchain::{self, Toolchain},
    workspace::Workspace,
};

/// Builds the object. It is replaced only when its bytes changed, so that cargo does not build
/// the agent again for nothing.
///
/// # Errors
/// When there is no toolchain, or the programs do not compile or link.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    let toolchain = toolchain::setup(workspace)?;
    say(format_args!(
        "building the kernel programs with {}",
        toolchain.compiler.origin
    ));
    cargo(workspace, &toolchain, "build")
        .args(["--bin", "agent-ebpf"])
        .run()?;

    let built = workspace
        .ebpf_folder()
        .join("build")
        .join(target())
        .join("release/agent-ebpf");
    let bytes = fs::read(&built).with_context(|| format!("read {}", built.display()))?;
    check(&bytes).with_context(|| format!("look at {}", built.display()))?;
    let bytes = without_debug_information(&bytes)
        .with_context(|| format!("take the debug information out of {}", built.display()))?;
    let object = workspace.ebpf_object();
    let size = bytes.len().div_ceil(1024);
    if fs::read(&object).is_ok_and(|old| old == bytes) {
        say(format_args!(
            "kernel programs: {} ({size} KiB), unchanged",
            object.display()
        ));
        return Ok(());
    }
    // Renamed into place, so that a build that runs meanwhile sees the old or the new, whole.
    let fresh = object.with_extension("new");
    fs::write(&fresh, &bytes).with_context(|| format!("write {}", fresh.display()))?;
    fs::rename(&fresh, &object).with_context(|| format!("write {}", object.display()))?;
    say(format_args!(
        "kernel programs: {} ({size} KiB)",
        object.display()
    ));
    Ok(())
}

/// A cargo command on `agent-ebpf`, with the flags that the kernel's target needs.
pub(crate) fn cargo(workspace: &Workspace, toolchain: &Toolchain, subcommand: &str) -> Step {
    toolchain
        .cargo(subcommand)
        .folder(&workspace.root)
        .args([
            "--locked",
            "--package",
            "agent-ebpf",
            "--release",
            "-Z",
            "build-std=core",
        ])
        .args(["--target", target()])
        .arg("--target-dir")
        .arg(workspace.ebpf_folder().join("build"))
        .env("CARGO_ENCODED_RUSTFLAGS", flags().join("\u{1f}"))
}

/// The kernel's target: it shares the byte order of the host.
fn target() -> &'static str {
    if cfg!(target_endian = "big") {
        "bpfeb-unknown-none"
    } else {
        "bpfel-unknown-none"
    }
}

/// v3 has 32-bit arithmetic and atomic operations that give the old value; every kernel from
/// 5.12 on takes it.
///
/// Warnings are left out: the compiler says each time that the feature for unaligned loads is not stable.
/// `cargo xtask lint` shows those about the code.
fn flags() -> [String; 6] {
    [
        format!("--cfg=bpf_target_arch=\"{}\"", env::consts::ARCH),
        "-Cdebuginfo=2".to_owned(),
        "-Ctarget-cpu=v3".to_owned(),
        "-Ctarget-feature=+allows-misaligned-mem-access".to_owned(),
        "-Clink-arg=--btf".to_owned(),
        "-Awarnings".to_owned(),
    ]
}

/// An ELF file for the machine "BPF", with the type information that the loader wants.
fn check(bytes: &[u8]) -> Result<()> {
    const EM_BPF: u16 = 247;
    let machine = bytes
        .get(18..20)
        .and_then(|pair| <[u8; 2]>::try_from(pair).ok());
    if !bytes.starts_with(b"\x7fELF") || machine.map(u16::from_ne_bytes) != Some(EM_BPF) {
        bail!("this is no ELF object for BPF");
    }
    Ok(())
}

/// The object without its DWARF, seven parts of eight: nobody reads it once the linker has made BTF of it, and in
/// the agent it would be in memory.
fn without_debug_information(object: &[u8]) -> Result<Vec<u8>> {
    let mut builder = Builder::read(object)?;
    for section in &mut builder.sections {
        let name = section.name.as_slice();
        let name = name.strip_prefix(b".rel").unwrap_or(name);
        section.delete = name.starts_with(b".debug_");
    }
    builder.delete_orphans();
    let mut sections = builder.sections.iter();
    if !sections.any(|section| matches!(section.data, SectionData::SectionString)) {
        // The linker has names of sections and of symbols in one table, the builder in two.
        let names = builder.sections.add();
        names.name = b".shstrtab".as_slice().into();
        names.sh_type = SHT_STRTAB;
        names.sh_addralign = 1;
        names.data = SectionData::SectionString;
    }
    let mut stripped = Vec::new();
    builder.write(&mut stripped)?;
    Ok(stripped)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_information_goes_and_the_rest_stays() {
        let names = |object: &[u8]| -> Vec<String> {
            let builder = Builder::read(object).unwrap();
            let names = builder.sections.iter();
            names.map(|section| section.name.to_string()).collect()
        };
        let mut builder = Builder::new(object::Endianness::Little, true);
        builder.header.e_type = object::elf::ET_REL;
        builder.header.e_machine = object::elf::EM_BPF;
        for name in [
            ".text",
            ".BTF",
            ".BTF.ext",
            ".debug_info",
            ".debug_str",
            ".rel.debug_info",
        ] {
            let section = builder.sections.add();
            section.name = name.as_bytes().to_vec().into();
            section.sh_type = object::elf::SHT_PROGBITS;
            section.sh_addralign = 1;
            section.data = SectionData::Data(name.as_bytes().to_vec().into());
        }
        let with_names = |mut builder: Builder<'_>| {
            let section = builder.sections.add();
            section.name = b".strtab".as_slice().into();
            section.sh_type = SHT_STRTAB;
            section.sh_addralign = 1;
            section.data = SectionData::SectionString;
            let mut object = Vec::new();
            builder.write(&mut object).unwrap();
            object
        };
        let object = with_names(builder);
        assert_eq!(names(&object).len(), 7);
        let stripped = without_debug_information(&object).unwrap();
        assert_eq!(names(&stripped), [".text", ".BTF", ".BTF.ext", ".strtab"]);
        for length in [0, 20, object.len() / 2] {
            without_debug_information(&object[..length]).unwrap_err();
        }
    }

    #[test]
    fn only_an_object_for_bpf_passes() {
        let mut header = [0_u8; 64];
        header[..4].copy_from_slice(b"\x7fELF");
        header[18..20].copy_from_slice(&247_u16.to_ne_bytes());
        check(&header).unwrap();
        for length in 0..20 {
            check(&header[..length]).unwrap_err();
        }
        header[18..20].copy_from_slice(&62_u16.to_ne_bytes());
        check(&header).unwrap_err();
    }
}
