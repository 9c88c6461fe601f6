//! Files that were put aside: `access.log.1` is the newest, `access.log.2` the one before, up to as many
//! as are kept; each is compressed to `access.log.1.gz` in the background.
//!
//! A file that is being compressed may get another number meanwhile; what is told under the lock is
//! where it stands. It is deleted only when its compressed form is complete and has its name. What an
//! earlier run left is found in the folder.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::SystemTime;

use flate2::Compression;
use flate2::write::GzEncoder;

/// One log and the files that were put aside of it.
#[derive(Debug)]
pub struct Backups {
    folder: PathBuf,
    /// The name of the log.
    name: String,
    /// Files that are kept; 0: all.
    keep: u32,
    compress: bool,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Files that are to be compressed: which, and the number that each has now.
    waiting: Vec<(u64, u32)>,
    last: u64,
}

/// A file that was put aside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Aside {
    /// Where it is.
    pub path: PathBuf,
    number: u32,
    is_compressed: bool,
}

/// What compresses, for all logs.
#[derive(Debug)]
pub struct Compressor {
    ask: Option<Sender<(Arc<Backups>, u64)>>,
    thread: Option<JoinHandle<()>>,
}

impl Backups {
    /// Of the log of this name in this folder.
    #[must_use]
    pub fn new(folder: &Path, name: &str, keep: u32, compress: bool) -> Self {
        Self {
            folder: folder.to_owned(),
            name: name.to_owned(),
            keep,
            compress,
            state: Mutex::default(),
        }
    }

