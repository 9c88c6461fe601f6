//! Which format lines have: told from what they look like, never from their file's name.

use jiff::tz::TimeZone;

use super::{Format, Parsed, Reader, Reason, ncsa};

/// How many lines decide on the format of a source.
const SAMPLE: usize = 100;

/// Reads lines of a source whose format was named, or is told from its lines. A line that has another
/// format than most is read as what it is, and counted.
#[derive(Debug)]
pub struct Detector {
    main: Reader,
    /// Formats that are tried where the main one fails; none where it was named.
    others: Vec<Reader>,
    /// Lines by format: of the main one first.
    counts: Vec<u64>,
}

impl Detector {
    /// Reads lines of this format alone.
    #[must_use]
    pub fn named(reader: Reader) -> Self {
        Self {
            main: reader,
            others: Vec::new(),
            counts: vec![0],
        }
    }

    /// Tells the format from the first lines of a source.
    #[must_use]
    pub fn of(sample: &[u8], zone: &TimeZone) -> Self {
        let mut votes = [0_usize; TRIED.len()];
        let mut readers: Vec<Reader> = TRIED
            .iter()
            .map(|format| Reader::new(*format, zone.clone()))
            .collect();
        for line in sample.split(|byte| *byte == b'\n').take(SAMPLE) {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            if let Some(index) = tell(line, &mut readers) {
                votes[index] += 1;
            }
        }
        // The first of those with the most votes: combined before what is told less surely.
        let mut best = 0;
        for (index, count) in votes.iter().enumerate() {
            if *count > votes[best] {
                best = index;
            }
        }
        let counts = vec![0; TRIED.len() + 1];
        Self {
            main: Reader::new(TRIED[best], zone.clone()),
            others: readers,
            counts,
        }
    }

    /// The format of most lines.
    #[must_use]
    pub fn format(&self) -> Format {
        self.main.format()
    }

    /// Whether lines have to be read in their order by one reader.
    #[must_use]
    pub fn needs_order(&self) -> bool {
        self.main.needs_order()
    }

    /// Another one for the same lines, with nothing counted.
    #[must_use]
    pub fn fresh(&self) -> Self {
        Self {
            main: self.main.clone(),
            others: self.others.clone(),
            counts: vec![0; self.counts.len()],
        }
    }

    /// Lines by format, the main one first; only those that came.
    pub fn counts(&self) -> impl Iterator<Item = (Format, u64)> {
        let formats = std::iter::once(&self.main).chain(&self.others);
        formats
            .map(Reader::format)
            .zip(self.counts.iter().copied())
            .filter(|(_, count)| *count > 0)
    }

    /// Takes a line apart and gives it to `take`.
    ///
    /// # Errors
    /// It is not a line of the format that was named, or of any.
    #[inline]
    pub fn parse<T>(
        &mut self,
        line: &[u8],
        take: impl FnOnce(Parsed<'_>) -> T,
    ) -> Result<T, Reason> {
        let reason = match self.main.parse(line) {
            Ok(parsed) => {
                self.counts[0] += 1;
                return Ok(take(parsed));
            }
            Err(reason) => reason,
        };
        if self.others.is_empty() {
            return Err(reason);
        }
        let index = tell(line, &mut self.others).ok_or(match reason {
            Reason::NoColumns => Reason::Unknown,
            reason => reason,
        })?;
        self.counts[index + 1] += 1;
        self.others[index].parse(line).map(take)
    }
}

/// Formats that lines are tried for.
const TRIED: [Format; 12] = [
    Format::Combined,
    Format::Common,
    Format::Vcombined,
    Format::Vcommon,
    Format::Traefik,
    Format::Json,
    Format::Classic,
    Format::Simple,
    Format::W3c,
    Format::CloudFront,
    Format::Elb,
    Format::Squid,
];

/// The place in [`TRIED`] of the format that a line has.
fn tell(line: &[u8], readers: &mut [Reader]) -> Option<usize> {
    let candidates: &[Format] = match line {
        [] => return None,
        [b'{', ..] => &[Format::Json],
        [b'#', ..] => {
            let is_header = [&b"#Fields:"[..], b"#Version:", b"#Software:", b"#Date:"]
                .iter()
                .any(|header| line.starts_with(header));
            if !is_header {
                return None;
            }
            match memchr::memmem::find(line, b"x-edge-").is_some() {
                true => &[Format::CloudFront],
                false => &[Format::W3c],
            }
        }
        _ => match ncsa::words_before_time(line) {
            Some(4) => &[
                Format::Vcombined,
                Format::Vcommon,
                Format::Combined,
                Format::Common,
            ],
            Some(_) if ncsa::traefik_duration(line).is_some() => {
                &[Format::Traefik, Format::Combined, Format::Common]
            }
            Some(_) => &[Format::Combined, Format::Common],
            None => &[
                Format::Simple,
                Format::Classic,
                Format::Elb,
                Format::Squid,
                Format::W3c,
                Format::CloudFront,
            ],
        },
    };
    candidates.iter().find_map(|format| {
        let index = TRIED.iter().position(|tried| tried == format)?;
        readers[index].parse(line).is_ok().then_some(index)
    })
}

/// Whether combined lines end with a number, which may be a duration whose unit nothing tells.
#[must_use]
pub fn has_undeclared_number(format: Format, line: &[u8]) -> bool {
    matches!(format, Format::Combined | Format::Vcombined) && ncsa::has_number_behind(line)
}
