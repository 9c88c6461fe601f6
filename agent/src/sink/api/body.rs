//! The bodies of requests: records as JSON, in an array or one by one, plain or gzip; and records taken
//! out of a body again.

use std::io::{self, Read as _, Write as _};
use std::time::{Duration, Instant};

use bytes::Bytes;
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use serde::Serialize;
use serde_json::value::RawValue;

use super::settings::Mode;
use crate::http::exchange::record::ExchangeRecord;
use crate::session::record::SessionRecord;

/// An array is closed when it has so many bytes, before compression. One record may be longer.
const BODY_BYTES: usize = 1 << 20;
/// A body that was read from the spool has at most so many bytes when it is unpacked.
const PLAIN_MOST: u64 = 64 << 20;
/// The bit of a tag that says gzip.
const GZIP: u8 = 0x80;

/// What is in a body.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Form {
    /// An array of sessions.
    Sessions,
    /// One session, with the fields that every back end knows.
    Session,
    /// An array of exchanges.
    Exchanges,
}

impl Form {
    const ALL: [Self; 3] = [Self::Sessions, Self::Session, Self::Exchanges];

    pub(super) fn is_array(self) -> bool {
        self != Self::Session
    }

    /// What stands behind the address of the target.
    pub(super) fn path(self) -> &'static str {
        match self {
            Self::Sessions | Self::Session => "/logs",
            Self::Exchanges => "/exchanges",
        }
    }
}

/// The body of one request.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Body {
    pub(super) form: Form,
    pub(super) is_gzip: bool,
    pub(super) records: u32,
    pub(super) bytes: Bytes,
}