    /// Takes care of what an earlier run left: what was half compressed is deleted, what was not
    /// compressed is asked for.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn recover(self: &Arc<Self>, compressor: &Compressor) -> io::Result<()> {
        let mut state = self.lock();
        match fs::remove_file(self.unfinished()) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        if !self.compress {
            return Ok(());
        }
        let plain: Vec<u32> = self
            .list()?
            .iter()
            .filter(|one| !one.is_compressed)
            .map(|one| one.number)
            .collect();
        for number in plain {
            self.ask(&mut state, number, compressor);
        }
        Ok(())
    }

    /// Puts the log aside as number 1; all others get the next number, and those beyond the last that is
    /// kept are deleted: gives the numbers that these would have had.
    ///
    /// # Errors
    /// A file cannot be renamed or deleted.
    pub fn put_aside(self: &Arc<Self>, compressor: &Compressor) -> io::Result<Vec<u32>> {
        let mut state = self.lock();
        let mut files = self.list()?;
        // From the last on, so that every new name is free.
        files.sort_by_key(|file| std::cmp::Reverse(file.number));
        let mut deleted = Vec::new();
        for file in files {
            let number = file.number.saturating_add(1);
            if self.keep > 0 && number > self.keep {
                fs::remove_file(&file.path)?;
                deleted.push(number);
            } else {
                fs::rename(&file.path, self.path(number, file.is_compressed))?;
            }
        }
        // One that was just compressed may be there in both forms.
        deleted.dedup();
        for (_, number) in &mut state.waiting {
            *number = number.saturating_add(1);
        }
        let keep = self.keep;
        state
            .waiting
            .retain(|(_, number)| keep == 0 || *number <= keep);
        fs::rename(self.folder.join(&self.name), self.path(1, false))?;
        if self.compress {
            self.ask(&mut state, 1, compressor);
        }
        Ok(deleted)
    }

    /// Files that are kept; 0: all.
    pub const fn keep(&self) -> u32 {
        self.keep
    }

    /// The files that were put aside, with the time of their last line.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn files(&self) -> io::Result<Vec<(SystemTime, Aside)>> {
        let files = self.list()?.into_iter();
        let with_time = files.filter_map(|file| {
            let time = fs::metadata(&file.path).and_then(|data| data.modified());
            // It may be gone by now.
            time.ok().map(|time| (time, file))
        });
        Ok(with_time.collect())
    }

    /// Deletes a file that was put aside. False where it has another name by now.
    ///
    /// # Errors
    /// It cannot be deleted.
    pub fn delete(&self, file: &Aside, time: SystemTime) -> io::Result<bool> {
        let _state = self.lock();
        let now = fs::metadata(&file.path).and_then(|data| data.modified());
        match now {
            Ok(now) if now == time => fs::remove_file(&file.path).map(|()| true),
            _ => Ok(false),
        }
    }

    fn ask(self: &Arc<Self>, state: &mut State, number: u32, compressor: &Compressor) {
        state.last += 1;
        let task = state.last;
        state.waiting.push((task, number));
        if let Some(ask) = &compressor.ask {
            // It ends only with us.
            drop(ask.send((Arc::clone(self), task)));
        }
    }

    /// Compresses one file.
    fn compress(&self, task: u64) -> io::Result<()> {
        let number = |state: &State| {
            let found = state.waiting.iter().find(|(waiting, _)| *waiting == task);
            found.map(|(_, number)| *number)
        };
        let opened = {
            let state = self.lock();
            number(&state).map(|number| File::open(self.path(number, false)))
        };
        let mut plain = match opened.transpose() {
            Ok(Some(plain)) => plain,
            Ok(None) => return Ok(()),
            // The disk guard has deleted it.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error),
        };
        let unfinished = self.unfinished();
        let time = plain.metadata().and_then(|data| data.modified());
        let mut packer = GzEncoder::new(File::create(&unfinished)?, Compression::fast());
        io::copy(&mut plain, &mut packer)?;
        let mut packed = packer.finish()?;
        packed.flush()?;
        if let Ok(time) = time {
            // Who asks for the oldest file means the time of its lines.
            packed.set_modified(time)?;
        }
        let mut state = self.lock();
        let number = number(&state);
        state.waiting.retain(|(waiting, _)| *waiting != task);
        let Some(number) = number.filter(|number| self.path(*number, false).exists()) else {
            // It was deleted meanwhile.
            return fs::remove_file(&unfinished);
        };
        fs::rename(&unfinished, self.path(number, true))?;
        fs::remove_file(self.path(number, false))
    }

    fn list(&self) -> io::Result<Vec<Aside>> {
        let mut files = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            let name = entry.file_name();
            let Some(rest) = name.to_str().and_then(|name| name.strip_prefix(&self.name)) else {
                continue;
            };
            let Some(rest) = rest.strip_prefix('.') else {
                continue;
            };
            let plain = rest.strip_suffix(".gz");
            let digits = plain.unwrap_or(rest);
            let is_number =
                digits.bytes().all(|byte| byte.is_ascii_digit()) && !digits.starts_with('0');
            let Some(number) = digits.parse().ok().filter(|_| is_number) else {
                continue;
            };
            files.push(Aside {
                path: entry.path(),
                number,
                is_compressed: plain.is_some(),
            });
        }
        Ok(files)
    }

    fn path(&self, number: u32, is_compressed: bool) -> PathBuf {
        let end = if is_compressed { ".gz" } else { "" };
        self.folder.join(format!("{}.{number}{end}", self.name))
    }

    fn unfinished(&self) -> PathBuf {
        self.folder.join(format!("{}.gz.tmp", self.name))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Compressor {
    /// Starts its thread. `say` is told what goes wrong.
    ///
    /// # Errors
    /// The thread cannot be started.
    pub fn start(say: Sender<String>) -> io::Result<Self> {
        let (ask, asked): (_, Receiver<(Arc<Backups>, u64)>) = channel();
        let work = move || {
            for (backups, task) in asked {
                if let Err(error) = backups.compress(task) {
                    let name = &backups.name;
                    // The plain file is still there, and the next start tries again.
                    drop(say.send(format!("A file of {name} could not be compressed: {error}")));
                }
            }
        };
        let thread = std::thread::Builder::new()
            .name("gzip".to_owned())
            .spawn(work)?;
        Ok(Self {
            ask: Some(ask),
            thread: Some(thread),
        })
    }

    /// Waits until all is compressed.
    pub fn finish(mut self) {
        drop(self.ask.take());
        if let Some(thread) = self.thread.take() {
            // What it could not do it has said.
            drop(thread.join());
        }
    }
}

#[cfg(test)]
mod tests;
