//! Records that could not be sent yet, on disk: a folder of segments, bounded by bytes.
//!
//! ```text
//! append ─► spool-…17.seg ─► fsync once a second, and when the next is begun
//! take   ◄─ spool-…09.seg    the oldest first; done: one byte in the frame, then the file goes
//! ```
//!
//! What is in the hands of the operating system survives the end of this process; what was brought to
//! the disk ([`Spool::unsynced`]) the fall of the host. A frame that was being written when the process
//! ended is cut off; a segment that is damaged is moved aside, and what is whole in it is kept. When
//! the spool is full the oldest segment goes that nobody holds a frame of. One process at a time has
//! the folder.
//!
//! It neither knows what is in a frame nor counts what becomes of it: what is lost is in what its
//! functions give.

mod frame;
mod read;
mod recover;
mod write;

use std::collections::{HashSet, VecDeque};
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use self::frame::{DONE, HEADER, Header, PAYLOAD_MOST, SEGMENT_MAGIC, STATE};
use super::counts::LossReason;
use super::log::make_folder;

/// Records hold addresses and targets: not for everyone.
const FILE_MODE: u32 = 0o640;
/// The file whose lock says that a process has the folder.
const LOCK: &str = "spool.lock";
/// Bytes after which a segment is closed and the next begun, where the spool is large.
const SEGMENT_BYTES: u64 = 8 << 20;
/// A full spool gives up this part of itself at a time.
const SEGMENTS: u64 = 8;

/// Where the spool is and how large it may become.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SpoolSettings {
    /// Its folder, made when it is missing. Default: `./spool`.
    pub directory: PathBuf,
    /// Bytes of all its segments together at most. Default: 1 GiB.
    pub bytes: u64,
}

impl Default for SpoolSettings {
    fn default() -> Self {
        Self {
            directory: PathBuf::from("./spool"),
            bytes: 1 << 30,
        }
    }
}

/// Why there is no spool.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SpoolError {
    /// The folder cannot be made or written to.
    #[error("spool folder {} cannot be used; make it writable or choose another with sinks.api.spool.dir", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Another process has the folder.
    #[error("spool folder {}: another tapline has it; choose another with sinks.api.spool.dir", path.display())]
    InUse {
        /// The folder.
        path: PathBuf,
    },
}

/// The spool. Belongs to one thread.
#[derive(Debug)]
pub(super) struct Spool {
    directory: PathBuf,
    limit: u64,
    segment_bytes: u64,
    /// The oldest first. Frames are added to the last one, if at all.
    segments: VecDeque<Segment>,
    writing: Option<File>,
    is_dirty: bool,
    reading: Option<Reading>,
    /// Frames that somebody holds.
    taken: HashSet<Place>,
    next_number: u64,
    _lock: Option<File>,
}

/// Where a frame is. No two frames ever have the same.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(super) struct Place {
    segment: u64,
    offset: u64,
    records: u32,
}

/// A frame that was taken out, to be sent.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Taken {
    pub(super) place: Place,
    pub(super) tag: u8,
    pub(super) records: u32,
    pub(super) payload: Vec<u8>,
}

/// What was found at the start.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Found {
    /// Records that wait.
    pub(super) records: u64,
    /// Records that cannot be read any more, as far as that can be told.
    pub(super) damaged: u64,
}

/// Records that were lost.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Gone {
    pub(super) reason: LossReason,
    pub(super) records: u64,
}

/// Why a frame was not added.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotKept {
    #[error("the spool is full (sinks.api.spool.size)")]
    Full,
    #[error("the spool cannot be written")]
    System(#[from] io::Error),
}

impl NotKept {
    /// Under what the records are counted when they are given up for it.
    pub(super) fn reason(&self) -> LossReason {
        match self {
            Self::Full => LossReason::SpoolFull,
            Self::System(error) => reason(error),
        }
    }
}

#[derive(Debug)]
struct Segment {
    number: u64,
    bytes: u64,
    /// Frames that are not done with, and the records in them.
    frames: u64,
    records: u64,
    /// Those of them that somebody holds.
    held: u64,
    held_records: u64,
    /// Records of all frames that were ever in it.
    all_records: u64,
    inode: u64,
}

#[derive(Debug)]
struct Reading {
    segment: u64,
    file: File,
    offset: u64,
}

