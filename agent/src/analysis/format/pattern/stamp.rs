//! Dates and times as formats of strftime describe them.

use super::{PatternError, fixed, number};
use crate::analysis::format::Reason;
use crate::analysis::format::simple::local;
use crate::analysis::format::time::{Clock, days, epoch, month, two};

/// A format of strftime.
#[derive(Clone, Debug)]
pub(super) struct Stamp(Vec<Piece>);

#[derive(Clone, Copy, Debug)]
enum Piece {
    Literal(u8),
    Letter(u8),
}

/// What was read.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Parts {
    year: Option<i64>,
    month: i64,
    day: i64,
    second: i64,
    micros: i64,
    offset: Option<i64>,
    epoch_us: Option<i64>,
}

const WRONG: Reason = Reason::Wrong("time");

impl Stamp {
    pub(super) fn new(text: &str) -> Result<Self, PatternError> {
        let mut pieces = Vec::new();
        let mut letters = text.bytes();
        while let Some(byte) = letters.next() {
            let piece = match byte {
                b'%' => match letters.next() {
                    Some(
                        letter @ (b'd' | b'e' | b'm' | b'b' | b'B' | b'y' | b'Y' | b'H' | b'M'
                        | b'S' | b'z' | b's' | b'f' | b'T' | b'F' | b'*'),
                    ) => Piece::Letter(letter),
                    Some(letter) => return Err(PatternError::TimeLetter(letter.into())),
                    None => return Err(PatternError::TimeLetter(' ')),
                },
                _ => Piece::Literal(byte),
            };
            pieces.push(piece);
        }
        Ok(Self(pieces))
    }

    pub(super) fn read(&self, text: &[u8], parts: &mut Parts) -> Result<(), Reason> {
        let mut rest = text;
        for piece in &self.0 {
            match *piece {
                Piece::Literal(byte) => {
                    rest = match rest.split_first() {
                        Some((first, behind)) if *first == byte => behind,
                        _ => return Err(WRONG),
                    };
                }
                Piece::Letter(letter) => rest = parts.read(letter, rest)?,
            }
        }
        // A fraction behind the seconds.
        if let Some(fraction) = rest.strip_prefix(b".") {
            let digits = fraction.iter().take_while(|byte| byte.is_ascii_digit());
            parts.micros = digits
                .chain(b"000000")
                .take(6)
                .fold(0, |value, byte| value * 10 + i64::from(byte - b'0'));
        }
        Ok(())
    }
}

impl Parts {
    fn read<'a>(&mut self, letter: u8, text: &'a [u8]) -> Result<&'a [u8], Reason> {
        let pair = |text: &'a [u8]| -> Result<(i64, &'a [u8]), Reason> {
            match text {
                [a, b, rest @ ..] => Ok((two(*a, *b).ok_or(WRONG)?, rest)),
                _ => Err(WRONG),
            }
        };
        match letter {
            b'd' => {
                let (value, rest) = pair(text)?;
                self.day = value;
                Ok(rest)
            }
            b'e' => match text {
                [b' ', day, rest @ ..] => {
                    self.day = two(b'0', *day).ok_or(WRONG)?;
                    Ok(rest)
                }
                _ => self.read(b'd', text),
            },
            b'm' => {
                let (value, rest) = pair(text)?;
                self.month = value;
                Ok(rest)
            }
            b'b' | b'B' => {
                let [a, b, c, rest @ ..] = text else {
                    return Err(WRONG);
                };
                self.month = month([*a, *b, *c]).ok_or(WRONG)?;
                let more = rest.iter().take_while(|byte| byte.is_ascii_alphabetic());
                Ok(&rest[more.count()..])
            }
            b'Y' => {
                let (century, rest) = pair(text)?;
                let (year, rest) = pair(rest)?;
                self.year = Some(century * 100 + year);
                Ok(rest)
            }
            b'y' => {
                let (year, rest) = pair(text)?;
                self.year = Some(if year < 69 { 2000 + year } else { 1900 + year });
                Ok(rest)
            }
            b'H' => {
                let (value, rest) = pair(text)?;
                self.second = value * 3600;
                Ok(rest)
            }
            b'M' => {
                let (value, rest) = pair(text)?;
                self.second += value * 60;
                Ok(rest)
            }
            b'S' => {
                let (value, rest) = pair(text)?;
                self.second += value.min(59);
                Ok(rest)
            }
            b'T' => {
                let rest = self.read(b'H', text)?;
                let rest = self.read(b'M', rest.strip_prefix(b":").ok_or(WRONG)?)?;
                self.read(b'S', rest.strip_prefix(b":").ok_or(WRONG)?)
            }
            b'F' => {
                let rest = self.read(b'Y', text)?;
                let rest = self.read(b'm', rest.strip_prefix(b"-").ok_or(WRONG)?)?;
                self.read(b'd', rest.strip_prefix(b"-").ok_or(WRONG)?)
            }
            b'z' => {
                let (sign, digits) = match text {
                    [b'Z', rest @ ..] => {
                        self.offset = Some(0);
                        return Ok(rest);
                    }
                    [b'+', rest @ ..] => (1, rest),
                    [b'-', rest @ ..] => (-1, rest),
                    _ => return Err(WRONG),
                };
                let (hours, rest) = pair(digits)?;
                let (minutes, rest) = pair(rest.strip_prefix(b":").unwrap_or(rest))?;
                self.offset = Some(sign * (hours * 3600 + minutes * 60));
                Ok(rest)
            }
            // Seconds, microseconds and milliseconds since 1970.
            b's' | b'f' | b'*' => {
                let digits = text
                    .iter()
                    .take_while(|byte| byte.is_ascii_digit() || **byte == b'.');
                let (digits, rest) = text.split_at(digits.count());
                let value = match letter {
                    b's' => epoch(digits),
                    b'f' => number(digits).and_then(|value| value.try_into().ok()),
                    _ => fixed(digits, 3).and_then(|value| value.try_into().ok()),
                };
                self.epoch_us = Some(value.ok_or(WRONG)?);
                Ok(rest)
            }
            _ => Err(WRONG),
        }
    }

    /// The time; `None` without a date. One without a zone is of the local zone.
    pub(super) fn time_us(self, clock: &mut Clock) -> Option<i64> {
        if self.epoch_us.is_some() {
            return self.epoch_us;
        }
        let day = days(self.year?, self.month, self.day)?;
        let time = (day * 86_400 + self.second) * 1_000_000 + self.micros;
        match self.offset {
            Some(offset) => Some(time - offset * 1_000_000),
            None => local(time, clock),
        }
    }
}
