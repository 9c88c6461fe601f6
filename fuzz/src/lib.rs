//! What the fuzz targets do with bytes: each states what must hold for any.
//!
//! `cargo fuzz run --features libfuzzer packet` searches for bytes that break it; the tests of this
//! package run the same functions for a moment.

use agent_common::packet::{Link, Origin};
use agent_common::record::{FIRST_POSITION, HEAD_MAX, PIECE_MAX, RecordHeader, VERSION, flag};
use tapline::analysis::format::detect::Detector;
use tapline::analysis::format::{Format, Parsed as Line, Pattern, Reader};
use tapline::analysis::pairing::Pairing;
use tapline::analysis::statistics::Statistics;
use tapline::capture::offline::{Offline, OfflineSettings, Slice};
use tapline::http::engine::{Engine, FoundHead, Limits, Output};
use tapline::http::head::StartLine;
use tapline::http::message::{Parsed, head_end, parse, parse_cut};
use tapline::http::redact::{Query, RedactSettings, Redactor, Texts};

/// A sequence of packets: every two bytes of length are followed by so many bytes of packet.
///
/// Holds: nothing is read outside a packet, every record lies inside one, records are numbered
/// without gaps, and the accounts of the engine close.
pub fn packet(data: &[u8]) {
    let mut offline = Offline::new(OfflineSettings {
        flows: 8,
        ..OfflineSettings::default()
    });
    let mut engine = Engine::new(Limits {
        slots: 8,
        held_bytes: 64 << 10,
        ..Limits::default()
    });
    let mut output = Count::default();
    let mut rest = data;
    let mut now_ns = 0;
    let mut records = 0;
    while let Some((&[high, low, kind], behind)) = rest.split_first_chunk::<3>() {
        let length = usize::from(u16::from_be_bytes([high, low])).min(behind.len());
        let (bytes, behind) = behind.split_at(length);
        rest = behind;
        now_ns += 1_000_000;
        let packet = Slice {
            bytes,
            // Some packets were longer on the wire than what is here.
            wire_length: bytes.len() as u32 + u32::from(kind >> 4) * 100,
            origin: Origin {
                link: match kind & 3 {
                    0 => Link::Network(0x0800),
                    1 => Link::Network(0x86dd),
                    _ => Link::Ethernet,
                },
                vlan: 0,
                segments: 1,
                ifindex: 1,
                outgoing: kind & 4 != 0,
            },
        };
        offline.packet(&packet, now_ns);
        offline.drain(|header, captured| {
            records += 1;
            assert_eq!(header.cpu_record, records);
            assert!(captured.len() <= PIECE_MAX);
            assert!(
                captured.is_empty() || bytes.windows(captured.len()).any(|part| part == captured)
            );
            engine.record(header, captured, &mut output);
            None
        });
        engine.expire(now_ns, &mut output);
    }
    engine.finish(&mut output);
    let counters = offline.counters();
    assert_eq!(counters.records, records);
    let counts = engine.counts();
    assert_eq!(counts.heads, output.0);
    assert_eq!(counts.heads, counts.whole + counts.partial);
    assert_eq!(
        counts.start_lines,
        counts.heads + counts.copies + counts.look_alikes
    );
    assert_eq!(engine.held_bytes(), 0);
}

/// The bytes of a head.
///
/// Holds: a head that is found lies inside the bytes, all its parts lie inside it, what is whole is
/// whole with any bytes behind it, and the engine finds a request too.
pub fn head(data: &[u8]) {
    if let Some(end) = head_end(data, 0) {
        assert!(end <= data.len());
    }
    let Parsed::Whole(message) = parse(data) else {
        return;
    };
    let inside = |part: &[u8]| data.as_ptr_range().contains(&part.as_ptr()) || part.is_empty();
    assert!(inside(message.line) && inside(message.raw_fields));
    let mut longer = data.to_vec();
    longer.extend_from_slice(b"GET / HTTP/1.1\r\n\r\n");
    let Parsed::Whole(same) = parse(&longer) else {
        panic!("a whole head is not whole with more behind it");
    };
    assert_eq!(same.line, message.line);
    // A response needs a request before it.
    let is_request = matches!(message.start, StartLine::Request { .. });
    if is_request && data.len() <= PIECE_MAX.min(HEAD_MAX) {
        let header = RecordHeader {
            position: FIRST_POSITION,
            segment_end: FIRST_POSITION + data.len() as u64,
            captured: data.len() as u32,
            direction_record: 1,
            generation: 1,
            flags: flag::START | flag::FROM_START,
            version: VERSION,
            ..RecordHeader::ZERO
        };
        let mut output = Count::default();
        let mut engine = Engine::new(Limits::default());
        engine.record(&header, data, &mut output);
        engine.finish(&mut output);
        assert!(
            output.0 >= 1,
            "the engine lost a head that the parser finds"
        );
    }
}

