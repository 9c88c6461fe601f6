//! Replacing parts of a text, which is copied only once there is something to replace.

use std::ops::Range;

/// What stands in the place of a secret.
pub(super) const REDACTED: &[u8] = b"REDACTED";

/// A text on its way into a buffer. Places are of the text and must ascend.
#[derive(Debug)]
pub(super) struct Edit<'text, 'out> {
    pub(super) text: &'text [u8],
    out: &'out mut Vec<u8>,
    begin: usize,
    copied: usize,
    changed: bool,
}

impl<'text, 'out> Edit<'text, 'out> {
    pub(super) fn new(text: &'text [u8], out: &'out mut Vec<u8>) -> Self {
        Self {
            text,
            begin: out.len(),
            out,
            copied: 0,
            changed: false,
        }
    }

    /// Puts [`REDACTED`] in the place of a part, unless that is empty or says so already.
    pub(super) fn redact(&mut self, part: Range<usize>) {
        if !part.is_empty() && self.text[part.clone()] != *REDACTED {
            self.replace(part, REDACTED);
        }
    }

    /// Leaves a part out.
    pub(super) fn remove(&mut self, part: Range<usize>) {
        if !part.is_empty() {
            self.replace(part, b"");
        }
    }

    fn replace(&mut self, part: Range<usize>, with: &[u8]) {
        self.out
            .extend_from_slice(&self.text[self.copied..part.start]);
        self.out.extend_from_slice(with);
        self.copied = part.end;
        self.changed = true;
    }

    /// Where the text stands in the buffer now; `None`, and nothing in the buffer, when it is as it was.
    pub(super) fn finish(self) -> Option<Range<usize>> {
        if !self.changed {
            return None;
        }
        self.out.extend_from_slice(&self.text[self.copied..]);
        Some(self.begin..self.out.len())
    }
}
