//! A record, and how it is written: as a JSON object or as a line of text.

use super::family::{Family, Issue, Level, Outage, Resource, Threat};
use super::model::Place;
use crate::config::Word as _;
use crate::generate::stamp::Stamps;

/// A record. It is filled in anew for each; its memory stays.
#[derive(Debug)]
pub(super) struct Record<'m> {
    /// Microseconds since the epoch.
    pub(super) time: i64,
    pub(super) level: Level,
    pub(super) place: &'m Place,
    pub(super) message: Vec<u8>,
    pub(super) request_id: Option<u128>,
    pub(super) user: User,
    pub(super) address: Option<u32>,
    /// Hundredths of milliseconds.
    pub(super) response_time: Option<u32>,
    pub(super) status: Option<u16>,
    pub(super) endpoint: Option<&'static str>,
    pub(super) method: Option<&'static str>,
    pub(super) code: Option<&'static str>,
    pub(super) metadata: Metadata<'m>,
    pub(super) anomaly: Option<Label>,
}

/// Who asked.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum User {
    Unknown,
    Known(u32),
    /// What should not be: the field is there and empty.
    Null,
}

/// What an anomalous record is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Label {
    pub(super) family: Family,
    /// Hundredths.
    pub(super) score: u32,
}

/// What a record tells beside its fields.
#[derive(Clone, Copy, Debug)]
pub(super) enum Metadata<'m> {
    None,
    Threat(Threat),
    /// The part that is used up, in tenths of a percent.
    Exhaustion(Resource, u32),
    Outage(&'m str, Outage),
    Order(Order<'m>),
}

/// What somebody ordered, with what is wrong in it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Order<'m> {
    pub(super) order: u32,
    pub(super) transaction: u32,
    pub(super) cents: u32,
    pub(super) quantity: u32,
    /// Microseconds since the epoch.
    pub(super) created_at: i64,
    pub(super) email: &'m str,
    pub(super) damage: Option<(Issue, Damage)>,
}

/// What is wrong with a record's fields.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Damage {
    NullUser,
    NoTransaction,
    NullOrder,
    NegativeAmount,
    FutureTime,
    HugeQuantity,
    BadDate,
    BrokenBody,
    BadEmail,
}

impl Damage {
    /// What is said about it. The value in it is the value in the record.
    pub(super) fn message(self) -> &'static str {
        match self {
            Self::NullUser => "Unexpected null value in field: user_id",
            Self::NoTransaction => "Required field missing: transaction_id",
            Self::NullOrder => "Null reference encountered in order processing",
            Self::NegativeAmount => "Value out of expected range: amount=-500.00",
            Self::FutureTime => "Invalid timestamp: date in future",
            Self::HugeQuantity => "Quantity exceeds maximum: 999999",
            Self::BadDate => "Invalid date format in field: created_at",
            Self::BrokenBody => "Malformed JSON in request body",
            Self::BadEmail => "Invalid email format: user@",
        }
    }

    /// Those of an issue.
    pub(super) fn of(issue: Issue) -> &'static [Self] {
        match issue {
            Issue::NullValues => &[Self::NullUser, Self::NoTransaction, Self::NullOrder],
            Issue::OutOfRange => &[Self::NegativeAmount, Self::FutureTime, Self::HugeQuantity],
            Issue::FormatError => &[Self::BadDate, Self::BrokenBody, Self::BadEmail],
        }
    }
}

impl<'m> Record<'m> {
    pub(super) fn new(place: &'m Place) -> Self {
        Self {
            time: 0,
            level: Level::Info,
            place,
            message: Vec::with_capacity(256),
            request_id: None,
            user: User::Unknown,
            address: None,
            response_time: None,
            status: None,
            endpoint: None,
            method: None,
            code: None,
            metadata: Metadata::None,
            anomaly: None,
        }
    }

    /// Takes everything out.
    pub(super) fn clear(&mut self, time: i64) {
        self.time = time;
        self.message.clear();
        self.request_id = None;
        self.user = User::Unknown;
        self.address = None;
        self.response_time = None;
        self.status = None;
        self.endpoint = None;
        self.method = None;
        self.code = None;
        self.metadata = Metadata::None;
        self.anomaly = None;
    }

