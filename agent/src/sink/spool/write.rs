//! Writing frames: which segment takes them, and the byte that says that one is done.

use std::io;
use std::os::unix::fs::FileExt as _;

use super::*;

impl Spool {
    pub(super) fn write(&mut self, tag: u8, records: u32, payload: &[u8]) -> io::Result<Place> {
        let is_full = |segment: &Segment| segment.bytes >= self.segment_bytes;
        if self.writing.is_some() && self.segments.back().is_none_or(is_full) {
            self.rotate();
        }
        if self.writing.is_none() {
            self.begin()?;
        }
        let (Some(file), Some(segment)) = (&self.writing, self.segments.back_mut()) else {
            return Err(io::Error::other("there is no segment to write to"));
        };
        let header = Header::new(tag, records, segment.all_records, payload);
        let frame = [&header.to_bytes()[..], payload].concat();
        let offset = segment.bytes;
        if let Err(error) = file.write_all_at(&frame, offset) {
            // What was written of it would be taken for a torn frame, which it is.
            if file.set_len(offset).is_err() {
                self.writing = None;
            }
            return Err(error);
        }
        segment.bytes += frame.len() as u64;
        segment.frames += 1;
        segment.records += u64::from(records);
        segment.all_records += u64::from(records);
        self.is_dirty = true;
        Ok(Place {
            segment: segment.number,
            offset,
            records,
        })
    }

    pub(super) fn begin(&mut self) -> io::Result<()> {
        // Nothing is added any more to the one before, and with nothing in it nobody would delete it.
        if let Some(last) = self.segments.back().filter(|last| last.frames == 0) {
            self.forget(last.number);
        }
        let mut is_made = false;
        let (number, file) = loop {
            let number = self.next_number;
            match create(&self.path(number), true) {
                Ok(file) => break (number, file),
                Err(error) if error.kind() == io::ErrorKind::NotFound && !is_made => {
                    make_folder(&self.directory)?;
                    is_made = true;
                }
                // Something else has our name.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    self.next_number = number.checked_add(1).ok_or(error)?;
                }
                Err(error) => return Err(error),
            }
        };
        // Used or not, no number is used twice.
        self.next_number = number.saturating_add(1);
        if let Err(error) = file.write_all_at(SEGMENT_MAGIC, 0) {
            self.delete(number);
            return Err(error);
        }
        // That the name is there after the fall of the host is worth a try.
        if let Ok(folder) = File::open(&self.directory) {
            drop(folder.sync_all());
        }
        self.segments.push_back(Segment {
            number,
            bytes: SEGMENT_MAGIC.len() as u64,
            frames: 0,
            records: 0,
            held: 0,
            held_records: 0,
            all_records: 0,
            inode: file.metadata()?.ino(),
        });
        self.writing = Some(file);
        Ok(())
    }

    pub(super) fn rotate(&mut self) {
        if let Some(file) = self.writing.take()
            && let Err(error) = file.sync_data()
        {
            tracing::warn!(path = %self.directory.display(), %error, "a segment of the spool may not have reached the disk");
        }
        self.is_dirty = false;
    }

    pub(super) fn mark(&self, place: Place) -> io::Result<()> {
        let at = place.offset + STATE;
        match &self.reading {
            Some(reading) if reading.segment == place.segment => {
                reading.file.write_all_at(&[DONE], at)
            }
            _ => open(&self.path(place.segment))?.write_all_at(&[DONE], at),
        }
    }
}
