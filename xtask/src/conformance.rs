//! `cargo xtask conformance DIR`: every capture of a folder, read by `tapline read`, against what
//! another program found in it.
//!
//! `DIR/expected.jsonl` has one line a capture: `{"file": …, "messages": […]}`. A capture without
//! a line must give no message. Per capture the messages are compared as multisets: their order is
//! not compared, how often each comes is.

mod message;

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::Read as _,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};
use clap::Args;

use crate::{
    build,
    conformance::message::{Message, compare},
    process::Step,
    report::print,
    workspace::Workspace,
};

/// The share of the expected messages that must be found.
const FOUND: f64 = 0.98;
/// The share of messages too many, of those expected, that is let pass.
const EXTRA: f64 = 0.02;

/// What `cargo xtask conformance` takes.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The folder with the captures and expected.jsonl
    folder: PathBuf,
    /// Ask this program instead of building tapline
    #[arg(long, value_name = "FILE")]
    program: Option<PathBuf>,
}

/// One row of the table.
#[derive(Debug, Default)]
struct Count {
    expected: usize,
    found: usize,
    missing: usize,
    extra: usize,
}

/// Compares and prints the table. Gives whether the ratios hold and every capture could be read.
///
/// # Errors
/// When the folder or its expected.jsonl cannot be read, or the program does not build.
pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<bool> {
    let listed = options.folder.join("expected.jsonl");
    let text = fs::read_to_string(&listed).with_context(|| format!("read {}", listed.display()))?;
    let mut expected =
        message::expectations(&text).with_context(|| format!("read {}", listed.display()))?;
    let files = captures(&options.folder, &mut expected)?;
    let program = match &options.program {
        Some(program) => program.clone(),
        None => {
            build::run(workspace)?;
            workspace.tapline()
        }
    };

    let mut total = Count::default();
    let mut errors = Vec::new();
    let mut differences = Vec::new();
    let width = files
        .keys()
        .map(String::len)
        .max()
        .unwrap_or(0)
        .max("capture".len());
    print(format_args!(
        "{:width$} expected    found  missing    extra",
        "capture"
    ));
    for (name, wanted) in &files {
        let row = match check(
            &program,
            &options.folder.join(name),
            wanted,
            &mut differences,
        ) {
            Ok(row) => row,
            Err(error) => {
                errors.push(format!("{name}: {error:#}"));
                Count {
                    expected: wanted.len(),
                    missing: wanted.len(),
                    ..Count::default()
                }
            }
        };
        print_row(width, name, &row);
        total.expected += row.expected;
        total.found += row.found;
        total.missing += row.missing;
        total.extra += row.extra;
    }
    print_row(width, "all", &total);
    for line in differences.iter().chain(&errors) {
        print(line);
    }
    let (passed, line) = verdict(&total, errors.len())?;
    print(line);
    Ok(passed)
}

/// Whether the two ratios are good enough, and a line that says so.
///
/// # Errors
/// When no message is expected.
fn verdict(total: &Count, errors: usize) -> Result<(bool, String)> {
    if total.expected == 0 {
        bail!("expected.jsonl expects no message: nothing is compared");
    }
    let share = |count: usize| count as f64 / total.expected as f64;
    let (found, extra) = (share(total.expected - total.missing), share(total.extra));
    let passed = found >= FOUND && extra <= EXTRA && errors == 0;
    let line = format!(
        "{}: {found:.4} of the messages found (at least {FOUND}), {extra:.4} too many (at most \
         {EXTRA}), {errors} captures with errors",
        if passed { "passed" } else { "FAILED" }
    );
    Ok((passed, line))
}

fn print_row(width: usize, name: &str, row: &Count) {
    let Count {
        expected,
        found,
        missing,
        extra,
    } = row;
    print(format_args!(
        "{name:width$} {expected:8} {found:8} {missing:8} {extra:8}"
    ));
}

