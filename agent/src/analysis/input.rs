//! Where lines come from: files, globs, standard input; plain, gzip or zstd; rotated files in the
//! order in which they were written.

pub mod blocks;
pub mod family;
mod parts;
mod stream;

pub use blocks::{Block, LongLine};
pub use family::in_order;

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use blocks::Blocks;
use parts::Parts;
use stream::Stream;

/// Something to read lines from.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Place {
    /// Standard input.
    Stdin,
    /// A file.
    File(PathBuf),
}

impl Place {
    /// What it is called: its path, or `-`.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::Stdin => "-".to_owned(),
            Self::File(path) => path.to_string_lossy().into_owned(),
        }
    }

    /// Opens it.
    ///
    /// # Errors
    /// It is not there, is a folder, or cannot be read.
    pub fn open(&self) -> io::Result<Opened> {
        let path = match self {
            Self::Stdin => return Opened::stream(Box::new(io::stdin())),
            Self::File(path) => path,
        };
        let file = File::open(path)?;
        let metadata = file.metadata()?;
        if metadata.is_dir() {
            return Err(io::Error::new(
                io::ErrorKind::IsADirectory,
                "it is a folder; name files, or a pattern like 'DIR/*.log'",
            ));
        }
        // Files of the kernel have no length.
        if metadata.is_file() && metadata.len() > 0 && !stream::is_compressed(&file)? {
            return Ok(Opened(Kind::Parts(Parts::new(file, metadata.len()))));
        }
        Opened::stream(Box::new(file))
    }
}

/// Blocks of lines, which several threads may take.
#[derive(Debug)]
pub struct Opened(Kind);

#[derive(Debug)]
enum Kind {
    /// Each thread reads for itself.
    Parts(Parts),
    /// One reads while the others wait.
    Blocks(Mutex<Blocks>),
}

impl Opened {
    fn stream(source: stream::Source) -> io::Result<Self> {
        let blocks = Blocks::new(Stream::new(source)?);
        Ok(Self(Kind::Blocks(Mutex::new(blocks))))
    }

    /// Fills the block with the next lines; `false`: there are no more.
    pub fn next(&self, block: &mut Block) -> bool {
        match &self.0 {
            Kind::Parts(parts) => parts.next(block),
            // A thread that panicked has left nothing half done in it.
            Kind::Blocks(blocks) => blocks
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .next(block),
        }
    }

    /// Goes on with the last blocks, where a source can be read from any place.
    pub fn skip_to_end(&self) {
        if let Kind::Parts(parts) = &self.0 {
            parts.skip_to_end();
        }
    }

    /// How many threads have something to do with it, of so many.
    #[must_use]
    pub fn readers(&self, most: usize) -> usize {
        match &self.0 {
            Kind::Parts(parts) => {
                most.min(usize::try_from(parts.count()).unwrap_or(usize::MAX).max(1))
            }
            Kind::Blocks(_) => most,
        }
    }

    /// Bytes so far, uncompressed, and why it ended early, in a sentence.
    #[must_use]
    pub fn end(&self) -> (u64, Option<String>) {
        match &self.0 {
            Kind::Parts(parts) => (parts.bytes(), parts.problem()),
            Kind::Blocks(blocks) => {
                let blocks = blocks.lock().unwrap_or_else(PoisonError::into_inner);
                (blocks.bytes(), blocks.problem().map(str::to_owned))
            }
        }
    }
}

/// A pattern that no file matches, or that is none.
#[derive(Debug, thiserror::Error)]
pub enum NoFiles {
    /// It is no pattern.
    #[error("'{pattern}' is no pattern: {reason}")]
    Pattern {
        /// What was named.
        pattern: String,
        /// What is wrong with it.
        reason: &'static str,
    },
}

/// What names stand for.
#[derive(Debug, Default)]
pub struct Found {
    /// The places, in the order in which they are to be read.
    pub places: Vec<Place>,
    /// What a pattern matches and is no regular file: pipes, devices, sockets, folders. Reading them may
    /// never end.
    pub skipped: Vec<PathBuf>,
}

/// The places that were named. A name with `*`, `?` or `[` that is no file is a pattern; one that nothing
/// matches stays a name, so that its reading fails.
///
/// # Errors
/// A pattern is none.
pub fn places(names: &[String], with_rotated: bool) -> Result<Found, NoFiles> {
    let mut found = Found::default();
    for name in names {
        if name == "-" {
            take(&mut found.places, Place::Stdin);
            continue;
        }
        if is_pattern(name) {
            let matched = matches(name)?;
            for path in matched.skipped {
                take(&mut found.skipped, path);
            }
            for place in &matched.places {
                take(&mut found.places, place.clone());
            }
            if !matched.places.is_empty() {
                continue;
            }
        }
        let path = Path::new(name);
        if with_rotated {
            for path in family::siblings(path) {
                take(&mut found.places, Place::File(path));
            }
        }
        take(&mut found.places, Place::File(path.to_owned()));
    }
    found.places = in_order(found.places);
    Ok(found)
}

/// Whether a name is a pattern of names: no file has it.
#[must_use]
pub fn is_pattern(name: &str) -> bool {
    name.contains(['*', '?', '[']) && fs::symlink_metadata(name).is_err()
}

/// What a pattern matches, in the order of the names.
///
/// # Errors
/// It is no pattern.
pub fn matches(pattern: &str) -> Result<Found, NoFiles> {
    let paths = glob::glob(pattern).map_err(|error| NoFiles::Pattern {
        pattern: pattern.to_owned(),
        reason: error.msg,
    })?;
    let mut found = Found::default();
    for path in paths.flatten() {
        match path.is_file() {
            true => found.places.push(Place::File(path)),
            false => found.skipped.push(path),
        }
    }
    Ok(found)
}

fn take<T: PartialEq>(all: &mut Vec<T>, one: T) {
    if !all.contains(&one) {
        all.push(one);
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use super::*;

    #[test]
    fn a_pattern_stands_for_regular_files_alone() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["b.log", "a.log", "c.txt"] {
            fs::write(folder.path().join(name), "x\n").unwrap();
        }
        fs::create_dir(folder.path().join("d.log")).unwrap();
        let _socket = UnixListener::bind(folder.path().join("s.log")).unwrap();
        let named = |names: &[&str]| {
            let names: Vec<String> = names
                .iter()
                .map(|name| folder.path().join(name).to_string_lossy().into_owned())
                .collect();
            let found = places(&names, false).unwrap();
            let name = |path: &Path| path.file_name().unwrap().to_string_lossy().into_owned();
            let places: Vec<String> = found
                .places
                .iter()
                .map(|place| name(Path::new(&place.name())))
                .collect();
            let skipped: Vec<String> = found.skipped.iter().map(|path| name(path)).collect();
            (places.join(" "), skipped.join(" "))
        };
        let text = |one: &str, other: &str| (one.to_owned(), other.to_owned());
        assert_eq!(named(&["*.log"]), text("a.log b.log", "d.log s.log"));
        assert_eq!(named(&["*.txt", "c.*"]), text("c.txt", ""));
        // Nothing to read: the name stays, and its reading fails.
        assert_eq!(named(&["[ds].log"]), text("[ds].log", "d.log s.log"));
        // What is named itself is what it is.
        assert_eq!(named(&["s.log"]), text("s.log", ""));
        assert!(places(&["***".to_owned()], false).is_err());
    }
}
