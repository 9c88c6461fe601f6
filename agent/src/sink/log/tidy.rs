//! What happens to files that were put aside: they are compressed, and the oldest are deleted.
//!
//! All is read from the folder each time, so that nothing is forgotten over a restart or a crash:
//!
//! - `….log.gz.tmp` was being compressed when the program ended: it is deleted, the plain file is
//!   still there.
//! - A plain file beside its `.gz`: when the contents are the same, the plain file is deleted;
//!   when not, both are left alone and a warning says so.
//! - Any other plain file with a number is compressed: to the temporary name, to the disk, to its
//!   name, and only then the plain file is deleted.
//!
//! Deleted are only files of exactly our names, never one that lines go to, and never the highest
//! number of a series that lines go to, since the next number is told by it.

use std::{
    fs::{self, File},
    io::{self, Read, Write as _},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
        mpsc::{Receiver, RecvTimeoutError},
    },
    time::Duration,
};

use flate2::{Compression, read::MultiGzDecoder, write::GzEncoder};
use jiff::{Timestamp, civil::Date, tz::TimeZone};

use super::{
    folder::{self, Entry, LiveFiles},
    names::{FileName, Form},
    settings::Retain,
};

/// Without being woken it looks at the folder so often: a disk may have room again, a day be over.
const PERIOD: Duration = Duration::from_secs(600);

/// How often files are compressed before old ones are deleted: if more come all the time, the disk is
/// filled faster than it is given back.
const ROUNDS: u32 = 5;

/// How far below others the thread stands: compression must not take the CPU from the capture.
const NICENESS: libc::c_int = 10;

/// What tidies a folder.
#[derive(Debug)]
pub(super) struct Tidy {
    pub(super) directory: PathBuf,
    pub(super) compress: bool,
    pub(super) retain: Retain,
    pub(super) live: Arc<LiveFiles>,
    /// The program ends: what is under way is given up, the next start does it again.
    pub(super) stop: Arc<AtomicBool>,
}

impl Tidy {
    /// Tidies whenever it is woken, until the other end of `wake` is gone.
    pub(super) fn run(&self, wake: &Receiver<()>, zone: &TimeZone) {
        stand_below_others();
        let mut failing = false;
        while !matches!(
            wake.recv_timeout(PERIOD),
            Err(RecvTimeoutError::Disconnected)
        ) {
            let today = zone.to_datetime(Timestamp::now()).date();
            match self.once(today) {
                Ok(()) => failing = false,
                Err(error) if failing => {
                    tracing::debug!(%error, "the log folder still cannot be tidied");
                }
                Err(error) => {
                    failing = true;
                    let path = self.directory.display();
                    tracing::warn!(%path, %error, "the log folder cannot be tidied; it is tried again every 10 minutes");
                }
            }
        }
    }

    /// Tidies once. One file that fails does not keep the others from their turn; gives the first
    /// error.
    pub(super) fn once(&self, today: Date) -> io::Result<()> {
        let mut result = Ok(());
        // Files that are put aside while others are compressed come next: none is to be deleted for the
        // room that it takes only as long as it is plain.
        for _ in 0..ROUNDS {
            let entries = match folder::list(&self.directory) {
                // Not there: nothing to do until the writer makes it again.
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
                other => other?,
            };
            let mut compressed = false;
            for name in entries.iter().map(|entry| entry.name) {
                let done = match name.form {
                    Form::Unfinished(_) => delete(&self.path(name)),
                    Form::Aside(number) if self.compress && !self.stop.load(Relaxed) => {
                        let done = self.compress(name, number);
                        compressed |= done.is_ok();
                        done
                    }
                    _ => Ok(()),
                };
                result = result.and(done);
            }
            if !compressed || result.is_err() {
                break;
            }
        }
        let deleted = self.delete_oldest(today);
        result.and(deleted)
    }

    fn compress(&self, name: FileName, number: u64) -> io::Result<()> {
        let named = |form| self.path(FileName { form, ..name });
        let plain = named(Form::Aside(number));
        let compressed = named(Form::Compressed(number));
        let unfinished = named(Form::Unfinished(number));
        if fs::symlink_metadata(&compressed).is_ok() {
            let is_the_same = self.is_the_same(&plain, &compressed)?;
            if self.stop.load(Relaxed) {
                return Ok(());
            }
            if is_the_same {
                return delete(&plain);
            }
            return Err(io::Error::other(format!(
                "{} and {} are different; delete the one that is not wanted",
                plain.display(),
                compressed.display()
            )));
        }
        // One of an earlier try in this run.
        delete(&unfinished)?;
        let done = self
            .write_compressed(&plain, &unfinished)
            .and_then(|is_whole| {
                if is_whole {
                    folder::rename_new(&unfinished, &compressed)?;
                    // The name must be on the disk before the plain file goes.
                    File::open(&self.directory)?.sync_all()?;
                    delete(&plain)
                } else {
                    delete(&unfinished)
                }
            });
        if let Err(error) = done {
            // Most likely the disk is full: give the room back.
            delete(&unfinished)?;
            return Err(error);
        }
        Ok(())
    }

