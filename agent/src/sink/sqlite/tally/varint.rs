//! Whole numbers as few bytes: seven bits a byte, the lowest first.

/// Bytes that were not written by us.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the bytes of a roll-up are not as this version of Tapline writes them")]
pub(crate) struct NotOurs;

/// Appends a number.
pub(crate) fn put(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

/// Appends bytes with their length before them.
pub(crate) fn put_bytes(bytes: &mut Vec<u8>, part: &[u8]) {
    put(bytes, part.len() as u64);
    bytes.extend_from_slice(part);
}

/// Bytes that are read from the front.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bytes<'b>(&'b [u8]);

impl<'b> Bytes<'b> {
    pub(crate) fn new(bytes: &'b [u8]) -> Self {
        Self(bytes)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The next number.
    pub(crate) fn number(&mut self) -> Result<u64, NotOurs> {
        let mut number = 0;
        let mut shift = 0;
        loop {
            let (byte, rest) = self.0.split_first().ok_or(NotOurs)?;
            self.0 = rest;
            let bits = u64::from(byte & 0x7f);
            if shift > 63 || bits << shift >> shift != bits {
                return Err(NotOurs);
            }
            number |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
            shift += 7;
        }
    }

    /// What [`put_bytes`] has written.
    pub(crate) fn part(&mut self) -> Result<&'b [u8], NotOurs> {
        let length = usize::try_from(self.number()?).map_err(|_large| NotOurs)?;
        let (part, rest) = self.0.split_at_checked(length).ok_or(NotOurs)?;
        self.0 = rest;
        Ok(part)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_no_number_is_refused() {
        for bytes in [&[][..], &[0x80], &[0xff; 10], &[0xff; 11]] {
            assert_eq!(Bytes::new(bytes).number(), Err(NotOurs), "{bytes:?}");
        }
        assert_eq!(Bytes::new(&[5, 1]).part(), Err(NotOurs));
    }

    proptest! {
        #[test]
        fn numbers_and_parts_come_back(number in any::<u64>(), part in prop::collection::vec(any::<u8>(), 0..300)) {
            let mut bytes = Vec::new();
            put(&mut bytes, number);
            put_bytes(&mut bytes, &part);
            let mut read = Bytes::new(&bytes);
            prop_assert_eq!(read.number(), Ok(number));
            prop_assert_eq!(read.part(), Ok(&part[..]));
            prop_assert!(read.is_empty());
        }
    }
}
