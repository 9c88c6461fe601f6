//! The copy of a file that was truncated: what was appended between the last look and the copy stands
//! only there.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use flate2::read::MultiGzDecoder;

use super::{BLOCK, Line, Open};

/// Files beside it that are looked at: the newest.
const MOST: usize = 8;

/// Bytes of a copy that are read at most behind the place: nobody waits for more.
const REST: u64 = 1 << 30;

/// Reads the rest of the lines from the copy, a file beside `path` whose name goes on where that of
/// `path` ends and which begins with the same bytes. Whether one was found; where nothing was read
/// before, there is nothing to look for.
///
/// # Errors
/// The folder cannot be listed. Copies that cannot be read are none.
pub(super) fn rest(
    path: &Path,
    open: &mut Open,
    line: &mut dyn FnMut(Line<'_>),
) -> io::Result<bool> {
    if open.mark.is_empty() {
        return Ok(true);
    }
    for candidate in beside(path)? {
        if read_rest(&candidate, open, line).unwrap_or(false) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The files whose names begin with that of `path` and go on, the newest first.
fn beside(path: &Path) -> io::Result<Vec<PathBuf>> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let Some(name) = path.file_name().map(|name| name.as_encoded_bytes()) else {
        return Ok(Vec::new());
    };
    let stem = name.strip_suffix(b".log").unwrap_or(name);
    let mut found: Vec<(SystemTime, PathBuf)> = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let other = entry.file_name();
        let other = other.as_encoded_bytes();
        // `access.log.1`, `access.log-20260101.gz`; `access-20260101.log` with logrotate's `extension`.
        let is_one = other != name && (other.starts_with(name) || other.starts_with(stem));
        if let (true, Ok(metadata)) = (is_one, entry.metadata())
            && metadata.is_file()
        {
            let time = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
            found.push((time, entry.path()));
        }
    }
    found.sort();
    Ok(found
        .into_iter()
        .rev()
        .take(MOST)
        .map(|(_, path)| path)
        .collect())
}

/// Reads a copy from the place on; false: it is another file.
fn read_rest(path: &Path, open: &mut Open, line: &mut dyn FnMut(Line<'_>)) -> io::Result<bool> {
    let file = File::open(path)?;
    let mut input: Box<dyn Read> = match path.extension().is_some_and(|ending| ending == "gz") {
        true => Box::new(MultiGzDecoder::new(file)),
        false => Box::new(file),
    };
    let mut first = vec![0; open.mark.len()];
    input.read_exact(&mut first)?;
    if first != open.mark {
        return Ok(false);
    }
    let passed = open.offset.saturating_sub(first.len() as u64);
    if io::copy(&mut (&mut input).take(passed), &mut io::sink())? < passed {
        return Ok(false);
    }
    let mut input = input.take(REST);
    let mut buffer = vec![0; BLOCK];
    loop {
        let length = match input.read(&mut buffer) {
            Ok(0) => break,
            Ok(length) => length,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            // A compressor may not be done: what is there counts.
            Err(_) => break,
        };
        open.take(&buffer[..length], line);
    }
    open.give_rest(line);
    Ok(true)
}
