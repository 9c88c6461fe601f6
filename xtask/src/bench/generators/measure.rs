//! Runs one row: a fresh folder, the generator on its CPU, its account, and what the kernel says that it used.

use std::{
    fs::{self, File},
    io::{self, Read as _},
    os::unix::process::{CommandExt as _, ExitStatusExt as _},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
};

use anyhow::{Context as _, Result, bail};
use serde::{Deserialize, Serialize};

use super::row::{Row, To};
use crate::{bench::sinks, process::Running};

/// The program ends so when the rate was not met: the figures say how far it was off.
const RATE_NOT_MET: i32 = 6;

/// The configuration of generators whose files are not to follow each other.
const CONFIG: &str = "config.yaml";

/// Where it is measured.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) program: PathBuf,
    /// Belongs to this benchmark.
    pub(super) folder: PathBuf,
    /// The CPU of the generator; a server may run on all of them.
    pub(super) cpu: u32,
}

/// What a row came to.
#[derive(Debug, Serialize)]
pub(super) struct Measured {
    pub(super) row: &'static str,
    pub(super) records: u64,
    pub(super) bytes: u64,
    pub(super) seconds: f64,
    pub(super) records_a_second: f64,
    /// CPU time of the generator for each record, in microseconds.
    pub(super) cpu_us: f64,
    /// The most memory that the generator had.
    pub(super) resident_mib: f64,
}

/// What the generator says at its end.
#[derive(Debug, Deserialize)]
struct Account {
    records: u64,
    /// Where records go to a database there are none.
    #[serde(default)]
    bytes: u64,
    seconds: f64,
    rate: f64,
    refused: u64,
    undelivered: u64,
}

/// What a process used, all of its threads.
struct Used {
    cpu_seconds: f64,
    resident_bytes: u64,
}

/// Measures the row.
///
/// # Errors
/// The program cannot be started or fails, or its account is not that of what it left.
pub(super) fn measure(row: &Row, place: &Place) -> Result<Measured> {
    // What an earlier measurement that broke off has left is of no use.
    fs::remove_dir_all(&place.folder).ok();
    fs::create_dir_all(&place.folder)
        .with_context(|| format!("make {}", place.folder.display()))?;
    let mut server = None;
    let target = match row.to {
        To::Lines(_) | To::Files(_) => place.folder.join("lines").display().to_string(),
        To::Folder(_) | To::Log(_) => place.folder.join("data").display().to_string(),
        To::Serve(_) => {
            let (running, address) = sinks::start(&place.program, &place.folder)?;
            server = Some(running);
            format!("http://{address}/api")
        }
    };
    let (To::Lines(flag) | To::Files(flag) | To::Log(flag) | To::Folder(flag) | To::Serve(flag)) =
        row.to;
    let mut more = vec![flag, &target];
    if matches!(row.to, To::Files(_)) {
        let endless = "output:\n  file:\n    rotation_size_mb: 0\n";
        fs::write(place.folder.join(CONFIG), endless).context("write the configuration")?;
        more.extend(["--config", CONFIG]);
    }
    let (account, used) = generate(place, row, &more)?;
    if account.refused + account.undelivered > 0 {
        bail!("not all was taken: {account:?}");
    }
    match row.to {
        To::Lines(_) => check(Path::new(&target), &account)?,
        To::Log(_) => check(&Path::new(&target).join("access.log"), &account)?,
        To::Files(_) => check(&only_file(&place.folder, "lines_")?, &account)?,
        To::Folder(_) => {}
        To::Serve(_) => {
            if let Some(server) = server {
                end(server, account.records)?;
            }
        }
    }
    Ok(Measured {
        row: row.name,
        records: account.records,
        bytes: account.bytes,
        seconds: account.seconds,
        records_a_second: account.rate,
        cpu_us: used.cpu_seconds * 1e6 / account.records.max(1) as f64,
        resident_mib: used.resident_bytes as f64 / f64::from(1 << 20),
    })
}

/// The file must have as many lines as the account has records.
fn check(path: &Path, account: &Account) -> Result<()> {
    let lines = lines(path)?;
    if lines != account.records {
        bail!("{lines} lines are there, {} were made", account.records);
    }
    Ok(())
}

