//! The pcapng format, block by block.

use super::*;

pub(super) const ORDERS: [ByteOrder; 2] = [ByteOrder::Big, ByteOrder::Little];

impl Builder {
    /// A block with its two lengths.
    pub(super) fn block(self, kind: u32, body: &[u8]) -> Self {
        let padding = body.len().next_multiple_of(4) - body.len();
        let length = (body.len() + padding + 12) as u32;
        let block = self.u32(kind).u32(length).raw(body);
        block.raw(&[0; 3][..padding]).u32(length).end_record()
    }

    /// What `fill` puts together, in this byte order.
    pub(super) fn part(&self, fill: impl FnOnce(Self) -> Self) -> Vec<u8> {
        fill(Self::new(self.order)).bytes
    }

    pub(super) fn section(self, minor: u16) -> Self {
        let body = self.part(|part| {
            let part = part.u32(0x1a2b_3c4d).u16(1).u16(minor);
            part.raw(&[0xff; 8]).option(4, b"a test")
        });
        self.block(0x0a0d_0d0a, &body)
    }

    pub(super) fn interface(self, link: u16, snapshot: u32, options: &[(u16, &[u8])]) -> Self {
        let body = self.part(|part| {
            let part = part.u16(link).u16(0).u32(snapshot);
            let part = options
                .iter()
                .fold(part, |part, (code, value)| part.option(*code, value));
            part.u32(0)
        });
        self.block(1, &body)
    }

    /// An option with its padding.
    pub(super) fn option(self, code: u16, value: &[u8]) -> Self {
        let padding = value.len().next_multiple_of(4) - value.len();
        let option = self.u16(code).u16(value.len() as u16).raw(value);
        option.raw(&[0; 3][..padding])
    }

    pub(super) fn enhanced(
        self,
        interface: u32,
        time: u64,
        original: u32,
        bytes: &[u8],
        flags: Option<u32>,
    ) -> Self {
        let body = self.part(|part| {
            let part = part
                .u32(interface)
                .u32((time >> 32) as u32)
                .u32(time as u32);
            part.packet(original, bytes, flags)
        });
        self.block(6, &body)
    }

    pub(super) fn obsolete(
        self,
        interface: u16,
        time: u64,
        original: u32,
        bytes: &[u8],
        flags: Option<u32>,
    ) -> Self {
        let body = self.part(|part| {
            let part = part.u16(interface).u16(0xffff);
            let part = part.u32((time >> 32) as u32).u32(time as u32);
            part.packet(original, bytes, flags)
        });
        self.block(2, &body)
    }

    pub(super) fn simple(self, original: u32, bytes: &[u8]) -> Self {
        let body = self.part(|part| part.u32(original).raw(bytes));
        self.block(3, &body)
    }

    fn packet(self, original: u32, bytes: &[u8], flags: Option<u32>) -> Self {
        let padding = bytes.len().next_multiple_of(4) - bytes.len();
        let packet = self.u32(bytes.len() as u32).u32(original);
        let packet = packet.raw(bytes).raw(&[0; 3][..padding]);
        match flags {
            None => packet,
            Some(flags) => {
                let value = packet.part(|part| part.u32(flags));
                packet.option(1, b"comment").option(2, &value).u32(0)
            }
        }
    }
}

/// A file with every kind of block, and its frames with the ends of their blocks.
pub(super) fn every_block(order: ByteOrder) -> (Builder, Vec<(usize, Seen)>) {
    let mut frames = Vec::new();
    let file = Builder::new(order).section(0);
    let file = file.interface(1, 262_144, &[(2, b"eth0"), (9, &[9])]);
    let file = file.interface(101, 0, &[(2, b"tun\0\0")]);

    let file = file.enhanced(0, 1_700_000_000_123_456_789, 60, b"enhanced", Some(2));
    let frame = Seen {
        wire_len: 60,
        ..Seen::ethernet(1_700_000_000_123_456_789, b"enhanced")
    };
    frames.push((file.bytes.len(), frame.on(0, Some("eth0")).outgoing(true)));

    let file = file.block(0x0bad, b"nobody knows this block").block(5, b"");
    let file = file.obsolete(1, 1_700_000_000_123_456, 5, b"\x45 IP!", Some(1));
    let frame = Seen {
        link: Link::Network { ethertype: 0x0800 },
        ..Seen::ethernet(1_700_000_000_123_456_000, b"\x45 IP!")
    };
    frames.push((file.bytes.len(), frame.on(1, Some("tun")).outgoing(false)));

    let file = file.simple(6, b"simple");
    let frame = Seen::ethernet(0, b"simple").on(0, Some("eth0"));
    frames.push((file.bytes.len(), frame));

    // A second section begins anew.
    let file = file.section(2).interface(1, 4, &[]);
    let file = file.simple(60, b"simp");
    let frame = Seen {
        wire_len: 60,
        ..Seen::ethernet(0, b"simp")
    };
    frames.push((file.bytes.len(), frame.on(0, None)));
    let file = file.enhanced(0, 1_700_000_000_000_001, 0, b"", Some(0));
    let frame = Seen::ethernet(1_700_000_000_000_001_000, b"");
    frames.push((file.bytes.len(), frame.on(0, None)));
    (file, frames)
}