impl Spool {
    /// Takes the folder for this process. What is in it is read by [`Spool::recover`].
    pub(super) fn open(settings: &SpoolSettings) -> Result<Self, SpoolError> {
        let failed = |source| SpoolError::Folder {
            path: settings.directory.clone(),
            source,
        };
        make_folder(&settings.directory).map_err(failed)?;
        let lock = match create(&settings.directory.join(LOCK), false) {
            Ok(lock) => Some(lock),
            // There may be room again later.
            Err(error) if error.kind() == io::ErrorKind::StorageFull => None,
            Err(error) => return Err(failed(error)),
        };
        if let Some(Err(fs::TryLockError::WouldBlock)) = lock.as_ref().map(File::try_lock) {
            return Err(SpoolError::InUse {
                path: settings.directory.clone(),
            });
        }
        Ok(Self {
            directory: settings.directory.clone(),
            limit: settings.bytes,
            segment_bytes: SEGMENT_BYTES.min(settings.bytes / SEGMENTS),
            segments: VecDeque::new(),
            writing: None,
            is_dirty: false,
            reading: None,
            taken: HashSet::new(),
            next_number: 1,
            _lock: lock,
        })
    }

    /// Reads what an earlier process left: whole frames wait again, oldest first. To be called once,
    /// before all else.
    pub(super) fn recover(&mut self) -> Found {
        let mut all = Found::default();
        for number in numbers(&self.directory) {
            self.next_number = self.next_number.max(number.saturating_add(1));
            let path = self.path(number);
            let left = match recover::recover(&path) {
                Ok(left) => left,
                Err(error) => {
                    tracing::error!(path = %path.display(), %error, "a segment of the spool cannot be read; it is left where it is");
                    continue;
                }
            };
            all.damaged += left.damaged;
            all.records += left.records;
            if left.frames == 0 {
                self.delete(number);
                continue;
            }
            self.segments.push_back(Segment {
                number,
                bytes: left.bytes,
                frames: left.frames,
                records: left.records,
                held: 0,
                held_records: 0,
                all_records: 0,
                inode: inode(&path),
            });
        }
        all
    }

    /// Adds a frame behind all others. `is_held`: the caller goes on with what is in it, and it is not
    /// taken before the next start; else it will be. Gives its place, and what had to go for it.
    pub(super) fn append(
        &mut self,
        tag: u8,
        records: u32,
        payload: &[u8],
        is_held: bool,
    ) -> Result<(Place, Vec<Gone>), NotKept> {
        let bytes = (HEADER + payload.len()) as u64;
        if payload.len() > PAYLOAD_MOST || records == 0 {
            return Err(NotKept::Full);
        }
        let gone = self.make_room(bytes + SEGMENT_MAGIC.len() as u64)?;
        let place = self.write(tag, records, payload)?;
        if let Some(segment) = self.segments.back_mut().filter(|_| is_held) {
            segment.held += 1;
            segment.held_records += u64::from(records);
            self.taken.insert(place);
        }
        Ok((place, gone))
    }

    /// A frame that was taken, or is held, is done with: it will not be taken again, also not after a
    /// restart.
    pub(super) fn done(&mut self, place: Place) {
        if !self.taken.remove(&place) {
            return;
        }
        let Some(segment) = self.segment(place.segment) else {
            return;
        };
        segment.frames = segment.frames.saturating_sub(1);
        segment.records = segment.records.saturating_sub(u64::from(place.records));
        segment.held = segment.held.saturating_sub(1);
        segment.held_records = segment
            .held_records
            .saturating_sub(u64::from(place.records));
        let is_empty = segment.frames == 0;
        let is_last = self.segments.back().map(|last| last.number) == Some(place.segment);
        // The one that frames are added to is of use still; that of an earlier process is not.
        let is_of_use = is_last && self.writing.is_some() && self.segments.len() > 1;
        if is_empty && !is_of_use {
            self.forget(place.segment);
        } else if let Err(error) = self.mark(place) {
            tracing::warn!(path = %self.path(place.segment).display(), %error, "what was sent cannot be marked in the spool; it is sent again after a restart");
        }
        // The one that frames are added to goes when nothing is left at all.
        if let (1, Some(last)) = (self.segments.len(), self.segments.back())
            && last.frames == 0
        {
            self.forget(last.number);
        }
    }

    /// Whether there are frames that nobody holds.
    pub(super) fn has_more(&self) -> bool {
        self.segments
            .iter()
            .any(|segment| segment.frames > segment.held)
    }

    /// Bytes of all segments.
    pub(super) fn bytes(&self) -> u64 {
        self.segments.iter().map(|segment| segment.bytes).sum()
    }

    /// The file that is to be brought to the disk, if anything was written to it since this was asked
    /// last.
    pub(super) fn unsynced(&mut self) -> Option<File> {
        if !std::mem::take(&mut self.is_dirty) {
            return None;
        }
        self.writing.as_ref().and_then(|file| file.try_clone().ok())
    }

    /// Looks whether the segment being written is there still; when it was deleted, what was in it and
    /// nobody holds is lost.
    pub(super) fn check(&mut self) -> Option<Gone> {
        let last = self.segments.back()?;
        let number = last.number;
        if self.writing.is_none() || inode(&self.path(number)) == last.inode {
            return None;
        }
        self.writing = None;
        Some(self.give_up(number, LossReason::Gone))
    }

