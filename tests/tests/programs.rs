//! The kernel programs by themselves: what the verifier walks, what they make of single packets, and
//! that it is what the agent's own copy of the classifier makes of them.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::collections::HashMap;

use agent_common::counters::{Counters, Escalated, Ignored, Lost, Protocol};
use agent_common::flow::FlowRecord;
use agent_common::frame::{self, TcpSegment, tcp_flags};
use agent_common::record::{FIRST_POSITION, PIECE_MAX, RecordHeader, VERSION, flag};
use agent_common::ring::footprint;
use agent_common::settings::Settings;
use tapline::capture::flows::Taken;
use tapline::capture::flows::table::SLICE;
use tapline_tests::support::{
    Kernel, KernelProgram, PROGRAMS, RING, ROOMY, Record, check_verified, same_records,
};

#[test]
fn the_verifier_walks_no_more_than_the_caps() {
    for verbose in [false, true] {
        check_verified(&PROGRAMS, Settings::DEFAULT, verbose);
    }
}

#[test]
fn kernel_and_agent_make_the_same_of_the_same_packets() {
    let kernel = check_verified(&PROGRAMS, ROOMY, false);
    same_records(kernel, &PROGRAMS, 200);
}

const GET: &[u8] = b"GET /a HTTP/1.1\r\nHost: a.example\r\n\r\n";
const POST: &[u8] = b"POST /f HTTP/1.1\r\nContent-Length: 9\r\n\r\na=1&b=2&c";
const POST_HEAD: usize = POST.len() - 9;
const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";

/// What a packet must give.
struct Expected {
    /// Records: captured bytes, and flags.
    records: Vec<(Vec<u8>, u16)>,
    /// What is counted beside packets, bytes and records; of TCP one new connection unless told
    /// otherwise here.
    count: fn(&mut Counters),
    /// The protocol it is counted as, and whether it is looked for in the connection table.
    protocol: Protocol,
}

impl Expected {
    fn records(records: Vec<(Vec<u8>, u16)>) -> Self {
        Self {
            records,
            count: |counters| counters.candidates = 1,
            protocol: Protocol::Tcp,
        }
    }

    fn nothing(protocol: Protocol, count: fn(&mut Counters)) -> Self {
        Self {
            records: Vec::new(),
            count,
            protocol,
        }
    }
}

/// One program, and packets one by one, each on a connection of its own.
struct Check {
    kernel: Kernel,
    program: KernelProgram,
    port: u16,
}

impl Check {
    fn new(program: KernelProgram) -> Self {
        let settings = Settings {
            bucket_mask: 1023,
            flow_mask: 1023,
            ..Settings::DEFAULT
        };
        let mut kernel = Kernel::load(settings, false);
        kernel.verify(program).unwrap();
        Self {
            kernel,
            program,
            port: 5_000,
        }
    }

    /// A segment with `payload` over IPv4 or IPv6. The addresses are such that a packet without a link
    /// header has its EtherType where the kernel looks for it.
    fn segment(&mut self, six: bool, payload: &[u8]) -> (u16, Vec<u8>) {
        self.port += 1;
        let (source, destination) = if six {
            (
                [0x2001, 0xdb8, 0x86dd, 0, 0, 0, 0, 1].into(),
                [0x2001, 0xdb8, 0x86dd, 0, 0, 0, 0, 2].into(),
            )
        } else {
            ([8, 0, 0, 1].into(), [8, 0, 0, 2].into())
        };
        TcpSegment {
            source: std::net::SocketAddr::new(source, self.port),
            destination: std::net::SocketAddr::new(destination, 80),
            sequence: 1_000,
            flags: tcp_flags::ACK,
            payload,
        }
        .packet()
    }

    /// A packet as the program is shown it: in a frame, where it looks at frames.
    fn framed(&self, (ethertype, packet): &(u16, Vec<u8>)) -> Vec<u8> {
        if self.program.takes_network_packets() {
            packet.clone()
        } else {
            frame::ethernet(*ethertype, packet)
        }
    }