    /// Whether all was written; not so when the program ends.
    fn write_compressed(&self, plain: &Path, unfinished: &Path) -> io::Result<bool> {
        let mut source = File::open(plain)?;
        let target = folder::create_new(unfinished)?;
        // The fastest level: log lines still shrink to a tenth.
        let mut encoder = GzEncoder::new(target, Compression::fast());
        let mut block = vec![0; 64 * 1024];
        loop {
            if self.stop.load(Relaxed) {
                return Ok(false);
            }
            let count = source.read(&mut block)?;
            if count == 0 {
                break;
            }
            encoder.write_all(&block[..count])?;
        }
        let target = encoder.finish()?;
        if let Ok(time) = source.metadata()?.modified() {
            target.set_modified(time)?;
        }
        target.sync_all()?;
        Ok(true)
    }

    /// A compressed file that cannot be read is not the same. Of no meaning when the program ends.
    fn is_the_same(&self, plain: &Path, compressed: &Path) -> io::Result<bool> {
        let mut plain = File::open(plain)?;
        let mut compressed = MultiGzDecoder::new(File::open(compressed)?);
        let (mut first, mut second) = (vec![0; 64 * 1024], vec![0; 64 * 1024]);
        loop {
            if self.stop.load(Relaxed) {
                return Ok(false);
            }
            let count = read_block(&mut plain, &mut first)?;
            if read_block(&mut compressed, &mut second).ok() != Some(count)
                || first[..count] != second[..count]
            {
                return Ok(false);
            }
            if count == 0 {
                return Ok(true);
            }
        }
    }

    fn delete_oldest(&self, today: Date) -> io::Result<()> {
        if self.retain == Retain::default() {
            return Ok(());
        }
        let mut entries = folder::list(&self.directory)?;
        entries.sort_by_key(|entry| {
            let FileName { series, form } = entry.name;
            let number = form.number().unwrap_or(u64::MAX);
            (series.day, number, series.topic)
        });
        let oldest_kept = self.retain.days.map(|days| {
            today
                .checked_sub(jiff::Span::new().days(i64::from(days.min(1_000_000))))
                .unwrap_or(Date::MIN)
        });
        let mut total: u64 = entries.iter().map(|entry| entry.bytes).sum();
        let mut result = Ok(());
        let (mut files, mut bytes) = (0_u64, 0_u64);
        for entry in &entries {
            let too_old = oldest_kept.is_some_and(|oldest| entry.name.series.day < oldest);
            let too_much = self.retain.bytes.is_some_and(|most| total > most);
            if too_old || too_much {
                match self.delete_unless_live(entry.name, &entries, today) {
                    Ok(true) => {
                        total -= entry.bytes;
                        (files, bytes) = (files + 1, bytes + entry.bytes);
                    }
                    Ok(false) => {}
                    Err(error) => result = result.and(Err(error)),
                }
            }
        }
        if files > 0 {
            let path = self.directory.display();
            tracing::info!(%path, files, bytes, "old log files were deleted, as `log.retain` asks");
        }
        result
    }

    fn delete_unless_live(
        &self,
        name: FileName,
        entries: &[Entry],
        today: Date,
    ) -> io::Result<bool> {
        // Held until the file is gone, so that it cannot become live in between.
        let live = self.live.lock();
        let is_live = |name: &FileName| {
            name.series.day >= today || live.iter().any(|other| other.series == name.series)
        };
        let may_go = match name.form {
            Form::Live => !is_live(&name),
            Form::Aside(number) | Form::Compressed(number) => {
                let is_highest = || {
                    !entries.iter().any(|other| {
                        other.name.series == name.series && other.name.form.number() > Some(number)
                    })
                };
                !(is_live(&name) && is_highest())
            }
            Form::Unfinished(_) => false,
        };
        if may_go {
            delete(&self.path(name))?;
        }
        Ok(may_go)
    }

    fn path(&self, name: FileName) -> PathBuf {
        self.directory.join(name.to_string())
    }
}

/// Deletes a file that may already be gone.
fn delete(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Fills the block as far as there is something to read.
fn read_block(source: &mut impl Read, block: &mut [u8]) -> io::Result<usize> {
    let mut length = 0;
    while length < block.len() {
        match source.read(&mut block[length..]) {
            Ok(0) => break,
            Ok(count) => length += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(length)
}

fn stand_below_others() {
    // SAFETY: takes three numbers; 0 is the calling thread. When it fails, nothing is changed,
    // and the thread works at the ordinary priority.
    let _ = unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, NICENESS) };
}

#[cfg(test)]
mod tests;
