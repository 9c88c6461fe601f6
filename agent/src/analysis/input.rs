//! Where lines come from: files, globs, standard input; plain, gzip or zstd; rotated files in the
//! order in which they were written.

pub mod blocks;
pub mod family;
mod stream;

pub use blocks::{Block, Blocks, LongLine};
pub use family::in_order;

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

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
    pub fn open(&self) -> io::Result<Blocks> {
        let source: Box<dyn Read + Send> = match self {
            Self::Stdin => Box::new(io::stdin()),
            Self::File(path) => {
                let file = File::open(path)?;
                if file.metadata()?.is_dir() {
                    return Err(io::Error::new(
                        io::ErrorKind::IsADirectory,
                        "it is a folder; name files, or a pattern like 'DIR/*.log'",
                    ));
                }
                Box::new(file)
            }
        };
        Ok(Blocks::new(Stream::new(source)?))
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
