//! Where the bytes of records go: stdout or a file, buffered, whole records only.
//!
//! When a file cannot be written to any more (a full disk), what was written of its last record is cut
//! off again: every record in it is whole.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::{Path, PathBuf};

/// Bytes are collected up to so many before they are written.
const BUFFER: usize = 256 << 10;

/// Where records go.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Destination {
    /// Standard output.
    Stdout,
    /// A file that begins anew.
    File(PathBuf),
    /// A file in which nothing is yet.
    New(PathBuf),
    /// A file that goes on where it ends.
    Append(PathBuf),
}

impl Destination {
    /// What `--output` names: `-` and `stdout` are stdout, all else is a file.
    #[must_use]
    pub fn named(name: &Path) -> Self {
        match name.as_os_str().to_str() {
            Some("-" | "stdout") => Self::Stdout,
            _ => Self::File(name.to_owned()),
        }
    }
}

/// Records cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum OutputError {
    /// The file cannot be made or opened.
    #[error("cannot open {}", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// There is something in the file.
    #[error("{} is there already; --overwrite begins it anew", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// The file cannot be written to.
    #[error("cannot write to {}; the {whole} bytes in front are whole records", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Bytes of it that were written by this run and are whole records.
        whole: u64,
        /// Why.
        source: io::Error,
    },
    /// Standard output cannot be written to.
    #[error("cannot write to stdout")]
    Stdout {
        /// Why; of the kind `BrokenPipe` where the reader has seen enough.
        #[source]
        source: io::Error,
    },
}

/// Takes the bytes of records.
#[derive(Debug)]
pub struct Output {
    file: File,
    /// `None`: stdout.
    path: Option<PathBuf>,
    buffer: Vec<u8>,
    /// Bytes that were in the file before.
    before: u64,
    written: u64,
    is_broken: bool,
    /// Lines that were taken and could not be written.
    lost_lines: u64,
}

impl Output {
    /// Opens it.
    ///
    /// # Errors
    /// The file cannot be made or opened.
    pub fn open(destination: &Destination) -> Result<Self, OutputError> {
        let (file, path) = match destination {
            Destination::Stdout => {
                let own = |fd: OwnedFd| File::from(fd);
                let file = io::stdout().as_fd().try_clone_to_owned().map(own);
                (file, None)
            }
            Destination::File(path) => {
                let file = OpenOptions::new()
                    .write(true)
                    .create(true)
                    .truncate(true)
                    .open(path);
                (file, Some(path))
            }
            Destination::New(path) | Destination::Append(path) => {
                let file = OpenOptions::new().append(true).create(true).open(path);
                (file, Some(path))
            }
        };
        let opened = file.and_then(|file| {
            let before = match destination {
                Destination::Append(_) => file.metadata()?.len(),
                _ => 0,
            };
            Ok((file, before))
        });
        let (file, before) = opened.map_err(|source| match path {
            Some(path) => OutputError::Open {
                path: path.clone(),
                source,
            },
            None => OutputError::Stdout { source },
        })?;
        if let Destination::New(path) = destination
            && file.metadata().is_ok_and(|data| data.len() > 0)
        {
            return Err(OutputError::Exists { path: path.clone() });
        }
        Ok(Self {
            file,
            path: path.cloned(),
            buffer: Vec::with_capacity(BUFFER),
            before,
            written: 0,
            is_broken: false,
            lost_lines: 0,
        })
    }

    /// Takes whole records.
    ///
    /// # Errors
    /// They cannot be written; the file ends with a whole record, and takes no more.
    pub fn write(&mut self, records: &[u8]) -> Result<(), OutputError> {
        if self.buffer.len() + records.len() > BUFFER {
            self.flush()
                .inspect_err(|_| self.lost_lines += lines(records))?;
        }
        if records.len() >= BUFFER {
            return self.put(records);
        }
        self.buffer.extend_from_slice(records);
        Ok(())
    }

