//! The pcap format and its writer.

use proptest::prelude::*;

use super::*;

const SECONDS: u32 = 1_700_000_000;
const TIME: u64 = SECONDS as u64 * 1_000_000_000;

/// The header of a file, of version 2.`minor`.
pub(super) fn header(
    order: ByteOrder,
    magic: u32,
    minor: u16,
    snapshot: u32,
    link: u32,
) -> Builder {
    let builder = Builder::new(order).u32(magic).u16(2).u16(minor);
    let builder = builder.u32(0).u32(0).u32(snapshot).u32(link);
    builder.end_record()
}

pub(super) fn record(
    builder: Builder,
    fraction: u32,
    captured: u32,
    original: u32,
    bytes: &[u8],
) -> Builder {
    let builder = builder.u32(SECONDS).u32(fraction);
    builder.u32(captured).u32(original).raw(bytes).end_record()
}

#[test]
fn both_byte_orders_and_resolutions_are_read() {
    for order in [ByteOrder::Big, ByteOrder::Little] {
        for (magic, unit) in [(0xa1b2_c3d4, 1000), (0xa1b2_3c4d, 1)] {
            let file = header(order, magic, 4, 65_535, 1);
            let file = record(file, 5, 3, 3, b"one");
            let file = record(file, 999_999, 2, 1500, b"tw");
            let file = record(file, 0, 0, 60, b"");
            let frames = [
                Seen::ethernet(TIME + 5 * unit, b"one"),
                Seen {
                    wire_len: 1500,
                    ..Seen::ethernet(TIME + 999_999 * unit, b"tw")
                },
                Seen {
                    wire_len: 60,
                    ..Seen::ethernet(TIME, b"")
                },
            ];
            let case = format!("{order:?} {magic:x}");
            check(&case, &file.bytes, &frames, End::Clean);
        }
    }
}

#[test]
fn the_modified_form_tells_interface_and_direction() {
    for order in [ByteOrder::Big, ByteOrder::Little] {
        let mut file = header(order, 0xa1b2_cd34, 4, 65_535, 1);
        for packet_type in [0, 4, 9] {
            file = file.u32(SECONDS).u32(1).u32(2).u32(2);
            file = file.u32(7).u16(0x0800).raw(&[packet_type, 0]).raw(b"ab");
        }
        let frame = Seen::ethernet(TIME + 1000, b"ab").on(7, None);
        let frames = [
            frame.clone().outgoing(false),
            frame.clone().outgoing(true),
            frame,
        ];
        check("modified", &file.bytes, &frames, End::Clean);
    }
}

#[test]
fn the_lengths_of_old_versions_are_put_right() {
    for (minor, captured, original) in [(2, 60, 3), (3, 60, 3), (3, 3, 60), (4, 3, 60)] {
        let file = header(ByteOrder::Little, 0xa1b2_c3d4, minor, 65_535, 1);
        let file = record(file, 0, captured, original, b"abc");
        let frame = Seen {
            wire_len: 60,
            ..Seen::ethernet(TIME, b"abc")
        };
        check(&format!("2.{minor}"), &file.bytes, &[frame], End::Clean);
    }
}

#[test]
fn a_length_shorter_than_the_bytes_is_corrected() {
    let file = header(ByteOrder::Little, 0xa1b2_c3d4, 4, 65_535, 1);
    let file = record(file, 0, 3, 0, b"abc");
    check(
        "original 0",
        &file.bytes,
        &[Seen::ethernet(TIME, b"abc")],
        End::Clean,
    );
}

#[test]
fn frame_check_bits_are_not_part_of_the_link_type() {
    let file = header(ByteOrder::Little, 0xa1b2_c3d4, 4, 65_535, 0x4400_0001);
    let file = record(file, 0, 3, 3, b"abc");
    check(
        "FCS",
        &file.bytes,
        &[Seen::ethernet(TIME, b"abc")],
        End::Clean,
    );
}

#[test]
fn a_packet_longer_than_is_believable_is_damage() {
    const MIB: u32 = 1024 * 1024;
    let cases = [
        (65_535, 256 * 1024, true),
        (65_535, 256 * 1024 + 1, false),
        (0, 256 * 1024 + 1, false),
        (MIB, MIB, true),
        (MIB, MIB + 1, false),
        (u32::MAX, 16 * MIB, true),
        (u32::MAX, 16 * MIB + 1, false),
        (u32::MAX, u32::MAX, false),
    ];
    for (snapshot, captured, is_read) in cases {
        let packet = vec![7; captured.min(16 * MIB + 1) as usize];
        let file = header(ByteOrder::Big, 0xa1b2_c3d4, 4, snapshot, 1);
        let file = record(file, 0, 1, 1, b"a");
        let file = record(file, 0, captured, captured, &packet);
        let (seen, result) = read(Cursor::new(file.bytes));
        match result {
            Ok(()) => assert!(is_read && seen[1].bytes == packet, "{snapshot} {captured}"),
            Err(error) => {
                assert!(
                    !is_read && seen.len() == 1,
                    "{snapshot} {captured}: {error}"
                );
                assert_eq!(error.position().unwrap().offset, 24 + 17);
                assert!(matches!(error.problem(), Problem::PacketLength { .. }));
            }
        }
    }
}

