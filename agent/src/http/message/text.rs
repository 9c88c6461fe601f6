//! Line ends and white space, as a tolerant recipient takes them (RFC 9112, sections 2.2 and 3).

/// The line without one CR at its end.
pub(super) fn without_carriage_return(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// Optional white space, and the other bytes that RFC 9112, section 3 lets a recipient take for it.
pub(super) fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | 0x0b | 0x0c)
}

/// Without the white space and CR at the end.
pub(super) fn trim_end(mut bytes: &[u8]) -> &[u8] {
    while let [rest @ .., last] = bytes
        && (is_space(*last) || *last == b'\r')
    {
        bytes = rest;
    }
    bytes
}

/// Without white space at both ends, nor CR at the end.
pub(super) fn trim(bytes: &[u8]) -> &[u8] {
    let mut bytes = trim_end(bytes);
    while let [first, rest @ ..] = bytes
        && is_space(*first)
    {
        bytes = rest;
    }
    bytes
}
