//! A segment that an earlier process left: what is whole in it is kept, what is torn cut off, and what
//! is damaged moved aside.

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use super::frame::{HEADER, Header, PAYLOAD_MOST, SEGMENT_MAGIC, Scan, scan};
use super::{SEGMENT_BYTES, create, open};

/// No segment of ours is larger: the last frame may reach over the end.
const SEGMENT_MOST: u64 = SEGMENT_BYTES + PAYLOAD_MOST as u64 + HEADER as u64;

/// What is left in a segment.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Left {
    pub(super) bytes: u64,
    /// Frames that wait, and the records in them.
    pub(super) frames: u64,
    pub(super) records: u64,
    /// Records that cannot be read any more, as far as that can be told.
    pub(super) damaged: u64,
}

/// Reads a segment, and mends it where it has to be.
pub(super) fn recover(path: &Path) -> io::Result<Left> {
    let file = open(path)?;
    let mut bytes = Vec::new();
    (&file).take(SEGMENT_MOST + 1).read_to_end(&mut bytes)?;
    let is_too_large = bytes.len() as u64 > SEGMENT_MOST;
    let found = scan(&bytes);
    let waiting = || found.frames.iter().filter(|(_, header)| !header.is_done);
    let mut left = Left {
        bytes: found.tail.start as u64,
        frames: waiting().count() as u64,
        records: waiting().map(|(_, header)| u64::from(header.records)).sum(),
        damaged: found.lost,
    };
    if found.has_holes || found.is_foreign || is_too_large {
        left.bytes = set_aside(path, &bytes, &found)?;
    } else if !found.tail.is_empty() {
        let torn = found.tail.len();
        tracing::warn!(
            path = %path.display(),
            bytes = torn,
            records = found.lost,
            "the last frame of a segment of the spool was not written to its end; it was cut off"
        );
        file.set_len(found.tail.start as u64)?;
    }
    Ok(left)
}

/// Gives the segment another name and writes what is whole in it, and waits, under the old one.
fn set_aside(path: &Path, bytes: &[u8], found: &Scan) -> io::Result<u64> {
    let aside = aside(path);
    let mut mended = SEGMENT_MAGIC.to_vec();
    let mut before = 0;
    for (at, header) in &found.frames {
        let payload = bytes.get(at + HEADER..at + header.frame_bytes() as usize);
        let Some(payload) = payload.filter(|_| !header.is_done) else {
            continue;
        };
        let header = Header::new(header.tag, header.records, before, payload);
        before += u64::from(header.records);
        mended.extend(header.to_bytes());
        mended.extend(payload);
    }
    fs::rename(path, &aside)?;
    tracing::error!(
        path = %path.display(),
        aside = %aside.display(),
        kept = before,
        lost = found.lost,
        "a segment of the spool is damaged; it was moved aside, and the records that are whole are kept"
    );
    if before > 0 {
        let mut file: File = create(path, true)?;
        file.write_all(&mended)?;
        file.sync_data()?;
    }
    Ok(mended.len() as u64)
}

/// A name for a damaged segment that no file has.
pub(super) fn aside(path: &Path) -> PathBuf {
    let mut number = 1;
    loop {
        let mut name = path.as_os_str().to_owned();
        name.push(format!(".damaged-{number}"));
        let aside = PathBuf::from(name);
        if fs::symlink_metadata(&aside).is_err() || number == u32::MAX {
            return aside;
        }
        number += 1;
    }
}