#[test]
fn headers_that_cannot_be_read_are_refused() {
    let version = Builder::new(ByteOrder::Big).u32(0xa1b2_c3d4).u16(3).u16(9);
    let version = version.raw(&[0; 16]).bytes;
    let wireless = header(ByteOrder::Big, 0xa1b2_c3d4, 4, 65_535, 105).bytes;
    let cases: [(&[u8], &'static str); 6] = [
        (
            b"GET / HTTP/1.1\r\n",
            "not a pcap or pcapng file, it begins with 47 45 54 20",
        ),
        (&[0x28, 0xb5, 0x2f, 0xfd, 0, 0], "compressed with zstd"),
        (b"BZh91AY", "compressed with bzip2"),
        (&version, "version 3.9 of the pcap format"),
        (&wireless, "link type 105"),
        (b"", "is empty"),
    ];
    for (file, words) in cases {
        check(words, file, &[], End::Damage(0, words));
    }
}

#[test]
fn every_cut_gives_the_packets_before_it() {
    for (magic, extra) in [
        (0xa1b2_c3d4, &b""[..]),
        (0xa1b2_cd34, &b"\0\0\0\0\x08\0\x09\0"[..]),
    ] {
        let mut file = header(ByteOrder::Big, magic, 4, 65_535, 1);
        let mut frames = Vec::new();
        for packet in [&b"first"[..], b"", b"the third"] {
            let length = packet.len() as u32;
            file = record(file, 0, length, length, &[extra, packet].concat());
            let frame = Seen::ethernet(TIME, packet);
            frames.push(if extra.is_empty() {
                frame
            } else {
                frame.on(0, None)
            });
        }
        let (file, boundaries) = (file.bytes, file.boundaries);
        for cut in 0..=file.len() {
            let whole = boundaries.iter().filter(|end| **end <= cut).count();
            let end = match boundaries.iter().rev().find(|end| **end <= cut) {
                _ if cut == 0 => End::Damage(0, "empty"),
                None => End::Damage(0, "file header is cut off"),
                Some(start) if *start < cut => {
                    End::Damage(*start as u64, "packet record is cut off")
                }
                Some(_) => End::Clean,
            };
            let frames = &frames[..whole.saturating_sub(1)];
            check(&format!("cut at {cut}"), &file[..cut], frames, end);
        }
    }
}

#[test]
fn the_writer_refuses_what_a_file_cannot_say() {
    let long = vec![0; PACKET_MAX as usize + 1];
    let too_late = (u64::from(u32::MAX) + 1) * 1_000_000_000;
    let cases: [(u64, &[u8], u32, bool); 5] = [
        (too_late - 1, b"abc", 3, true),
        (too_late, b"abc", 3, false),
        (0, b"abc", 2, false),
        (0, &long[1..], PACKET_MAX, true),
        (0, &long, PACKET_MAX + 1, false),
    ];
    for (time_ns, bytes, wire_len, is_written) in cases {
        let mut writer = PcapWriter::new(Vec::new(), LinkType::Ethernet).unwrap();
        let result = writer.write(time_ns, bytes, wire_len);
        assert_eq!(result.is_ok(), is_written, "{time_ns} {wire_len}");
        let length = writer.finish().unwrap().len();
        assert_eq!(length, if is_written { 40 + bytes.len() } else { 24 });
    }
}

proptest! {
    #[test]
    fn what_was_written_is_read(
        packets in prop::collection::vec(
            (0..u64::from(u32::MAX) * 1_000_000_000, prop::collection::vec(any::<u8>(), 0..200), 0..2000_u32),
            0..30,
        )
    ) {
        let packets: Vec<(u64, &[u8], u32)> = packets
            .iter()
            .map(|(time, bytes, more)| (*time, bytes.as_slice(), bytes.len() as u32 + more))
            .collect();
        let frames: Vec<Seen> = packets
            .iter()
            .map(|(time, bytes, wire_len)| Seen { wire_len: *wire_len, ..Seen::ethernet(*time, bytes) })
            .collect();
        check("round trip", &written(LinkType::Ethernet, &packets), &frames, End::Clean);
    }
}