/// Every capture of the folder with what is expected in it.
///
/// # Errors
/// When a file is packed or no capture, or an expected capture is not there.
fn captures(
    folder: &Path,
    expected: &mut BTreeMap<String, Vec<Message>>,
) -> Result<BTreeMap<String, Vec<Message>>> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(folder).with_context(|| format!("list {}", folder.display()))? {
        let path = entry
            .with_context(|| format!("list {}", folder.display()))?
            .path();
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let text = [".md", ".txt", ".jsonl"]
            .iter()
            .any(|ending| name.ends_with(ending));
        if text || name.starts_with('.') || !path.is_file() {
            continue;
        }
        let mut head = Vec::new();
        File::open(&path)
            .and_then(|file| file.take(6).read_to_end(&mut head))
            .with_context(|| format!("read {}", path.display()))?;
        match kind(&head) {
            Kind::Capture => files.insert(name.clone(), expected.remove(&name).unwrap_or_default()),
            Kind::Packed => bail!("{} is compressed: unpack it first", path.display()),
            Kind::Other => bail!("{} is no capture file", path.display()),
        };
    }
    match expected.keys().next() {
        Some(name) => bail!(
            "expected.jsonl names {name}, which is not in {}",
            folder.display()
        ),
        None => Ok(files),
    }
}

/// What a file is by its first bytes.
#[derive(Debug, PartialEq, Eq)]
enum Kind {
    Capture,
    Packed,
    Other,
}

fn kind(head: &[u8]) -> Kind {
    const PCAP: [u32; 2] = [0xa1b2_c3d4, 0xa1b2_3c4d];
    const PCAPNG: u32 = 0x0a0d_0d0a;
    const PACKED: [&[u8]; 4] = [
        b"\x1f\x8b",
        b"BZh",
        b"\xfd7zXZ\0",
        &[0x28, 0xb5, 0x2f, 0xfd],
    ];
    if PACKED.iter().any(|magic| head.starts_with(magic)) {
        return Kind::Packed;
    }
    let Some(magic) = head
        .first_chunk::<4>()
        .map(|bytes| u32::from_le_bytes(*bytes))
    else {
        return Kind::Other;
    };
    let known = PCAP.contains(&magic) || PCAP.contains(&magic.swap_bytes()) || magic == PCAPNG;
    if known { Kind::Capture } else { Kind::Other }
}

/// Reads one capture and compares.
fn check(
    program: &Path,
    capture: &Path,
    expected: &[Message],
    differences: &mut Vec<String>,
) -> Result<Count> {
    let printed = Step::new(program)
        .args([
            "read",
            "--format",
            "json",
            "--log-dir",
            "-",
            "--redact=false",
        ])
        .arg(capture)
        .stdout()?;
    let found = printed
        .lines()
        .map(Message::from_log_line)
        .collect::<Result<Vec<_>>>()
        .context("understand what `tapline read` printed")?;
    let name = capture.file_name().unwrap_or_default().to_string_lossy();
    let difference = compare(expected, &found);
    for message in &difference.missing {
        differences.push(format!("{name}: missing: {message}"));
    }
    for message in &difference.extra {
        differences.push(format!("{name}: extra: {message}"));
    }
    Ok(Count {
        expected: expected.len(),
        found: found.len(),
        missing: difference.missing.len(),
        extra: difference.extra.len(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_told_by_their_first_bytes() {
        let check = |head: &[u8], expected: Kind| assert_eq!(kind(head), expected, "{head:x?}");
        check(b"\xd4\xc3\xb2\xa1\x02\x00", Kind::Capture);
        check(b"\xa1\xb2\xc3\xd4\x00\x02", Kind::Capture);
        check(b"\x4d\x3c\xb2\xa1\x02\x00", Kind::Capture);
        check(b"\x0a\x0d\x0d\x0a\x00\x00", Kind::Capture);
        check(b"\x1f\x8b\x08\x00\x00\x00", Kind::Packed);
        check(b"\x28\xb5\x2f\xfd\x00\x00", Kind::Packed);
        check(b"#!/bin", Kind::Other);
        check(b"\xd4\xc3\xb2", Kind::Other);
        check(b"", Kind::Other);
    }

    #[test]
    fn both_ratios_and_every_error_count() {
        let check = |missing: usize, extra: usize, errors: usize, passed: bool| {
            let total = Count {
                expected: 100,
                found: 100 - missing + extra,
                missing,
                extra,
            };
            let (verdict, line) = verdict(&total, errors).unwrap();
            assert_eq!(verdict, passed, "{line}");
            assert_eq!(line.starts_with("passed"), passed, "{line}");
        };
        check(0, 0, 0, true);
        check(2, 2, 0, true);
        check(3, 0, 0, false);
        check(0, 3, 0, false);
        check(0, 0, 1, false);
        verdict(&Count::default(), 0).unwrap_err();
    }
}