    /// Writes a JSON object and a line end.
    pub(super) fn write_json(&self, has_labels: bool, stamps: &mut Stamps, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"timestamp\":\"");
        time(stamps, self.time, out);
        out.extend_from_slice(b"\",\"level\":\"");
        out.extend_from_slice(self.level.word().as_bytes());
        out.extend_from_slice(b"\",");
        out.extend_from_slice(&self.place.json);
        out.extend_from_slice(b",\"message\":");
        quoted(&self.message, out);
        if let Some(id) = self.request_id {
            out.extend_from_slice(b",\"request_id\":\"");
            uuid(id, out);
            out.push(b'"');
        }
        match self.user {
            User::Unknown => {}
            User::Known(user) => {
                out.extend_from_slice(b",\"user_id\":\"");
                hex(&user.to_be_bytes(), out);
                out.push(b'"');
            }
            User::Null => out.extend_from_slice(b",\"user_id\":null"),
        }
        if let Some(address) = self.address {
            out.extend_from_slice(b",\"ip_address\":\"");
            ip(address, out);
            out.push(b'"');
        }
        if let Some(hundredths) = self.response_time {
            out.extend_from_slice(b",\"response_time_ms\":");
            decimal(hundredths, out);
        }
        if let Some(status) = self.status {
            out.extend_from_slice(b",\"status_code\":");
            number(status.into(), out);
        }
        word(b",\"endpoint\":\"", self.endpoint, out);
        word(b",\"method\":\"", self.method, out);
        word(b",\"error_code\":\"", self.code, out);
        self.metadata.write(stamps, out);
        if has_labels {
            match self.anomaly {
                None => out.extend_from_slice(
                    b",\"_labels\":{\"is_anomaly\":false,\"anomaly_type\":\"none\",\"anomaly_score\":0.0}",
                ),
                Some(label) => {
                    out.extend_from_slice(b",\"_labels\":{\"is_anomaly\":true,\"anomaly_type\":\"");
                    out.extend_from_slice(label.family.word().as_bytes());
                    out.extend_from_slice(b"\",\"anomaly_score\":");
                    decimal(label.score, out);
                    out.push(b'}');
                }
            }
        }
        out.extend_from_slice(b"}\n");
    }

    /// Writes a line of text and a line end; what is absent is left out.
    pub(super) fn write_text(&self, has_labels: bool, stamps: &mut Stamps, out: &mut Vec<u8>) {
        out.push(b'[');
        time(stamps, self.time, out);
        out.extend_from_slice(b"] [");
        let level = self.level.word().as_bytes();
        out.extend_from_slice(level);
        out.extend_from_slice(&b"        "[..8_usize.saturating_sub(level.len())]);
        out.extend_from_slice(b"] ");
        out.extend_from_slice(&self.place.text);
        if let Some(id) = self.request_id {
            out.extend_from_slice(b" [");
            hex(&id.to_be_bytes()[..4], out);
            out.push(b']');
        }
        out.push(b' ');
        out.extend_from_slice(&self.message);
        if let Some(hundredths) = self.response_time {
            out.extend_from_slice(b" (");
            fixed(hundredths, out);
            out.extend_from_slice(b"ms)");
        }
        if let Some(status) = self.status {
            out.extend_from_slice(b" [");
            number(status.into(), out);
            out.push(b']');
        }
        if let Some(label) = self.anomaly.filter(|_| has_labels) {
            out.extend_from_slice(b" [ANOMALY:");
            out.extend_from_slice(label.family.word().as_bytes());
            out.push(b':');
            fixed(label.score, out);
            out.push(b']');
        }
        out.push(b'\n');
    }
}

impl Metadata<'_> {
    fn write(&self, stamps: &mut Stamps, out: &mut Vec<u8>) {
        match self {
            Self::None => {}
            Self::Threat(threat) => {
                word(
                    b",\"metadata\":{\"threat_type\":\"",
                    Some(threat.word()),
                    out,
                );
                out.push(b'}');
            }
            Self::Exhaustion(resource, tenths) => {
                word(
                    b",\"metadata\":{\"resource_type\":\"",
                    Some(resource.word()),
                    out,
                );
                out.extend_from_slice(b",\"usage_percent\":");
                tenth(*tenths, out);
                out.push(b'}');
            }
            Self::Outage(service, outage) => {
                out.extend_from_slice(b",\"metadata\":{\"affected_service\":");
                quoted(service.as_bytes(), out);
                word(b",\"outage_type\":\"", Some(outage.word()), out);
                out.push(b'}');
            }
            Self::Order(order) => order.write(stamps, out),
        }
    }
}

impl Order<'_> {
    fn write(&self, stamps: &mut Stamps, out: &mut Vec<u8>) {
        let damage = self.damage.map(|(_, damage)| damage);
        out.extend_from_slice(b",\"metadata\":{");
        if let Some((issue, _)) = self.damage {
            word(b"\"data_issue\":\"", Some(issue.word()), out);
            out.push(b',');
        }
        match damage {
            Some(Damage::NullOrder) => out.extend_from_slice(b"\"order_id\":null"),
            _ => {
                out.extend_from_slice(b"\"order_id\":\"ORD-");
                padded(self.order, 6, out);
                out.push(b'"');
            }
        }
        if damage != Some(Damage::NoTransaction) {
            out.extend_from_slice(b",\"transaction_id\":\"TXN-");
            padded(self.transaction, 8, out);
            out.push(b'"');
        }
        match damage {
            Some(Damage::NegativeAmount) => out.extend_from_slice(b",\"amount\":-500.00"),
            _ => {
                out.extend_from_slice(b",\"amount\":");
                fixed(self.cents, out);
            }
        }
        out.extend_from_slice(b",\"quantity\":");
        match damage {
            Some(Damage::HugeQuantity) => out.extend_from_slice(b"999999"),
            _ => number(self.quantity, out),
        }
        out.extend_from_slice(b",\"created_at\":\"");
        match damage {
            // No month has this number.
            Some(Damage::BadDate) => {
                out.extend_from_slice(b"2026-");
                padded(13 + self.order % 7, 2, out);
                out.extend_from_slice(b"-32T25:61");
            }
            _ => stamps.write(self.created_at, 0, out),
        }
        out.extend_from_slice(b"\",\"email\":");
        match damage {
            Some(Damage::BadEmail) => out.extend_from_slice(b"\"user@\""),
            _ => quoted(self.email.as_bytes(), out),
        }
        if damage == Some(Damage::BrokenBody) {
            out.extend_from_slice(b",\"request_body\":\"{\\\"quantity\\\": ");
            number(self.quantity, out);
            out.extend_from_slice(b", \\\"amount\\\": \"");
        }
        out.push(b'}');
    }
}

