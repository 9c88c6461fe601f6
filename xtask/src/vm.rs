//! `cargo xtask test-vm`: the tests of the kernel programs on the oldest kernel that is promised.
//!
//! Debian 12's kernel boots in qemu, in software (no /dev/kvm is needed), from an initramfs made
//! here: busybox, the modules that the tests need, the program, the test and their libraries. The
//! test runs, the machine powers itself off, and the results are counted from what it printed.

mod archive;
mod contents;
mod kernel;

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use clap::Args;

use crate::{
    apt, build, build_ebpf,
    process::Step,
    report::{print, say},
    test::{PACKAGE, VM_TEST, totals::Totals},
    workspace::{Workspace, find_program, metadata},
};

/// What the init script prints before a line of its own. The rest is the test's.
const MARK: &str = "xtask-vm: ";
/// How long the machine may take, from power on to power off.
const TIME_LIMIT: Duration = Duration::from_secs(300);

/// What `cargo xtask test-vm` takes.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Show what the kernel prints while it boots, too
    #[arg(long)]
    verbose: bool,
    /// What to pass on to the test program, like the names of tests
    #[arg(last = true)]
    flags: Vec<String>,
}

/// How one machine is emulated.
struct Machine {
    emulator: &'static str,
    package: &'static str,
    flags: &'static [&'static str],
    console: &'static str,
}

/// Builds what is needed, boots, and prints what came of it. Gives whether all tests passed.
///
/// # Errors
/// When something is missing or does not build, or the machine does not come to its end.
pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<bool> {
    build_ebpf::run(workspace)?;
    let mut totals = Totals::default();
    boot(workspace, options, &mut totals)?;
    for line in totals.remarks() {
        print(line);
    }
    print(&totals);
    Ok(totals.passed(false))
}

/// The same as a part of all tests: where the machine cannot be had, that is left out.
///
/// # Errors
/// As [`run`].
pub(crate) fn count(workspace: &Workspace, totals: &mut Totals) -> Result<()> {
    if !metadata::test_targets(workspace, PACKAGE)?
        .iter()
        .any(|name| name == VM_TEST)
    {
        totals.leave_out(
            "vm",
            &format!("package {PACKAGE} has no test named {VM_TEST}"),
        );
        return Ok(());
    }
    if let Err(error) = prepare(workspace) {
        totals.leave_out("vm", &format!("{error:#}"));
        return Ok(());
    }
    boot(
        workspace,
        &Options {
            verbose: false,
            flags: Vec::new(),
        },
        totals,
    )
}

fn machine() -> Result<Machine> {
    match std::env::consts::ARCH {
        "x86_64" => Ok(Machine {
            emulator: "qemu-system-x86_64",
            package: "qemu-system-x86",
            flags: &["-M", "pc"],
            console: "ttyS0",
        }),
        "aarch64" => Ok(Machine {
            emulator: "qemu-system-aarch64",
            package: "qemu-system-arm",
            flags: &["-M", "virt"],
            console: "ttyAMA0",
        }),
        other => bail!("no virtual machine is set up for {other} hosts"),
    }
}

/// Gets what comes from elsewhere: the emulator, busybox and the kernel.
fn prepare(workspace: &Workspace) -> Result<(Machine, kernel::Kernel)> {
    let machine = machine()?;
    if find_program(machine.emulator).is_none() || find_program("busybox").is_none() {
        if !apt::usable() {
            bail!(
                "as root, `apt-get install {} busybox-static`",
                machine.package
            );
        }
        apt::install(
            &[machine.package, "busybox-static"],
            "to boot an older kernel",
        )?;
    }
    let kernel = kernel::get(&workspace.root.join("target/vm"))?;
    Ok((machine, kernel))
}

fn boot(workspace: &Workspace, options: &Options, totals: &mut Totals) -> Result<()> {
    let (machine, kernel) = prepare(workspace)?;
    build::release(workspace)?;
    let test = metadata::build_test(workspace, PACKAGE, VM_TEST)?;
    let folder = workspace.root.join("target/vm");
    let image = Scratch(folder.join(format!("initramfs-{}.cpio", std::process::id())));
    let bytes = contents::initramfs(
        &kernel,
        &[(VM_TEST, test.as_path()), ("tapline", &workspace.tapline())],
        &options.flags,
        &folder,
    )?;
    fs::write(&image.0, bytes).with_context(|| format!("write {}", image.0.display()))?;

    say(format_args!(
        "booting {} in {}",
        kernel.release, machine.emulator
    ));
    let started = Instant::now();
    let log_level = if options.verbose { "7" } else { "3" };
    let step = Step::new(machine.emulator)
        .args(machine.flags)
        .args(["-accel", "tcg", "-cpu", "max", "-smp", "2", "-m", "1024"])
        .args(["-nographic", "-no-reboot", "-nic", "none", "-kernel"])
        .arg(&kernel.image)
        .arg("-initrd")
        .arg(&image.0)
        .arg("-append")
        .arg(format!(
            "console={} quiet loglevel={log_level} panic=-1",
            machine.console
        ))
        .time_limit(TIME_LIMIT);
    let mut guest = Guest::new(options.verbose);
    let status = step.lines(|line| guest.line(line, totals, &mut |line| print(line)))?;
    say(format_args!(
        "the machine ran for {} s",
        started.elapsed().as_secs()
    ));
    if !status.success() {
        bail!("{} failed with {status}", machine.emulator);
    }
    guest.finish(totals, &mut |line| print(line));
    Ok(())
}