    /// Shows one packet, whose IP length is `network`, and compares all that comes of it, byte by byte.
    fn packet(
        &mut self,
        what: &str,
        (ethertype, shown): (u16, &[u8]),
        network: usize,
        expected: &Expected,
    ) {
        let what = format!("{}, {what}", self.program.name);
        let before = self.kernel.counters();
        assert!(
            self.kernel.run(self.program, ethertype, shown),
            "{what}: the kernel takes no such packet"
        );
        let records = self.kernel.records();
        let got: Vec<(Vec<u8>, u16)> = records
            .iter()
            .map(|record| (record.bytes.clone(), record.header.flags))
            .collect();
        assert_eq!(got, expected.records, "{what}");
        self.check_headers(&what, &records);

        let side = usize::from(self.program.origin(ethertype).outgoing);
        let mut wanted = Counters {
            connections: u64::from(matches!(expected.protocol, Protocol::Tcp)),
            flows: u64::from(!matches!(expected.protocol, Protocol::Other)),
            ..Counters::default()
        };
        (expected.count)(&mut wanted);
        wanted.packets[side][expected.protocol as usize] = 1;
        // Packets that cannot be read count with all their bytes.
        wanted.bytes[side][expected.protocol as usize] = match expected.protocol {
            Protocol::Other => shown.len() as u64,
            _ => network as u64,
        };
        wanted.records = expected.records.len() as u64;
        let counted = difference(&self.kernel.counters(), &before);
        assert_eq!(counted, difference(&wanted, &Counters::default()), "{what}");
    }

