//! The archive format of an initramfs (cpio, "newc"), written.

/// An archive that grows. Entries must come after the folders that they are in.
#[derive(Debug, Default)]
pub(crate) struct Archive {
    bytes: Vec<u8>,
    entries: u32,
}

impl Archive {
    /// Adds a folder. `path` has no leading slash.
    pub(crate) fn folder(&mut self, path: &str) {
        self.entry(path, 0o040_755, &[]);
    }

    /// Adds a file that can be executed.
    pub(crate) fn program(&mut self, path: &str, content: &[u8]) {
        self.entry(path, 0o100_755, content);
    }

    /// Adds a file.
    pub(crate) fn file(&mut self, path: &str, content: &[u8]) {
        self.entry(path, 0o100_644, content);
    }

    /// Ends the archive and gives its bytes.
    pub(crate) fn finish(mut self) -> Vec<u8> {
        self.entry("TRAILER!!!", 0, &[]);
        self.bytes
    }

    fn entry(&mut self, path: &str, mode: u32, content: &[u8]) {
        self.entries += 1;
        // Files of 4 GiB cannot be in an initramfs: the format has eight hexadecimal digits.
        let size = u32::try_from(content.len()).unwrap_or(u32::MAX);
        let content = &content[..size as usize];
        let name_size = path.len() as u32 + 1;
        let fields = [
            self.entries,
            mode,
            0,
            0,
            1,
            0,
            size,
            0,
            0,
            0,
            0,
            name_size,
            0,
        ];
        self.bytes.extend_from_slice(b"070701");
        for field in fields {
            self.bytes
                .extend_from_slice(format!("{field:08X}").as_bytes());
        }
        self.bytes.extend_from_slice(path.as_bytes());
        self.bytes.push(0);
        self.pad();
        self.bytes.extend_from_slice(content);
        self.pad();
    }

    fn pad(&mut self) {
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bytes_are_what_the_format_asks_for() {
        let mut archive = Archive::default();
        archive.folder("d");
        archive.file("d/a", b"12345");
        archive.program("p", b"");
        let bytes = archive.finish();
        assert_eq!(bytes.len() % 4, 0);
        let header = |at: usize, field: usize| {
            let start = at + 6 + field * 8;
            u32::from_str_radix(std::str::from_utf8(&bytes[start..start + 8]).unwrap(), 16).unwrap()
        };
        let mut at = 0;
        let mut seen = Vec::new();
        loop {
            assert_eq!(&bytes[at..at + 6], b"070701");
            let (mode, size, name) = (
                header(at, 1),
                header(at, 6) as usize,
                header(at, 11) as usize,
            );
            let path = std::str::from_utf8(&bytes[at + 110..at + 109 + name])
                .unwrap()
                .to_owned();
            let content = (at + 110 + name).next_multiple_of(4);
            seen.push((path.clone(), mode, bytes[content..content + size].to_vec()));
            at = (content + size).next_multiple_of(4);
            if path == "TRAILER!!!" {
                break;
            }
        }
        assert_eq!(at, bytes.len());
        assert_eq!(seen[0], ("d".to_owned(), 0o040_755, vec![]));
        assert_eq!(seen[1], ("d/a".to_owned(), 0o100_644, b"12345".to_vec()));
        assert_eq!(seen[2], ("p".to_owned(), 0o100_755, vec![]));
    }
}