/// RFC 3339 in UTC with microseconds. The offset is written `+00:00`: readers of ISO 8601 that know no
/// `Z` take it too.
pub(super) fn time(stamps: &mut Stamps, microseconds: i64, out: &mut Vec<u8>) {
    stamps.write(microseconds, 6, out);
    if out.last() == Some(&b'Z') {
        out.pop();
    }
    out.extend_from_slice(b"+00:00");
}

fn word(before: &[u8], word: Option<&str>, out: &mut Vec<u8>) {
    if let Some(word) = word {
        out.extend_from_slice(before);
        out.extend_from_slice(word.as_bytes());
        out.push(b'"');
    }
}

/// Writes text as a JSON string.
pub(super) fn quoted(text: &[u8], out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    out.push(b'"');
    let mut rest = text;
    let is_special = |byte: &u8| *byte < b' ' || matches!(byte, b'"' | b'\\');
    while let Some(place) = rest.iter().position(is_special) {
        out.extend_from_slice(&rest[..place]);
        let byte = rest[place];
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
            _ => {
                out.extend_from_slice(b"\\u00");
                out.push(HEX[usize::from(byte >> 4)]);
                out.push(HEX[usize::from(byte & 15)]);
            }
        }
        rest = &rest[place + 1..];
    }
    out.extend_from_slice(rest);
    out.push(b'"');
}

pub(super) fn number(number: u32, out: &mut Vec<u8>) {
    out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}

/// With zeros in front.
pub(super) fn padded(number: u32, digits: usize, out: &mut Vec<u8>) {
    let mut text = [b'0'; 10];
    let mut rest = number;
    for place in text.iter_mut().rev() {
        *place = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    out.extend_from_slice(&text[10 - digits.min(10)..]);
}

/// Hundredths, as a number of JSON with at least one decimal.
fn decimal(hundredths: u32, out: &mut Vec<u8>) {
    fixed(hundredths, out);
    if hundredths.is_multiple_of(10) {
        out.pop();
    }
}

/// Hundredths, with two decimals.
pub(super) fn fixed(hundredths: u32, out: &mut Vec<u8>) {
    number(hundredths / 100, out);
    let rest = hundredths % 100;
    out.extend_from_slice(&[b'.', b'0' + (rest / 10) as u8, b'0' + (rest % 10) as u8]);
}

/// Tenths, with one decimal.
pub(super) fn tenth(tenths: u32, out: &mut Vec<u8>) {
    number(tenths / 10, out);
    out.extend_from_slice(&[b'.', b'0' + (tenths % 10) as u8]);
}

pub(super) fn ip(address: u32, out: &mut Vec<u8>) {
    for (place, octet) in address.to_be_bytes().into_iter().enumerate() {
        if place > 0 {
            out.push(b'.');
        }
        number(octet.into(), out);
    }
}

/// The digits of each byte.
const DIGITS: [[u8; 2]; 256] = {
    let hex = b"0123456789abcdef";
    let mut digits = [[0; 2]; 256];
    let mut byte = 0;
    while byte < 256 {
        digits[byte] = [hex[byte >> 4], hex[byte & 15]];
        byte += 1;
    }
    digits
};

pub(super) fn hex(bytes: &[u8], out: &mut Vec<u8>) {
    for byte in bytes {
        out.extend_from_slice(&DIGITS[usize::from(*byte)]);
    }
}

/// Random bits as a UUID of version 4 (RFC 9562, section 5.4).
pub(super) fn uuid(bits: u128, out: &mut Vec<u8>) {
    let bytes = bits.to_be_bytes();
    hex(&bytes[..4], out);
    out.push(b'-');
    hex(&bytes[4..6], out);
    out.push(b'-');
    hex(&[bytes[6] & 0x0f | 0x40, bytes[7]], out);
    out.push(b'-');
    hex(&[bytes[8] & 0x3f | 0x80, bytes[9]], out);
    out.push(b'-');
    hex(&bytes[10..], out);
}
