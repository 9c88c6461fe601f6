//! Reading frames: the next one that is to be sent.

use super::*;

impl Spool {
    /// Takes the oldest frame that nobody holds; it stays on disk until it is [`done`](Self::done).
    /// An error is a loss that was found: the next call goes on behind it.
    pub(in crate::sink) fn take(&mut self) -> Result<Option<Taken>, Gone> {
        loop {
            let reading = self.reading.as_ref().map(|reading| reading.segment);
            let next = |segment: &&Segment| {
                segment.frames > segment.held && reading.is_none_or(|now| segment.number >= now)
            };
            let Some(segment) = self.segments.iter().find(next) else {
                return Ok(None);
            };
            let (number, end) = (segment.number, segment.bytes);
            if reading != Some(number) {
                self.reading = match open(&self.path(number)) {
                    Ok(file) => Some(Reading {
                        segment: number,
                        file,
                        offset: SEGMENT_MAGIC.len() as u64,
                    }),
                    Err(error) => return Err(self.give_up(number, reason(&error))),
                };
            }
            let Some(reading) = &mut self.reading else {
                return Ok(None);
            };
            if reading.offset >= end {
                // Its counts do not agree with it: somebody else wrote to it.
                return Err(self.give_up(number, LossReason::Damaged));
            }
            let read = read_frame(reading, end);
            let (offset, header, payload) = match read {
                Ok(Some(read)) => read,
                Ok(None) => return Err(self.give_up(number, LossReason::Damaged)),
                Err(error) => return Err(self.give_up(number, reason(&error))),
            };
            let place = Place {
                segment: number,
                offset,
                records: header.records,
            };
            if header.is_done || self.taken.contains(&place) {
                continue;
            }
            self.taken.insert(place);
            if let Some(segment) = self.segment(number) {
                segment.held += 1;
                segment.held_records += u64::from(header.records);
            }
            return Ok(Some(Taken {
                place,
                tag: header.tag,
                records: header.records,
                payload,
            }));
        }
    }
}

/// The next frame; None when what is there is none. The offset is behind it then.
fn read_frame(reading: &mut Reading, end: u64) -> io::Result<Option<(u64, Header, Vec<u8>)>> {
    let offset = reading.offset;
    let mut header = [0; HEADER];
    if offset + HEADER as u64 > end {
        return Ok(None);
    }
    reading.file.read_exact_at(&mut header, offset)?;
    let Some(header) = Header::from_bytes(&header) else {
        return Ok(None);
    };
    if offset + header.frame_bytes() > end {
        return Ok(None);
    }
    reading.offset = offset + header.frame_bytes();
    if header.is_done {
        return Ok(Some((offset, header, Vec::new())));
    }
    let mut payload = vec![0; header.length as usize];
    reading
        .file
        .read_exact_at(&mut payload, offset + HEADER as u64)?;
    Ok(header.has(&payload).then_some((offset, header, payload)))
}