/// The bytes of a head, whole or cut.
///
/// Holds: redacting what was redacted changes nothing, a secret that is put behind the target is not
/// in what comes out, and switched off it changes nothing.
pub fn redact(data: &[u8]) {
    let message = match parse(data) {
        Parsed::Whole(message) => message,
        Parsed::More | Parsed::Not => match parse_cut(data) {
            Some(message) => message,
            None => return,
        },
    };
    let asked = ["Cookie", "Referer", "X-Request-Id"].map(str::to_owned);
    let texts = Texts {
        line: message.line,
        start: message.start,
        fields: message.fields,
        raw_fields: message.raw_fields,
        partial: !matches!(parse(data), Parsed::Whole(_)),
    };
    for query in [Query::Keep, Query::Drop] {
        let settings = RedactSettings {
            query,
            ..RedactSettings::default()
        };
        let [mut first, mut second] = [(); 2].map(|()| Redactor::new(&settings, &asked));
        // What is left of a cut text does not end where it was cut.
        let once = Texts {
            partial: false,
            ..first.texts(texts)
        };
        assert_eq!(second.texts(once), once);
        if let StartLine::Request { target, .. } = once.start {
            let target = [&b" "[..], target].concat();
            assert!(once.line.windows(target.len()).any(|part| part == target));
        }
    }
    let off = RedactSettings {
        enabled: false,
        ..RedactSettings::default()
    };
    let mut none = Redactor::new(&off, &asked);
    assert_eq!(none.texts(texts), texts);
    let mut redactor = Redactor::new(&RedactSettings::default(), &asked);
    if let StartLine::Request { method, target } = texts.start {
        let target = [target, b"?&token=\x01SECRET"].concat();
        let line = [method, b" ", &target, b" HTTP/1.1"].concat();
        let redacted = redactor.texts(Texts {
            line: &line,
            start: StartLine::Request {
                method,
                target: &target,
            },
            ..texts
        });
        let has_secret = |text: &[u8]| text.windows(7).any(|part| part == b"\x01SECRET");
        assert!(!has_secret(redacted.line), "a secret is left");
    }
}

#[derive(Default)]
struct Count(u64);

impl Output for Count {
    fn head(&mut self, _: &FoundHead<'_>) {
        self.0 += 1;
    }

    fn release(&mut self, _: u32, _: u32, _: u32, _: bool) {}
}

/// Lines of a log.
///
/// Holds: every line is taken or refused by the reader of every format and by what tells formats, and all that was taken
/// can be counted and reported.
pub fn lines(data: &[u8]) {
    let zone = jiff::tz::TimeZone::UTC;
    let mut statistics = Statistics::new(1_800_000_000);
    let mut pairing = Pairing::default();
    let mut told = Detector::of(data, &zone);
    let mut readers: Vec<Detector> = Format::all()
        .map(|format| Detector::named(Reader::new(format, zone.clone())))
        .collect();
    let pattern = Pattern::new(
        r#"%h %^[%d:%t %^] "%r" %s %b "%R" "%u" %T"#,
        Some("%d/%b/%Y"),
        Some("%H:%M:%S"),
    );
    let reader = pattern.map(|pattern| Detector::named(Reader::of_pattern(pattern, zone)));
    readers.extend(reader);
    for line in data.split(|byte| *byte == b'\n') {
        for reader in readers.iter_mut().chain([&mut told]) {
            // A line that is refused is one of the answers.
            let _refused = reader.parse(line, |parsed| match parsed {
                Line::Entry(entry) => statistics.add(&entry),
                Line::Head(head) => pairing.take(&head, |entry| statistics.add(entry)),
                Line::Nothing => {}
            });
        }
    }
    pairing.end(|entry| statistics.add(entry));
    let report = statistics.report(10);
    let listed: u64 = report.clients.rows.iter().map(|row| row.requests).sum();
    assert!(listed + report.clients.unlisted <= report.totals.requests);
}