    /// Writes what is held back.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    pub fn flush(&mut self) -> Result<(), OutputError> {
        let buffer = std::mem::take(&mut self.buffer);
        let result = match buffer.is_empty() {
            true => Ok(()),
            false => self.put(&buffer),
        };
        self.buffer = buffer;
        self.buffer.clear();
        result
    }

    /// Lines that [`write`](Self::write) was given and that could not be written.
    #[must_use]
    pub const fn lost_lines(&self) -> u64 {
        self.lost_lines
    }

    /// What is written to.
    #[must_use]
    pub const fn file(&self) -> &File {
        &self.file
    }

    /// Bytes taken so far.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.written + self.buffer.len() as u64
    }

    fn put(&mut self, records: &[u8]) -> Result<(), OutputError> {
        if self.is_broken {
            self.lost_lines += lines(records);
            return Err(self.error(io::Error::other("it failed before")));
        }
        let mut done = 0;
        while let Some(rest) = records.get(done..).filter(|rest| !rest.is_empty()) {
            match self.file.write(rest) {
                Ok(0) => return Err(self.broken(records, done, io::ErrorKind::WriteZero.into())),
                Ok(count) => done += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.broken(records, done, error)),
            }
        }
        self.written += records.len() as u64;
        Ok(())
    }

    /// Cuts off what is no whole record. `done` bytes of the records were written.
    fn broken(&mut self, records: &[u8], done: usize, source: io::Error) -> OutputError {
        self.is_broken = true;
        let (partly, _) = records.split_at(done);
        let whole = memchr::memrchr(b'\n', partly).map_or(0, |end| end + 1);
        self.lost_lines += lines(records) - lines(partly);
        self.written += whole as u64;
        let is_file = self.file.metadata().is_ok_and(|data| data.is_file());
        if self.path.is_some() && is_file {
            // Where that is not possible either there is nothing left to do.
            drop(self.file.set_len(self.before + self.written));
        }
        self.error(source)
    }

    fn error(&self, source: io::Error) -> OutputError {
        match &self.path {
            Some(path) => OutputError::File {
                path: path.clone(),
                whole: self.written,
                source,
            },
            None => OutputError::Stdout { source },
        }
    }
}

fn lines(records: &[u8]) -> u64 {
    memchr::memchr_iter(b'\n', records).count() as u64
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn names() {
        let check = |name: &str, expected| {
            assert_eq!(Destination::named(Path::new(name)), expected);
        };
        check("-", Destination::Stdout);
        check("stdout", Destination::Stdout);
        check("./stdout", Destination::File("./stdout".into()));
        check("x.json", Destination::File("x.json".into()));
    }

    #[test]
    fn bytes_arrive_in_order_and_are_counted() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        let mut expected = Vec::new();
        for destination in [
            Destination::File(path.clone()),
            Destination::Append(path.clone()),
        ] {
            let mut output = Output::open(&destination).unwrap();
            let mut taken = 0;
            for length in [1, 1000, BUFFER - 1, 5, BUFFER, 3 * BUFFER, 7] {
                let mut line = vec![b'a' + (length % 26) as u8; length - 1];
                line.push(b'\n');
                output.write(&line).unwrap();
                expected.extend_from_slice(&line);
                taken += length as u64;
                assert_eq!(output.bytes(), taken);
            }
            output.flush().unwrap();
            output.flush().unwrap();
            assert_eq!(fs::read(&path).unwrap(), expected);
        }
        Output::open(&Destination::File(path.clone())).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"", "begins anew");
    }

    #[test]
    fn a_full_device_is_named() {
        let mut output = Output::open(&Destination::File("/dev/full".into())).unwrap();
        output.write(b"x\n").unwrap();
        let error = output.flush().unwrap_err();
        assert!(
            error.to_string().starts_with("cannot write to /dev/full"),
            "{error}"
        );
        let error = Output::open(&Destination::File("/proc/no/such".into())).unwrap_err();
        assert!(
            error.to_string().starts_with("cannot open /proc/no/such"),
            "{error}"
        );
    }

    /// A file that may have so many bytes, as on a disk with no more room.
    #[test]
    fn a_file_that_becomes_too_large_ends_with_a_whole_record() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        fs::write(&path, "before\n").unwrap();
        // Of this process alone: in a child, since other tests write too.
        let child = std::process::Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "generate::output::tests::child_of_the_test_before",
                "--nocapture",
            ])
            .env("TAPLINE_TEST_OUTPUT", &path)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&child.stdout).into_owned();
        let written = fs::read_to_string(&path).unwrap();
        assert!(said.contains("40000 bytes in front"), "{said}");
        assert!(child.status.success(), "{said}");
        assert_eq!(written.len(), 7 + 40_000);
        assert!(written.lines().skip(1).all(|line| line.len() == 9_999));
    }

    #[test]
    fn child_of_the_test_before() {
        let Some(path) = std::env::var_os("TAPLINE_TEST_OUTPUT") else {
            return;
        };
        let limit = libc::rlimit {
            rlim_cur: 45_000,
            rlim_max: 45_000,
        };
        // SAFETY: a valid limit, and the default for a signal that is to be passed over.
        unsafe {
            libc::setrlimit(libc::RLIMIT_FSIZE, &limit);
            libc::signal(libc::SIGXFSZ, libc::SIG_IGN);
        }
        let mut output = Output::open(&Destination::Append(path.into())).unwrap();
        let line = [&[b'x'; 9_999][..], b"\n"].concat();
        for _ in 0..10 {
            output.write(&line).unwrap();
        }
        println!("{}", output.flush().unwrap_err());
        output.write(&vec![b'\n'; BUFFER]).unwrap_err();
        // Four of ten were written; of what came later nothing.
        assert_eq!(output.lost_lines(), 6 + BUFFER as u64);
        assert_eq!(output.bytes(), 40_000);
    }
}