/// The one file of a folder whose name begins so.
fn only_file(folder: &Path, begins: &str) -> Result<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).context("look for files")? {
        let path = entry.context("look for files")?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.starts_with(begins) {
            found.push(path);
        }
    }
    match found.as_slice() {
        [path] => Ok(path.clone()),
        _ => bail!("{} files begin with {begins}", found.len()),
    }
}

fn generate(place: &Place, row: &Row, target: &[&str]) -> Result<(Account, Used)> {
    let said = place.folder.join("said");
    let errors = File::create(&said).context("keep what the generator says")?;
    let cpu = place.cpu as usize;
    let mut command = Command::new(&place.program);
    command
        .arg("gen")
        .args(row.arguments.split(' '))
        .args(target)
        .args(["--seed", "7", "--jobs", "1", "--json"])
        .current_dir(&place.folder)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(errors);
    // SAFETY: between fork and exec only the affinity is set, by system calls alone.
    unsafe { command.pre_exec(move || run_on(cpu)) };
    let mut child = command.spawn().context("start the generator")?;
    let mut printed = String::new();
    if let Some(stdout) = &mut child.stdout {
        stdout
            .read_to_string(&mut printed)
            .context("read the account")?;
    }
    let (status, used) = wait(&child)?;
    if !matches!(status.code(), Some(0 | RATE_NOT_MET)) {
        let said = fs::read_to_string(said).unwrap_or_default();
        bail!("the generator ended with {status}: {said}");
    }
    let account = serde_json::from_str(&printed)
        .with_context(|| format!("read the account of the generator: {printed:?}"))?;
    Ok((account, used))
}

/// Binds the calling process to one CPU.
fn run_on(cpu: usize) -> io::Result<()> {
    // SAFETY: a set of CPUs is a plain array of bits, for which zeros are a value.
    let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    // SAFETY: the number is below that of the bits in the set.
    unsafe { libc::CPU_SET(cpu, &mut set) };
    // SAFETY: the set is valid for its size.
    match unsafe { libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &set) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Waits for the child's end, and takes what it used.
fn wait(child: &Child) -> Result<(ExitStatus, Used)> {
    let id = i32::try_from(child.id()).context("the number of a process")?;
    let mut status = 0;
    // SAFETY: a usage is made of integers, for which zeros are a value.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: both pointers are valid; the child has not been waited for.
    let waited = unsafe { libc::wait4(id, &mut status, 0, &mut usage) };
    if waited != id {
        return Err(io::Error::last_os_error()).context("wait for the generator");
    }
    let seconds = |time: libc::timeval| time.tv_sec as f64 + time.tv_usec as f64 / 1e6;
    Ok((
        ExitStatus::from_raw(status),
        Used {
            cpu_seconds: seconds(usage.ru_utime) + seconds(usage.ru_stime),
            // In KiB.
            resident_bytes: usage.ru_maxrss.unsigned_abs() * 1024,
        },
    ))
}

/// Ends the server; its account must have all records.
fn end(mut server: Running, records: u64) -> Result<()> {
    let mut stdout = server.take_stdout().context("the server has no stdout")?;
    let status = server.stop()?;
    let mut printed = String::new();
    stdout
        .read_to_string(&mut printed)
        .context("read the account of the server")?;
    if !status.success() {
        bail!("the server ended with {status}: {printed}");
    }
    sinks::check(&printed, records)
}

fn lines(path: &Path) -> Result<u64> {
    let mut file = File::open(path).with_context(|| format!("open {}", path.display()))?;
    let mut buffer = vec![0; 1 << 20];
    let (mut lines, mut last) = (0, b'\n');
    loop {
        let count = file.read(&mut buffer).context("read the lines")?;
        let Some(end) = buffer[..count].last() else {
            break;
        };
        last = *end;
        lines += buffer[..count]
            .iter()
            .filter(|byte| **byte == b'\n')
            .count() as u64;
    }
    if last != b'\n' {
        bail!("the last line has no end");
    }
    Ok(lines)
}