    fn check_headers(&self, what: &str, records: &[Record]) {
        let mut position = FIRST_POSITION;
        let total: usize = records.iter().map(|record| record.bytes.len()).sum();
        for (number, Record { header, .. }) in records.iter().enumerate() {
            assert_eq!(header.version, VERSION, "{what}");
            assert_eq!(header.position, position, "{what}");
            assert!(
                header.segment_end >= FIRST_POSITION + total as u64,
                "{what}"
            );
            assert_eq!(header.hole_start, 0, "{what}");
            assert_eq!(header.destination_port_be, 80_u16.to_be_bytes(), "{what}");
            assert_eq!(header.source_port_be, self.port.to_be_bytes(), "{what}");
            let mapped = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 8, 0, 0];
            let six = [0x20, 1, 0xd, 0xb8, 0x86, 0xdd, 0, 0, 0, 0, 0, 0, 0, 0, 0];
            assert!(
                [mapped, six].contains(&header.source[..15].try_into().unwrap()),
                "{what}"
            );
            assert_eq!(
                (header.source[15], header.destination[15]),
                (1, 2),
                "{what}"
            );
            assert_eq!(header.side, 0, "{what}");
            assert_eq!(header.ifindex, 1, "{what}");
            assert_eq!(header.direction_record as usize, number + 1, "{what}");
            assert_eq!(
                header.captured as usize,
                records[number].bytes.len(),
                "{what}"
            );
            assert!(header.time_ns > 0, "{what}");
            position += u64::from(header.captured);
        }
    }

    fn all(&mut self) {
        let outgoing = if self.program.origin(0).outgoing {
            flag::OUTGOING
        } else {
            0
        };
        let head = flag::START | flag::HEAD_END | outgoing;
        for six in [false, true] {
            let get = self.segment(six, GET);
            let shown = self.framed(&get);
            let whole = Expected::records(vec![(GET.to_vec(), head)]);
            self.packet("GET", (get.0, &shown), get.1.len(), &whole);

            let get = self.segment(six, GET);
            let mut longer = self.framed(&get);
            // Padding of the link belongs to no payload.
            longer.extend([0; 6]);
            let padded = Expected::records(vec![(GET.to_vec(), head)]);
            self.packet("padded", (get.0, &longer), get.1.len(), &padded);

            let post = self.segment(six, POST);
            let shown = self.framed(&post);
            let only_head = Expected::records(vec![(POST[..POST_HEAD].to_vec(), head)]);
            self.packet("POST", (post.0, &shown), post.1.len(), &only_head);

            self.answers(six, outgoing);

            let ack = self.segment(six, b"");
            let shown = self.framed(&ack);
            // Not worth a place in the table: nothing of it is remembered.
            self.packet(
                "ACK",
                (ack.0, &shown),
                ack.1.len(),
                &Expected::nothing(Protocol::Tcp, |counters| counters.connections = 0),
            );

            let body = self.segment(six, &[b'{'; 1_000]);
            let shown = self.framed(&body);
            self.packet(
                "body",
                (body.0, &shown),
                body.1.len(),
                &Expected::nothing(Protocol::Tcp, |_| {}),
            );

            let tls = self.segment(six, b"\x16\x03\x01\x00\x2a\x01\x00\x00\x26\x03\x03");
            let shown = self.framed(&tls);
            let count: fn(&mut Counters) = |counters| counters.ignored[Ignored::Tls as usize] = 1;
            self.packet(
                "TLS",
                (tls.0, &shown),
                tls.1.len(),
                &Expected::nothing(Protocol::Tcp, count),
            );

            self.long_head(six, outgoing);
        }
        self.cut();
        if !self.program.takes_network_packets() {
            self.frames(head);
        }
    }

    /// Responses whose requests were sent before anything was seen: the whole packet, however many there are.
    fn answers(&mut self, six: bool, outgoing: u16) {
        for count in 1..4 {
            let answers = ANSWER.repeat(count);
            let packet = self.segment(six, &answers);
            let shown = self.framed(&packet);
            let all = flag::START | flag::ALL | outgoing;
            let expected = Expected {
                count: |counters| {
                    counters.candidates = 1;
                    counters.escalated[Escalated::Unasked as usize] = 1;
                },
                ..Expected::records(vec![(answers, all)])
            };
            let what = format!("{count} responses");
            self.packet(&what, (packet.0, &shown), packet.1.len(), &expected);
        }
    }

    /// A head longer than one piece comes in two.
    fn long_head(&mut self, six: bool, outgoing: u16) {
        let mut long = b"GET /long HTTP/1.1\r\nCookie: ".to_vec();
        long.resize(PIECE_MAX + 500, b'c');
        long.extend(b"\r\n\r\n");
        let segment = self.segment(six, &long);
        let shown = self.framed(&segment);
        let expected = Expected {
            count: |counters| {
                counters.candidates = 1;
                counters.budget_used = 504;
            },
            ..Expected::records(vec![
                (
                    long[..PIECE_MAX].to_vec(),
                    flag::START | flag::MORE | outgoing,
                ),
                (long[PIECE_MAX..].to_vec(), flag::HEAD_END | outgoing),
            ])
        };
        self.packet("long head", (segment.0, &shown), segment.1.len(), &expected);
    }

    /// A packet that ends before the length that it names is refused, wherever it ends.
    fn cut(&mut self) {
        let get = self.segment(false, GET);
        let whole = self.framed(&get);
        // The kernel itself takes no frame that is shorter than its Ethernet and IP header.
        for length in 34..whole.len() {
            let count: fn(&mut Counters) =
                |counters| counters.ignored[Ignored::BadLength as usize] = 1;
            let nothing = Expected::nothing(Protocol::Other, count);
            self.packet(
                &format!("cut at {length}"),
                (get.0, &whole[..length]),
                0,
                &nothing,
            );
        }
    }

    fn frames(&mut self, head: u16) {
        let (ethertype, packet) = self.segment(false, GET);
        let tagged = frame::ethernet(frame::VLAN, &frame::vlan(77, ethertype, &packet));
        let expected = Expected::records(vec![(GET.to_vec(), head)]);
        self.packet("VLAN", (frame::VLAN, &tagged), packet.len(), &expected);

        let arp = frame::ethernet(0x0806, &[0x11; 28]);
        let count: fn(&mut Counters) = |counters| counters.ignored[Ignored::NotIp as usize] = 1;
        self.packet(
            "ARP",
            (0x0806, &arp),
            0,
            &Expected::nothing(Protocol::Other, count),
        );

        let noise = frame::ethernet(frame::IPV4, &[0xff; 60]);
        let count: fn(&mut Counters) = |counters| counters.ignored[Ignored::BadHeader as usize] = 1;
        self.packet(
            "noise",
            (frame::IPV4, &noise),
            0,
            &Expected::nothing(Protocol::Other, count),
        );
    }
}

#[test]
fn each_packet_gives_its_records_and_counts_and_is_left_as_it_is() {
    for program in PROGRAMS {
        Check::new(program).all();
    }
}

