//! Percent encoding (RFC 3986, section 2.1), also where it was done again and again, as in an address
//! that is the value of a key of another address.

/// What one place of a text stands for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Unit {
    /// The byte, with all encoding undone.
    pub(super) byte: u8,
    /// How often it was encoded: 0 for a byte as it is, 1 for `%3D`, 2 for `%253D`.
    pub(super) level: usize,
    /// How many bytes of the text it takes.
    pub(super) width: usize,
}

/// What the `%` at `at` begins; a `%` without two hexadecimal digits behind it is a byte as it is.
pub(super) fn unit(text: &[u8], at: usize) -> Unit {
    let mut level = 1;
    let mut place = at + 1;
    let Some(mut byte) = pair(text, place) else {
        return Unit {
            byte: b'%',
            level: 0,
            width: 1,
        };
    };
    // %25 is an encoded %: with two digits behind it, the encoding of an encoding.
    while byte == b'%'
        && let Some(inner) = pair(text, place + 2)
    {
        byte = inner;
        level += 1;
        place += 2;
    }
    Unit {
        byte,
        level,
        width: place + 2 - at,
    }
}

/// The byte that two hexadecimal digits stand for.
fn pair(text: &[u8], at: usize) -> Option<u8> {
    let [high, low] = *text.get(at..)?.first_chunk()?;
    let digit = |byte| char::from(byte).to_digit(16);
    u8::try_from(digit(high)? << 4 | digit(low)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units() {
        let check = |text: &str, byte: u8, level: usize, width: usize| {
            let expected = Unit { byte, level, width };
            assert_eq!(unit(text.as_bytes(), 0), expected, "{text}");
        };
        check("%3D", b'=', 1, 3);
        check("%3d5", b'=', 1, 3);
        check("%253D", b'=', 2, 5);
        check("%25253D", b'=', 3, 7);
        check("%25", b'%', 1, 3);
        check("%2525", b'%', 2, 5);
        check("%25=a", b'%', 1, 3);
        check("%", b'%', 0, 1);
        check("%3", b'%', 0, 1);
        check("%g0", b'%', 0, 1);
        check("%+1", b'%', 0, 1);
    }
}