#[test]
fn every_block_is_read() {
    for order in ORDERS {
        let (file, frames) = every_block(order);
        let frames: Vec<Seen> = frames.into_iter().map(|(_, frame)| frame).collect();
        check(&format!("{order:?}"), &file.bytes, &frames, End::Clean);
    }
}

#[test]
fn a_section_may_have_another_byte_order() {
    for orders in [ORDERS, [ByteOrder::Little, ByteOrder::Big]] {
        let mut bytes = Vec::new();
        for order in orders {
            let file = Builder::new(order).section(0).interface(1, 0, &[]);
            bytes.extend(file.enhanced(0, 7, 1, b"x", None).bytes);
        }
        let frame = Seen::ethernet(7000, b"x").on(0, None);
        check("two orders", &bytes, &[frame.clone(), frame], End::Clean);
    }
}

#[test]
fn every_cut_gives_the_packets_before_it() {
    for order in ORDERS {
        let (file, frames) = every_block(order);
        for cut in 0..=file.bytes.len() {
            let whole: Vec<Seen> = frames
                .iter()
                .filter(|(end, _)| *end <= cut)
                .map(|(_, frame)| frame.clone())
                .collect();
            let start = file.boundaries.iter().rev().find(|end| **end <= cut);
            let end = match start.copied().unwrap_or(0) {
                _ if cut == 0 => End::Damage(0, "empty"),
                _ if cut < 4 => End::Damage(0, "file header is cut off"),
                start if start < cut => End::Damage(start as u64, "block is cut off"),
                _ => End::Clean,
            };
            check(&format!("cut at {cut}"), &file.bytes[..cut], &whole, end);
        }
    }
}

#[test]
fn packets_of_other_link_types_are_counted() {
    let file = |others: bool| {
        let file = Builder::new(ByteOrder::Little).section(0);
        let file = file.interface(105, 0, &[]).interface(1, 0, &[]);
        let file = file.enhanced(0, 1, 1, b"w", None);
        if others {
            file.enhanced(1, 1, 1, b"e", None)
        } else {
            file
        }
    };
    for (others, frames) in [(true, 1), (false, 0)] {
        let mut capture =
            CaptureFile::from_reader("test", Cursor::new(file(others).bytes)).unwrap();
        let mut given = 0;
        while let Some(frame) = capture.next().unwrap() {
            assert_eq!(frame.bytes, b"e");
            given += 1;
        }
        assert_eq!((given, capture.skipped()), (frames, 1));
    }
}

#[test]
fn a_file_with_no_other_link_type_is_an_error() {
    let file = Builder::new(ByteOrder::Big).section(0).block(5, b"");
    let described_at = file.bytes.len() as u64;
    let file = file.interface(105, 0, &[]).interface(195, 0, &[]);
    check("no packet", &file.bytes, &[], End::Clean);
    let file = file.enhanced(1, 1, 1, b"w", None);
    let end = End::Damage(described_at, "link type 105 is not read");
    check("one packet", &file.bytes, &[], end);
}