/// Heads of many lengths, several times around a ring and across the ends of its segments: every byte comes.
#[test]
fn records_come_whole_from_everywhere_in_a_ring() {
    let mut check = Check::new(PROGRAMS[0]);
    let mut heads = Vec::new();
    let mut written = HashMap::<u32, u64>::new();
    for number in 0..6_000_u32 {
        let mut head = format!("GET /{number} HTTP/1.1\r\nCookie: ").into_bytes();
        head.resize(
            60 + number as usize * 37 % 1_950,
            b'a' + (number % 26) as u8,
        );
        head.extend(b"\r\n\r\n");
        let segment = check.segment(false, &head);
        let shown = check.framed(&segment);
        assert!(check.kernel.run(check.program, segment.0, &shown));
        heads.push(head);
        if heads.len() < 100 {
            continue;
        }
        let records = check.kernel.records();
        assert_eq!(records.len(), heads.len());
        for (record, head) in records.iter().zip(heads.drain(..)) {
            assert!(record.bytes == head, "head of {} bytes", head.len());
            let length = size_of::<RecordHeader>() + head.len();
            *written.entry(record.header.cpu).or_default() += u64::from(footprint(length as u32));
        }
    }
    let most = written.into_values().max().unwrap();
    assert!(
        most > 4 * u64::from(RING),
        "{most} bytes in a ring at the most"
    );
    let lost = check.kernel.counters().lost;
    assert_eq!(lost[Lost::Ring as usize], 0);
}

/// Datagrams, each a flow of its own, and what a reader makes of them: every packet is in a flow that was
/// found or sent, or was counted as left out.
#[test]
fn the_table_of_flows_is_read_in_slices_and_no_packet_is_lost_to_the_account() {
    let settings = Settings {
        flow_mask: 1023,
        ..Settings::DEFAULT
    };
    let mut kernel = Kernel::load(settings, false);
    kernel.verify(PROGRAMS[0]).unwrap();
    let mut table = kernel.flow_table(settings);
    let mut flows = HashMap::new();
    let mut note = |record: &FlowRecord| {
        let packets = record.packets[0] + record.packets[1];
        flows.insert((record.slot, record.generation), packets);
    };
    let mut shown = 0_u64;
    for (host, ports) in [(1, 2_000), (2, 20_000)] {
        for port in 0..ports {
            let datagram = frame::udp([20_000 + port, 53], b"question");
            let (from, to) = ([10, 0, 0, host].into(), [10, 0, 1, 1].into());
            let packet = frame::ipv4(from, to, frame::UDP, &datagram);
            let shown_frame = frame::ethernet(frame::IPV4, &packet);
            assert!(kernel.run(PROGRAMS[0], frame::IPV4, &shown_frame));
            shown += 1;
            // The ring is small: it is read now and then.
            if port % 1_000 == 0 {
                assert_eq!(kernel.records().len(), 0);
            }
        }
        kernel.records();
        kernel.sent_flows().iter().for_each(&mut note);
        // One slice after another; all of it is taken as final.
        let mut slices = 1;
        let mut found = 0;
        let mut visit = |record: &FlowRecord, news: bool| {
            assert!(news, "{record:#?}");
            found += 1;
            note(record);
            Taken::Final
        };
        while !table.read_slice(&mut visit).unwrap().last {
            slices += 1;
        }
        assert_eq!(slices, 1024 / SLICE);
        assert!(found >= 1_900, "{found} flows found");
    }
    let counters = kernel.counters();
    let in_flows: u64 = flows.values().sum();
    assert_eq!(in_flows + counters.packets_left_out, shown);
    assert_eq!(counters.flows, shown);
    // Those that were taken as final were not sent again when the flood drove them out.
    let sent = counters.records + counters.flows_left_out;
    assert!(counters.flows_evicted > sent, "{counters:#?}");
}

/// What was counted in between, as text that names every count but the span of the budget.
fn difference(after: &Counters, before: &Counters) -> String {
    let words = |counters: &Counters| -> Vec<u64> {
        let mut words = Vec::new();
        words.extend(counters.packets.as_flattened());
        words.extend(counters.bytes.as_flattened());
        words.extend(counters.ignored);
        words.extend(counters.lost);
        words.extend(counters.lost_bytes);
        words.extend(counters.escalated);
        words.extend([
            counters.candidates,
            counters.records,
            counters.retransmitted,
            counters.evicted,
            counters.connections,
            counters.first_fragments,
            counters.tunnelled,
            counters.flows,
            counters.flows_evicted,
            counters.flows_left_out,
            counters.packets_left_out,
        ]);
        words
    };
    let pairs = words(after).into_iter().zip(words(before));
    format!(
        "{:?}",
        pairs
            .map(|(after, before)| after - before)
            .collect::<Vec<_>>()
    )
}