    /// Brings everything to the disk.
    pub(super) fn close(mut self) {
        if let Some(last) = self.segments.back().filter(|last| last.frames == 0) {
            self.forget(last.number);
        }
        if let Some(file) = self.writing
            && let Err(error) = file.sync_data()
        {
            tracing::warn!(path = %self.directory.display(), %error, "the spool may not have reached the disk");
        }
    }

    fn path(&self, number: u64) -> PathBuf {
        self.directory.join(name(number))
    }

    fn segment(&mut self, number: u64) -> Option<&mut Segment> {
        self.segments
            .iter_mut()
            .find(|segment| segment.number == number)
    }

    /// Gives up the oldest segments until this many bytes more fit.
    fn make_room(&mut self, bytes: u64) -> Result<Vec<Gone>, NotKept> {
        let mut gone = Vec::new();
        while self.bytes().saturating_add(bytes) > self.limit {
            // A frame that somebody holds may be stored at this moment.
            let oldest = self.segments.iter().find(|segment| segment.held == 0);
            let Some(number) = oldest.map(|segment| segment.number) else {
                return Err(NotKept::Full);
            };
            gone.push(self.give_up(number, LossReason::SpoolFull));
        }
        Ok(gone)
    }

    /// Deletes a segment; what nobody holds of it is lost.
    fn give_up(&mut self, number: u64, reason: LossReason) -> Gone {
        let records = self.segment(number).map_or(0, |segment| {
            segment.records.saturating_sub(segment.held_records)
        });
        match reason {
            LossReason::Damaged => {
                let path = self.path(number);
                let aside = recover::aside(&path);
                tracing::error!(path = %path.display(), aside = %aside.display(), records, "a segment of the spool is damaged; it was moved aside");
                if let Err(error) = fs::rename(&path, &aside) {
                    tracing::error!(path = %path.display(), %error, "the damaged segment cannot be moved aside; it is deleted");
                }
            }
            LossReason::SpoolFull => {
                tracing::warn!(path = %self.path(number).display(), records, "the spool is full; its oldest records are given up");
            }
            _ => {
                tracing::error!(path = %self.path(number).display(), reason = reason.word(), records, "a segment of the spool cannot be read any more; its records are lost");
            }
        }
        self.forget(number);
        Gone { reason, records }
    }

    /// Deletes a segment.
    fn forget(&mut self, number: u64) {
        if self
            .segments
            .back()
            .is_some_and(|last| last.number == number)
        {
            self.writing = None;
        }
        if self
            .reading
            .as_ref()
            .is_some_and(|reading| reading.segment == number)
        {
            // What comes next begins at its own first frame.
            self.reading = None;
        }
        self.segments.retain(|segment| segment.number != number);
        self.delete(number);
    }

    fn delete(&self, number: u64) {
        let path = self.path(number);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                tracing::warn!(path = %path.display(), %error, "a segment of the spool that is done with cannot be deleted; it may be sent again after a restart");
            }
            _ => {}
        }
    }
}

fn name(number: u64) -> String {
    format!("spool-{number:020}.seg")
}

/// The numbers of the segments in the folder, the smallest first. Foreign names are passed over.
fn numbers(directory: &Path) -> Vec<u64> {
    let Ok(entries) = fs::read_dir(directory) else {
        return Vec::new();
    };
    let number = |entry: fs::DirEntry| {
        let file = entry.file_name();
        let digits = file
            .to_str()?
            .strip_prefix("spool-")?
            .strip_suffix(".seg")?;
        let number = digits.parse().ok()?;
        (name(number).as_str() == file.to_str()? && entry.file_type().ok()?.is_file())
            .then_some(number)
    };
    let mut numbers: Vec<u64> = entries.flatten().filter_map(number).collect();
    numbers.sort_unstable();
    numbers
}

fn create(path: &Path, is_new: bool) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .create_new(is_new)
        .truncate(false)
        .mode(FILE_MODE)
        .custom_flags(libc::O_NOFOLLOW | libc::O_CLOEXEC)
        .open(path)
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .custom_flags(libc::O_NOFOLLOW | libc::O_CLOEXEC)
        .open(path)
}

/// Tells the file of this name from another; 0 when there is none.
fn inode(path: &Path) -> u64 {
    fs::symlink_metadata(path).map_or(0, |metadata| metadata.ino())
}

fn reason(error: &io::Error) -> LossReason {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => LossReason::NoSpace,
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => LossReason::Denied,
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => LossReason::Gone,
        io::ErrorKind::UnexpectedEof => LossReason::Damaged,
        _ => LossReason::Other,
    }
}

#[cfg(test)]
mod tests;