#[test]
fn damaged_blocks_are_named_with_their_place() {
    for order in ORDERS {
        let good = || {
            let file = Builder::new(order).section(0).interface(1, 0, &[]);
            file.enhanced(0, 1, 1, b"x", None)
        };
        let frame = Seen::ethernet(1000, b"x").on(0, None);
        let packet = |captured: u32, body: &[u8]| {
            good().part(|part| {
                let part = part.u32(0).u32(0).u32(0).u32(captured).u32(captured);
                part.raw(body)
            })
        };
        let options = |part: Builder| part.u32(1).u32(0).u16(2).u16(9).raw(b"eth0");
        let section = |mark: u32, major: u16, minor: u16| {
            good().part(|part| part.u32(mark).u16(major).u16(minor).raw(&[0xff; 8]))
        };
        let cases: [(&'static str, Builder); 14] = [
            (
                "a block of 8 bytes is impossible: it is too short",
                good().u32(7).u32(8).u32(8),
            ),
            (
                "a block of 13 bytes is impossible: it is no multiple",
                good().u32(7).u32(13).raw(&[0; 9]),
            ),
            (
                "it ends with another length",
                good().u32(7).u32(16).u32(0).u32(12),
            ),
            (
                "it ends with another length",
                good().u32(3).u32(16).u32(0).u32(20),
            ),
            (
                "a block of 28 bytes is impossible: it is too short",
                good().block(6, &[0; 16]),
            ),
            (
                "a block of 12 bytes is impossible: it is too short",
                good().block(3, b""),
            ),
            (
                "a block of 16 bytes is impossible: it is too short",
                good().block(1, &[0; 4]),
            ),
            (
                "the packet in it is longer",
                good().block(6, &packet(5, b"four")),
            ),
            (
                "a packet of 262145 bytes is claimed",
                good().block(6, &packet(262_145, b"")),
            ),
            (
                "interface 1, but only 1 are described",
                good().enhanced(1, 1, 1, b"x", None),
            ),
            (
                "an option runs past its block",
                good().block(1, &good().part(options)),
            ),
            (
                "byte-order mark",
                good().block(0x0a0d_0d0a, &section(0x1a2b_3c4e, 1, 0)),
            ),
            (
                "version 2.0 of the pcapng",
                good().block(0x0a0d_0d0a, &section(0x1a2b_3c4d, 2, 0)),
            ),
            (
                "version 1.1 of the pcapng",
                good().block(0x0a0d_0d0a, &section(0x1a2b_3c4d, 1, 1)),
            ),
        ];
        for (words, file) in cases {
            let damage = End::Damage(good().bytes.len() as u64, words);
            check(words, &file.bytes, std::slice::from_ref(&frame), damage);
        }
    }
}

#[test]
fn a_packet_before_any_interface_is_damage() {
    for file in [
        Builder::new(ByteOrder::Big).section(0).simple(1, b"x"),
        Builder::new(ByteOrder::Big)
            .section(0)
            .obsolete(0, 0, 1, b"x", None),
    ] {
        let end = End::Damage(file.boundaries[0] as u64, "names interface 0");
        check("no interface", &file.bytes, &[], end);
    }
}

#[test]
fn damaged_options_take_nothing_from_a_packet() {
    let body = |part: Builder| {
        let part = part.u32(0).u32(0).u32(1).u32(4).u32(4).raw(b"data");
        part.u16(2).u16(400).u32(2)
    };
    let file = Builder::new(ByteOrder::Little)
        .section(0)
        .interface(1, 0, &[]);
    let body = file.part(body);
    let file = file.block(6, &body);
    let frame = Seen::ethernet(1000, b"data").on(0, None);
    check("option too long", &file.bytes, &[frame], End::Clean);
}

#[test]
fn names_are_kept_short() {
    let long = "é".repeat(1000);
    let file = Builder::new(ByteOrder::Little).section(0);
    let file = file.interface(1, 0, &[(2, long.as_bytes())]);
    let file = file.interface(1, 0, &[(2, b"bad \xff")]);
    let file = file
        .enhanced(0, 1, 1, b"x", None)
        .enhanced(1, 1, 1, b"x", None);
    let frame = Seen::ethernet(1000, b"x");
    let frames = [
        frame.clone().on(0, Some(&long[..128])),
        frame.on(1, Some("bad \u{fffd}")),
    ];
    check("names", &file.bytes, &frames, End::Clean);
}

#[test]
fn a_section_has_a_limit_of_interfaces() {
    let mut file = Builder::new(ByteOrder::Little).section(0);
    for _ in 0..65_536 {
        file = file.interface(1, 0, &[]);
    }
    let file = file.enhanced(65_535, 1, 1, b"x", None);
    let place = file.bytes.len() as u64;
    let file = file.interface(1, 0, &[]);
    let (seen, result) = read(Cursor::new(file.bytes));
    assert_eq!(seen, [Seen::ethernet(1000, b"x").on(65_535, None)]);
    let error = result.unwrap_err();
    assert_eq!(error.position().unwrap().offset, place);
    assert!(matches!(error.problem(), Problem::TooManyInterfaces { .. }));
}
