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

/// The places that were named, in the order in which they are to be read. A name with `*`, `?` or `[`
/// that is no file is a pattern; one that nothing matches stays a name, so that its reading fails.
///
/// # Errors
/// A pattern is none.
pub fn places(names: &[String], with_rotated: bool) -> Result<Vec<Place>, NoFiles> {
    let mut found: Vec<Place> = Vec::new();
    let mut take = |place: Place| {
        if !found.contains(&place) {
            found.push(place);
        }
    };
    for name in names {
        if name == "-" {
            take(Place::Stdin);
            continue;
        }
        let is_pattern = name.contains(['*', '?', '[']) && fs::symlink_metadata(name).is_err();
        if is_pattern {
            let paths = glob::glob(name).map_err(|error| NoFiles::Pattern {
                pattern: name.clone(),
                reason: error.msg,
            })?;
            let mut matched = false;
            for path in paths.flatten().filter(|path| path.is_file()) {
                matched = true;
                take(Place::File(path));
            }
            if matched {
                continue;
            }
        }
        let path = Path::new(name);
        if with_rotated {
            for path in family::siblings(path) {
                take(Place::File(path));
            }
        }
        take(Place::File(path.to_owned()));
    }
    Ok(in_order(found))
}
