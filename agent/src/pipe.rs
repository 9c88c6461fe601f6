//! Pipes whose reader may not read: how much can be written without waiting for it.

use std::os::fd::{AsRawFd as _, BorrowedFd};
use std::time::Duration;

/// Bytes that a pipe takes without waiting when it says that it takes some (pipe(7), PIPE_BUF).
pub(crate) const PIECE: usize = 4096;

/// What a pipe has room for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Room {
    /// A [`PIECE`].
    Some,
    /// Nobody has read yet what is in it.
    None,
    /// Nobody will: its other end is closed.
    Never,
}

/// Whether a pipe takes bytes now; waits so long for it. What is no pipe has room, unless its own nature
/// keeps it from taking any.
pub(crate) fn room(pipe: BorrowedFd<'_>, wait: Duration) -> Room {
    let mut polled = libc::pollfd {
        fd: pipe.as_raw_fd(),
        events: libc::POLLOUT,
        revents: 0,
    };
    let milliseconds = wait.as_millis().min(1_000_000) as libc::c_int;
    // SAFETY: `polled` is one valid entry. An interrupted wait is a short one.
    let ready = unsafe { libc::poll(&raw mut polled, 1, milliseconds) };
    match ready > 0 {
        false => Room::None,
        true if polled.revents & libc::POLLERR != 0 => Room::Never,
        true => Room::Some,
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::os::fd::AsFd as _;

    use super::*;

    #[test]
    fn a_pipe_is_full_until_it_is_read_or_closed() {
        let (mut reader, mut writer) = std::io::pipe().unwrap();
        let room = |writer: &std::io::PipeWriter| room(writer.as_fd(), Duration::ZERO);
        let mut pieces = 0;
        while room(&writer) == Room::Some {
            writer.write_all(&[0; PIECE]).unwrap();
            pieces += 1;
        }
        assert!(pieces > 0);
        assert_eq!(room(&writer), Room::None);
        reader.read_exact(&mut [0; PIECE]).unwrap();
        assert_eq!(room(&writer), Room::Some);
        drop(reader);
        assert_eq!(room(&writer), Room::Never);
    }
}
