//! Arbitrary and damaged bytes: no panic, no endless loop, no memory that the bytes do not pay for.

use proptest::prelude::*;

use super::*;

/// The buffer that every reader begins with.
const FIRST_BUFFER: usize = 256 * 1024;

/// Reads all and holds every promise that does not depend on the content.
fn read_hostile(file: &[u8]) {
    let length = file.len();
    let Ok(mut capture) = CaptureFile::from_reader("test", Cursor::new(file.to_vec())) else {
        return;
    };
    let (mut bytes, mut packets) = (0, 0);
    loop {
        match capture.next() {
            Ok(Some(frame)) => {
                assert!(frame.wire_len as usize >= frame.bytes.len());
                assert!(i64::try_from(frame.time_ns).is_ok());
                bytes += frame.bytes.len();
                packets += 1;
            }
            Ok(None) => break,
            Err(error) => {
                let position = error.position().expect("a place");
                if position.compressed_offset.is_none() {
                    assert!(position.offset <= length as u64);
                }
                assert_eq!(error.packets(), packets);
                assert!(!error.to_string().contains('\n'));
                break;
            }
        }
    }
    if !file.starts_with(&gzip::MAGIC) {
        assert!(
            bytes + packets as usize * 16 <= length,
            "no byte is given twice"
        );
        assert!(capture.input.capacity() <= FIRST_BUFFER.max(2 * length));
    }
}

/// Files whose beginnings are right, so that what follows is looked at.
fn sound_files() -> Vec<Vec<u8>> {
    let packet: &[u8] = b"\x45 some bytes of a packet";
    let mut files: Vec<Vec<u8>> = [0, 1, 12, 101, 108, 113, 228, 229, 239, 276]
        .into_iter()
        .map(|number| {
            let link_type = LinkType::from_number(number).unwrap();
            written(link_type, &[(1, packet, 60), (2, packet, 24), (3, b"", 0)])
        })
        .collect();
    for order in pcapng::ORDERS {
        files.push(pcapng::every_block(order).0.bytes);
        let file = classic::header(order, 0xa1b2_cd34, 3, u32::MAX, 1);
        files.push(file.raw(&[0; 24 * 5]).bytes);
    }
    let compressed: Vec<Vec<u8>> = files.iter().map(|file| gzip(file)).collect();
    files.extend(compressed);
    files
}

#[test]
fn any_single_byte_may_be_anything() {
    for file in sound_files() {
        for place in 0..file.len() {
            for value in [0, 0x80, 0xff, file[place] ^ 1] {
                let mut damaged = file.clone();
                damaged[place] = value;
                read_hostile(&damaged);
            }
        }
    }
}

#[test]
fn a_claimed_length_costs_no_memory() {
    let classic = classic::header(ByteOrder::Little, 0xa1b2_c3d4, 4, u32::MAX, 1);
    let classic = classic::record(classic, 0, PACKET_MAX_DECLARED, 0, b"but little follows");
    let pcapng = Builder::new(ByteOrder::Little)
        .section(0)
        .interface(1, u32::MAX, &[]);
    let pcapng = pcapng.u32(1).u32(PACKET_MAX_DECLARED).u32(1);
    let skipped = Builder::new(ByteOrder::Little).section(0);
    let skipped = skipped.u32(0x0bad).u32(u32::MAX - 3).raw(&[0; 300_000]);
    for file in [classic, pcapng, skipped] {
        let mut capture = CaptureFile::from_reader("test", Cursor::new(file.bytes)).unwrap();
        assert!(capture.next().is_err());
        assert_eq!(capture.input.capacity(), FIRST_BUFFER);
    }
}

#[test]
fn the_buffer_does_not_grow_with_the_file() {
    let packet = vec![7; 60_000];
    let packets = vec![(1, packet.as_slice(), 60_000); 200];
    let file = written(LinkType::Ethernet, &packets);
    let mut capture = CaptureFile::from_reader("test", Cursor::new(file)).unwrap();
    let mut given = 0;
    while let Some(frame) = capture.next().unwrap() {
        assert_eq!(frame.bytes, packet);
        given += 1;
    }
    assert_eq!(given, 200);
    assert_eq!(capture.input.capacity(), FIRST_BUFFER);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn arbitrary_bytes_are_survived(
        beginning in prop::sample::select(sound_files()),
        keep in 0..400_usize,
        bytes in prop::collection::vec(any::<u8>(), 0..400),
    ) {
        let keep = keep.min(beginning.len());
        read_hostile(&bytes);
        read_hostile(&[&beginning[..keep], &bytes].concat());
    }

    #[test]
    fn damaged_files_are_survived(
        file in prop::sample::select(sound_files()),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut file = file;
        for (place, value) in changes {
            let place = place.index(file.len());
            file[place] = value;
        }
        file.truncate(cut.index(file.len()) + 1);
        read_hostile(&file);
    }
}
