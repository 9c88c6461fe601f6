//! The time of the last line: what relative times may be counted from.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::{Block, Chosen, NoFiles, Options, begin, detector};
use crate::analysis::format::detect::Detector;
use crate::analysis::format::{Entry, Parsed};
use crate::analysis::input::{self, Place};

/// Microseconds of a day.
const DAY_US: i64 = 86_400_000_000;

/// The latest time in the sources that is not in the future; `None`: none could be read.
///
/// # Errors
/// A pattern of names is none.
pub fn last_time(options: &Options) -> Result<Option<Timestamp>, NoFiles> {
    let found = input::places(&options.sources, options.rotated)?;
    let format = options.format.as_ref();
    Ok(last_of(&found.places, format, &options.zone, options.now))
}

/// The latest time at these places that is not in the future. Of a file that is not packed only the
/// beginning, which may tell the format, and the end are read.
pub(crate) fn last_of(
    places: &[Place],
    format: Option<&Chosen>,
    zone: &TimeZone,
    now: Timestamp,
) -> Option<Timestamp> {
    let newest = now.as_microsecond().saturating_add(DAY_US);
    let mut last = None;
    for place in places {
        let Ok(opened) = place.open() else { continue };
        let begun = begin(&opened);
        let Some(first) = begun.last() else { continue };
        let mut detector = detector(format, first.lines(), zone);
        let mut look = |block: &Block| {
            let times = times(&mut detector, block);
            last = last.max(times.into_iter().filter(|time| *time < newest).max());
        };
        begun.iter().for_each(&mut look);
        drop(begun);
        opened.skip_to_end();
        let mut block = Block::default();
        while opened.next(&mut block) {
            look(&block);
        }
    }
    last.and_then(|time| Timestamp::from_microsecond(time).ok())
}

/// The times of the lines of a block.
fn times(detector: &mut Detector, block: &Block) -> Vec<i64> {
    let time = |entry: Parsed<'_>| match entry {
        Parsed::Entry(Entry { time_us, .. }) => time_us,
        Parsed::Head(head) => Some(head.time_us),
        Parsed::Nothing => None,
    };
    let lines = block.lines().split(|byte| *byte == b'\n');
    lines
        .filter_map(|line| {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            detector.parse(line, time).ok().flatten()
        })
        .collect()
}