/// Reads what the machine prints.
#[derive(Debug, Default)]
struct Guest {
    verbose: bool,
    running: bool,
    exit_code: Option<i32>,
    left_out: String,
    last_lines: Vec<String>,
    passed_before: u64,
    failed_before: u64,
}

impl Guest {
    fn new(verbose: bool) -> Self {
        Self {
            verbose,
            ..Self::default()
        }
    }

    fn line(&mut self, line: &str, totals: &mut Totals, show: &mut impl FnMut(&str)) {
        let line = line.trim_end_matches('\r');
        // The firmware's last escape sequence has no line end: the first mark follows it.
        let own = line.find(MARK).map(|at| &line[at + MARK.len()..]);
        match own {
            Some("start") => {
                self.running = true;
                self.passed_before = totals.passed_so_far();
                self.failed_before = totals.failed_so_far();
            }
            Some(rest) => {
                if let Some(code) = rest.strip_prefix("exit code ") {
                    self.exit_code = code.trim().parse().ok();
                    self.running = false;
                } else if let Some(reason) = rest.strip_prefix("left out ") {
                    self.left_out.push_str(reason);
                    self.left_out.push('\n');
                } else {
                    show(rest);
                }
            }
            None if self.running => {
                show(line);
                totals.add_line(line);
            }
            None if self.verbose => show(line),
            None => {
                self.last_lines.push(line.to_owned());
                if self.last_lines.len() > 20 {
                    self.last_lines.remove(0);
                }
            }
        }
    }

    fn finish(self, totals: &mut Totals, show: &mut impl FnMut(&str)) {
        let passed = totals.passed_so_far() - self.passed_before;
        let failed = totals.failed_so_far() - self.failed_before;
        match self.exit_code {
            None => {
                for line in &self.last_lines {
                    show(line);
                }
                totals.fail("vm", "the machine ended before the test did");
            }
            Some(0) if passed == 0 => totals.fail("vm", "no test ran"),
            Some(code) if code != 0 && failed == 0 => {
                totals.fail(
                    "vm",
                    &format!("the test program ended with exit code {code}"),
                );
            }
            Some(_) => {}
        }
        totals.add_left_out_lines("vm", &self.left_out);
    }
}

/// A file that is removed when it is no longer needed.
struct Scratch(PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        fs::remove_file(&self.0).ok();
    }
}

/// Reads a file whole, with its name in the error.
fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("read {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(lines: &[&str], shown: &str) {
        let mut totals = Totals::default();
        let mut guest = Guest::new(false);
        for line in lines {
            guest.line(line, &mut totals, &mut |_| {});
        }
        guest.finish(&mut totals, &mut |_| {});
        assert_eq!(totals.to_string(), shown, "{lines:?}");
    }

    #[test]
    fn the_results_of_the_machine_are_counted() {
        let start = "\u{1b}[2Jxtask-vm: start\r";
        let ok = "test result: ok. 3 passed; 0 failed; 0 ignored; 0 measured\r";
        let failed = "test result: FAILED. 2 passed; 1 failed; 0 ignored; 0 measured\r";
        let left_out = "xtask-vm: left out xdp: no such hook\r";
        check(
            &[start, ok, "xtask-vm: exit code 0\r"],
            "3 passed, 0 failed, 0 left out",
        );
        check(
            &[start, failed, "xtask-vm: exit code 101\r"],
            "2 passed, 1 failed, 0 left out",
        );
        check(
            &[start, ok, left_out, "xtask-vm: exit code 0"],
            "2 passed, 0 failed, 1 left out",
        );
        check(&[start, ok], "3 passed, 1 failed, 0 left out");
        check(
            &[start, "xtask-vm: exit code 0"],
            "0 passed, 1 failed, 0 left out",
        );
        check(
            &[start, ok, "xtask-vm: exit code 139"],
            "3 passed, 1 failed, 0 left out",
        );
        check(
            &["Kernel panic - not syncing: no init found"],
            "0 passed, 1 failed, 0 left out",
        );
    }
}
