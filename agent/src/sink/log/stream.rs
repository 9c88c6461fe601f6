//! Lines to standard output, or to any other stream that cannot be renamed.

use std::{
    fs::File,
    io::{self, Write as _},
    os::{fd::AsFd as _, unix::fs::FileTypeExt as _},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use super::{
    counts::{LossReason, Shared},
    frame::Frame,
    names::Topic,
};
use crate::pipe::{PIECE, Room, room};

/// How long to wait for a reader when the stream was made non-blocking by somebody else.
const PAUSE: Duration = Duration::from_millis(1);

/// How long nobody reads before it is said.
const PATIENCE: Duration = Duration::from_secs(3);

/// A stream that whole lines go to.
#[derive(Debug)]
pub(super) struct Stream {
    file: File,
    /// The last line that got out is not whole.
    torn: bool,
    frame: Frame,
    framed: bool,
    /// Of a pipe: whether somebody reads.
    reader: Option<Reader>,
}

/// The other end of a pipe: it may be slow, or nobody may read at all.
#[derive(Debug)]
struct Reader {
    shared: Arc<Shared>,
    /// How long it takes until it is said.
    patience: Duration,
    /// It was said that nobody reads.
    stalled: bool,
}

impl Reader {
    /// Waits until the pipe has room, or has no reader any more; says so when it takes long.
    fn wait(&mut self, file: &File) {
        let begun = Instant::now();
        let is_gone = loop {
            match room(file.as_fd(), self.patience.min(Duration::from_secs(1))) {
                Room::Some => break false,
                Room::Never => break true,
                Room::None => {}
            }
            if !self.stalled && begun.elapsed() >= self.patience {
                self.stalled = true;
                let counts = self.shared.counts();
                tracing::warn!(
                    waiting = counts.queued,
                    dropped = counts.lost(LossReason::QueueFull).records,
                    "nobody reads standard output: lines wait, and what the queue has no room for is dropped and counted (queue_full)"
                );
            }
        };
        if std::mem::take(&mut self.stalled) {
            if is_gone {
                tracing::info!(
                    "whoever was to read standard output has gone; lines that wait are lost"
                );
                return;
            }
            let dropped = self.shared.counts().lost(LossReason::QueueFull).records;
            tracing::info!(
                dropped,
                "standard output is read again; the count is of all lines dropped so far"
            );
        }
    }
}

impl Stream {
    pub(super) fn new(file: File) -> Self {
        Self {
            file,
            torn: false,
            frame: Frame::None,
            framed: false,
            reader: None,
        }
    }

    /// The same; of a pipe that nobody reads it is said, with what `shared` counts.
    pub(super) fn watched(self, shared: Arc<Shared>) -> Self {
        self.watched_for(shared, PATIENCE)
    }

    fn watched_for(mut self, shared: Arc<Shared>, patience: Duration) -> Self {
        let kind = self.file.metadata().map(|metadata| metadata.file_type());
        if kind.is_ok_and(|kind| kind.is_fifo()) {
            self.reader = Some(Reader {
                shared,
                patience,
                stalled: false,
            });
        }
        self
    }

    /// Writes all, in pieces that never wait where it is a pipe.
    fn write_all(&mut self, bytes: &[u8]) -> (usize, Option<io::Error>) {
        let Some(reader) = &mut self.reader else {
            return write_all(&mut self.file, bytes);
        };
        let mut written = 0;
        for piece in bytes.chunks(PIECE) {
            reader.wait(&self.file);
            let (more, error) = write_all(&mut self.file, piece);
            written += more;
            if error.is_some() {
                return (written, error);
            }
        }
        (written, None)
    }

    /// The same with `frame` around its lines.
    pub(super) fn framed(mut self, frame: Frame) -> Self {
        self.frame = frame;
        self
    }

    /// Writes what ends the lines.
    pub(super) fn end(&mut self) {
        if self.framed && !self.torn {
            // For the reader's comfort: one that went away does not miss it.
            let end = self.frame.end();
            let _written = self.write_all(&end);
        }
    }

    /// Writes lines. Gives how many bytes of whole lines got out, and what stopped it.
    pub(super) fn write(&mut self, lines: &[u8]) -> (usize, Option<io::Error>) {
        if self.torn {
            // What got out of the broken line cannot be taken back: it is ended here.
            if let (_, Some(error)) = self.write_all(b"\n") {
                return (0, Some(error));
            }
            self.torn = false;
        }
        if !self.framed {
            let begin = self.frame.begin(Topic::Http);
            if let (written, Some(error)) = self.write_all(&begin) {
                self.torn = written > 0;
                return (0, Some(error));
            }
            self.framed = true;
        }
        let (written, error) = self.write_all(lines);
        let whole = whole_lines(&lines[..written]);
        self.torn = written > whole;
        (whole, error)
    }
}

/// The length of the whole lines in `bytes`.
pub(super) fn whole_lines(bytes: &[u8]) -> usize {
    memchr::memrchr(b'\n', bytes).map_or(0, |at| at + 1)
}

/// Writes all, and says how much of it got out before an error.
pub(super) fn write_all(file: &mut File, bytes: &[u8]) -> (usize, Option<io::Error>) {
    let mut written = 0;
    while written < bytes.len() {
        match file.write(&bytes[written..]) {
            Ok(0) => return (written, Some(io::ErrorKind::WriteZero.into())),
            Ok(count) => written += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => thread::sleep(PAUSE),
            Err(error) => return (written, Some(error)),
        }
    }
    (written, None)
}

#[cfg(test)]
mod tests {
    use std::{io::Read as _, os::fd::OwnedFd};

    use super::*;

    #[test]
    fn a_closed_pipe_is_told_by_its_error() {
        let (reader, writer) = io::pipe().unwrap();
        let mut stream = Stream::new(File::from(OwnedFd::from(writer)));
        assert!(matches!(stream.write(b"one\n"), (4, None)));
        drop(reader);
        let (whole, error) = stream.write(b"two\n");
        assert_eq!(whole, 0);
        assert_eq!(error.unwrap().kind(), io::ErrorKind::BrokenPipe);
    }

    #[test]
    fn of_a_pipe_that_nobody_reads_it_is_said_once_and_nothing_is_lost() {
        let (mut reader, writer) = io::pipe().unwrap();
        let shared = Arc::<Shared>::default();
        shared.add_accepted(7);
        let stream = Stream::new(File::from(OwnedFd::from(writer)));
        let mut stream = stream.watched_for(shared, Duration::from_millis(50));
        let lines = b"0123456789abcde\n".repeat(20_000);
        let expected = lines.clone();
        let diagnostics = Diagnostics::default();
        let copy = diagnostics.clone();
        let thread = thread::spawn(move || {
            let subscriber = tracing_subscriber::fmt()
                .with_ansi(false)
                .with_writer(move || copy.clone())
                .finish();
            tracing::subscriber::with_default(subscriber, || stream.write(&lines))
        });
        let said = |word: &str| diagnostics.text().matches(word).count();
        for _ in 0..1_000 {
            if said("nobody reads") > 0 {
                break;
            }
            thread::sleep(Duration::from_millis(10));
        }
        thread::sleep(Duration::from_millis(200));
        assert_eq!(said("nobody reads"), 1, "{}", diagnostics.text());
        assert_eq!(said("waiting=7"), 1, "{}", diagnostics.text());
        let mut text = Vec::new();
        reader.read_to_end(&mut text).unwrap();
        let (written, error) = thread.join().unwrap();
        assert!(error.is_none());
        assert_eq!((written, text.len()), (expected.len(), expected.len()));
        assert!(text == expected);
        assert_eq!(said("is read again"), 1, "{}", diagnostics.text());
    }

    #[test]
    fn a_reader_that_goes_away_after_it_did_not_read_is_gone() {
        let (reader, writer) = io::pipe().unwrap();
        let stream = Stream::new(File::from(OwnedFd::from(writer)));
        let mut stream = stream.watched_for(Arc::default(), Duration::from_millis(50));
        let diagnostics = Diagnostics::default();
        let copy = diagnostics.clone();
        let thread = thread::spawn(move || {
            let subscriber = tracing_subscriber::fmt()
                .with_ansi(false)
                .with_writer(move || copy.clone())
                .finish();
            let lines = b"0123456789abcde\n".repeat(20_000);
            tracing::subscriber::with_default(subscriber, || stream.write(&lines))
        });
        let said = |word: &str| diagnostics.text().matches(word).count();
        for _ in 0..1_000 {
            if said("nobody reads") > 0 {
                break;
            }
            thread::sleep(Duration::from_millis(10));
        }
        assert_eq!(said("nobody reads"), 1, "{}", diagnostics.text());
        drop(reader);
        let (_, error) = thread.join().unwrap();
        assert_eq!(error.unwrap().kind(), io::ErrorKind::BrokenPipe);
        assert_eq!(said("is read again"), 0, "{}", diagnostics.text());
        assert_eq!(said("has gone"), 1, "{}", diagnostics.text());
    }

    #[derive(Clone, Default)]
    struct Diagnostics(Arc<std::sync::Mutex<Vec<u8>>>);

    impl Diagnostics {
        fn text(&self) -> String {
            String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
        }
    }

    impl io::Write for Diagnostics {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_broken_line_is_ended_before_the_next() {
        let (mut reader, writer) = io::pipe().unwrap();
        let mut stream = Stream::new(File::from(OwnedFd::from(writer)));
        assert!(matches!(stream.write(b"one\ntw"), (4, None)));
        assert!(matches!(stream.write(b"three\n"), (6, None)));
        drop(stream);
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        assert_eq!(text, "one\ntw\nthree\n");
    }
}