/// A body that cannot be taken apart.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unreadable {
    #[error("it cannot be unpacked")]
    Gzip(#[from] io::Error),
    #[error("it is longer than any body")]
    TooLong,
    #[error("it is not an array of records")]
    Json(#[from] serde_json::Error),
}

impl Body {
    /// The number that stands for what the body is, in the spool.
    pub(super) fn tag(&self) -> u8 {
        self.form as u8 | if self.is_gzip { GZIP } else { 0 }
    }

    /// The inverse.
    pub(super) fn from_spool(tag: u8, records: u32, bytes: Vec<u8>) -> Option<Self> {
        let form = *Form::ALL.get(usize::from(tag & !GZIP))?;
        Some(Self {
            form,
            is_gzip: tag & GZIP != 0,
            records,
            bytes: bytes.into(),
        })
    }

    /// The records in it, each as it is written.
    pub(super) fn take_apart(&self) -> Result<Vec<Box<RawValue>>, Unreadable> {
        let mut plain = Vec::new();
        let text = match self.is_gzip {
            true => {
                let unpack = GzDecoder::new(&self.bytes[..]);
                unpack.take(PLAIN_MOST + 1).read_to_end(&mut plain)?;
                if plain.len() as u64 > PLAIN_MOST {
                    return Err(Unreadable::TooLong);
                }
                &plain[..]
            }
            false => &self.bytes[..],
        };
        match self.form.is_array() {
            true => Ok(serde_json::from_slice(text)?),
            false => Ok(vec![serde_json::from_slice(text)?]),
        }
    }

    /// A plain body of some records of an array.
    pub(super) fn of(form: Form, records: &[Box<RawValue>]) -> Self {
        let texts: Vec<&str> = records.iter().map(|record| record.get()).collect();
        let text = texts.join(",");
        Self {
            form,
            is_gzip: false,
            records: u32::try_from(records.len()).unwrap_or(u32::MAX),
            bytes: match form.is_array() {
                true => format!("[{text}]").into(),
                false => text.into(),
            },
        }
    }
}

/// What every back end knows of a session, in order.
const KNOWN: [&str; 9] = [
    "protocol",
    "src_ip",
    "src_port",
    "dst_ip",
    "dst_port",
    "packets",
    "bytes",
    "cpu_id",
    "timestamp",
];

/// A session with the fields that every back end knows alone; None where it is not final.
pub(super) fn reduced(record: &RawValue) -> Option<Box<RawValue>> {
    let fields: serde_json::Map<String, serde_json::Value> =
        serde_json::from_str(record.get()).ok()?;
    if fields.get("interim") == Some(&serde_json::Value::Bool(true)) {
        return None;
    }
    let known = KNOWN
        .iter()
        .filter_map(|name| Some((*name, fields.get(*name)?)));
    let mut text = String::from("{");
    for (index, (name, value)) in known.enumerate() {
        let comma = if index == 0 { "" } else { "," };
        text += &format!("{comma}\"{name}\":{value}");
    }
    text.push('}');
    RawValue::from_string(text).ok()
}

/// Makes bodies of records.
#[derive(Debug)]
pub(super) struct Bodies {
    mode: Mode,
    batch: usize,
    interval: Duration,
    is_gzip: bool,
    sessions: Open,
    exchanges: Open,
}

/// An array that is not closed yet.
#[derive(Debug)]
struct Open {
    form: Form,
    bytes: Vec<u8>,
    records: usize,
    since: Option<Instant>,
}

impl Bodies {
    pub(super) fn new(mode: Mode, batch: usize, interval: Duration, is_gzip: bool) -> Self {
        let open = |form| Open {
            form,
            bytes: Vec::new(),
            records: 0,
            since: None,
        };
        Self {
            mode,
            batch: batch.max(1),
            interval,
            is_gzip,
            sessions: open(Form::Sessions),
            exchanges: open(Form::Exchanges),
        }
    }

    /// Takes a session; gives a body that has become whole by it.
    pub(super) fn session(
        &mut self,
        record: &SessionRecord<'_>,
        now: Instant,
    ) -> serde_json::Result<Option<Body>> {
        if self.mode == Mode::Single {
            let known = SessionRecord {
                details: None,
                ..*record
            };
            return Ok(Some(Body {
                form: Form::Session,
                is_gzip: false,
                records: 1,
                bytes: serde_json::to_vec(&known)?.into(),
            }));
        }
        self.sessions.push(record, now)?;
        Ok(self.sessions.close_if(self.batch, self.is_gzip))
    }

    /// Takes an exchange; gives a body that has become whole by it.
    pub(super) fn exchange(
        &mut self,
        record: &ExchangeRecord<'_>,
        now: Instant,
    ) -> serde_json::Result<Option<Body>> {
        self.exchanges.push(record, now)?;
        Ok(self.exchanges.close_if(self.batch, self.is_gzip))
    }

    /// When [`Bodies::flush`] has something to give, if nothing more comes.
    pub(super) fn due(&self) -> Option<Instant> {
        let since = [self.sessions.since, self.exchanges.since];
        let first = since.into_iter().flatten().min()?;
        Some(first + self.interval)
    }

    /// The arrays whose first record has waited for the interval at `now`; None: all.
    pub(super) fn flush(&mut self, now: Option<Instant>) -> impl Iterator<Item = Body> {
        let (interval, is_gzip) = (self.interval, self.is_gzip);
        let due = move |open: &Open| match (open.since, now) {
            (None, _) => false,
            (Some(_), None) => true,
            (Some(since), Some(now)) => now.saturating_duration_since(since) >= interval,
        };
        let close = |open: &mut Open| due(open).then(|| open.close(is_gzip));
        let bodies = [close(&mut self.sessions), close(&mut self.exchanges)];
        bodies.into_iter().flatten()
    }
}

impl Open {
    fn push(&mut self, record: &impl Serialize, now: Instant) -> serde_json::Result<()> {
        let before = self.bytes.len();
        self.bytes.push(if before == 0 { b'[' } else { b',' });
        if let Err(error) = serde_json::to_writer(&mut self.bytes, record) {
            self.bytes.truncate(before);
            return Err(error);
        }
        self.records += 1;
        self.since.get_or_insert(now);
        Ok(())
    }

    fn close_if(&mut self, batch: usize, is_gzip: bool) -> Option<Body> {
        let is_whole = self.records >= batch || self.bytes.len() >= BODY_BYTES;
        is_whole.then(|| self.close(is_gzip))
    }

    fn close(&mut self, is_gzip: bool) -> Body {
        self.bytes.push(b']');
        let packed = is_gzip.then(|| pack(&self.bytes)).flatten();
        let body = Body {
            form: self.form,
            is_gzip: packed.is_some(),
            records: u32::try_from(self.records).unwrap_or(u32::MAX),
            bytes: match packed {
                Some(packed) => packed.into(),
                None => Bytes::copy_from_slice(&self.bytes),
            },
        };
        self.bytes.clear();
        self.records = 0;
        self.since = None;
        body
    }
}

/// None when it cannot be packed, which memory always can.
pub(super) fn pack(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut packed = GzEncoder::new(Vec::with_capacity(bytes.len() / 4), Compression::fast());
    packed.write_all(bytes).ok()?;
    packed.finish().ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::session::record::SessionDetails;
    use crate::sink::batch::samples::{details, exchange, session};

    fn bodies(mode: Mode, batch: usize, is_gzip: bool) -> Bodies {
        Bodies::new(mode, batch, Duration::from_secs(1), is_gzip)
    }

    #[test]
    fn arrays_are_closed_when_they_are_full_or_old() {
        for is_gzip in [false, true] {
            let mut bodies = bodies(Mode::Array, 3, is_gzip);
            let now = Instant::now();
            assert_eq!(bodies.due(), None);
            assert_eq!(bodies.session(&session(), now).unwrap(), None);
            assert_eq!(bodies.exchange(&exchange(), now).unwrap(), None);
            assert_eq!(bodies.session(&session(), now).unwrap(), None);
            let body = bodies.session(&session(), now).unwrap().unwrap();
            assert_eq!(
                (body.records, body.form, body.is_gzip),
                (3, Form::Sessions, is_gzip)
            );
            let records = body.take_apart().unwrap();
            assert_eq!(records.len(), 3);
            let expected = serde_json::to_string(&session()).unwrap();
            assert!(records.iter().all(|record| record.get() == expected));
            assert_eq!(bodies.due(), Some(now + Duration::from_secs(1)));
            assert_eq!(bodies.flush(Some(now)).count(), 0);
            let old: Vec<Body> = bodies.flush(Some(now + Duration::from_secs(1))).collect();
            assert_eq!(old.len(), 1);
            assert_eq!((old[0].records, old[0].form), (1, Form::Exchanges));
            assert_eq!(bodies.flush(None).count(), 0);
        }
    }

    #[test]
    fn a_single_session_has_the_fields_that_all_know() {
        let mut bodies = bodies(Mode::Single, 500, true);
        let body = bodies.session(&session(), Instant::now()).unwrap().unwrap();
        assert!(!body.is_gzip);
        let value: Value = serde_json::from_slice(&body.bytes).unwrap();
        let expected = json!({
            "protocol": "TCP", "src_ip": "192.0.2.2", "src_port": 48_918, "dst_ip": "192.0.2.1",
            "dst_port": 80, "packets": 10, "bytes": 2400, "cpu_id": 1,
            "timestamp": "2026-11-21T12:27:47.311Z",
        });
        assert_eq!(value, expected);
        // What comes from the spool of another mode is made the same.
        let whole = serde_json::value::to_raw_value(&session()).unwrap();
        assert_eq!(reduced(&whole).unwrap().get().as_bytes(), body.bytes);
        let interim = SessionRecord {
            details: Some(SessionDetails {
                interim: true,
                ..details()
            }),
            ..session()
        };
        assert!(reduced(&serde_json::value::to_raw_value(&interim).unwrap()).is_none());
    }

    #[test]
    fn long_records_close_an_array_early() {
        let mut bodies = bodies(Mode::Array, 1000, false);
        let target = "x".repeat(BODY_BYTES / 2);
        let long = ExchangeRecord {
            target: Some(&target),
            ..exchange()
        };
        assert!(bodies.exchange(&long, Instant::now()).unwrap().is_none());
        assert_eq!(
            bodies
                .exchange(&long, Instant::now())
                .unwrap()
                .unwrap()
                .records,
            2
        );
    }

    #[test]
    fn tags_come_back() {
        for form in Form::ALL {
            for is_gzip in [false, true] {
                let body = Body {
                    form,
                    is_gzip,
                    records: 3,
                    bytes: Bytes::from_static(b"x"),
                };
                let back = Body::from_spool(body.tag(), 3, b"x".to_vec());
                assert_eq!(back, Some(body));
            }
        }
        assert_eq!(Body::from_spool(3, 1, Vec::new()), None);
    }

    #[test]
    fn a_bomb_is_refused() {
        let plain = vec![b' '; PLAIN_MOST as usize + 2];
        let body = Body {
            form: Form::Sessions,
            is_gzip: true,
            records: 1,
            bytes: pack(&plain).unwrap().into(),
        };
        assert!(matches!(body.take_apart(), Err(Unreadable::TooLong)));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(tag: u8, bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            if let Some(body) = Body::from_spool(tag, 1, bytes) {
                drop(body.take_apart());
            }
        }

        #[test]
        fn parts_of_a_body_are_bodies(count in 1_usize..20, from in 0_usize..20, to in 0_usize..20) {
            let mut bodies = bodies(Mode::Array, count, true);
            let whole = (0..count).filter_map(|_| bodies.session(&session(), Instant::now()).unwrap()).next().unwrap();
            let records = whole.take_apart().unwrap();
            let (from, to) = (from.min(count), to.min(count));
            let part = Body::of(Form::Sessions, &records[from.min(to)..to]);
            let again = part.take_apart().unwrap();
            prop_assert_eq!(again.len(), to.saturating_sub(from));
        }
    }
}
