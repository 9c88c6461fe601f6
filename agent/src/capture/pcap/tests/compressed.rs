//! gzip: members, optional header fields, damage.

use flate2::GzBuilder;

use super::*;

fn packets() -> (Vec<u8>, Vec<Seen>) {
    let frames = vec![
        Seen::ethernet(1, b"the first packet"),
        Seen::ethernet(2, b"the second packet"),
        Seen::ethernet(3, b"the third packet"),
    ];
    let packets: Vec<(u64, &[u8], u32)> = frames
        .iter()
        .map(|frame| (frame.time_ns, frame.bytes.as_slice(), frame.wire_len))
        .collect();
    (written(LinkType::Ethernet, &packets), frames)
}

fn words(result: Result<(), PcapError>) -> String {
    result.map_or_else(|error| error.to_string(), |()| "clean".to_owned())
}

/// A member whose only block is stored, not compressed, and not the last.
fn stored(bytes: &[u8]) -> Vec<u8> {
    let length = bytes.len() as u16;
    let mut member = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255, 0];
    member.extend(length.to_le_bytes());
    member.extend((!length).to_le_bytes());
    member.extend(bytes);
    member
}

#[test]
fn a_file_in_several_members_is_one_file() {
    let (file, frames) = packets();
    for split in 0..=file.len() {
        let mut compressed = gzip(&file[..split]);
        compressed.extend(gzip(&file[split..]));
        compressed.extend([0; 512]);
        let (seen, result) = read(Cursor::new(compressed));
        assert_eq!(seen, frames, "split at {split}");
        assert!(result.is_ok(), "split at {split}: {result:?}");
    }
}

#[test]
fn optional_header_fields_are_passed_over() {
    let (file, frames) = packets();
    let builder = GzBuilder::new().filename("a name").comment("a comment");
    let mut encoder = builder
        .extra(vec![7; 300])
        .write(Vec::new(), Compression::best());
    encoder.write_all(&file).unwrap();
    let mut compressed = encoder.finish().unwrap();
    // The checksum of the header, which the encoder does not write.
    compressed[3] |= 2;
    let header = 10 + 2 + 300 + "a name\0a comment\0".len();
    compressed.splice(header..header, [0xab, 0xcd]);
    for reader in [
        Box::new(Cursor::new(compressed.clone())) as Box<dyn Read + Send>,
        Box::new(ByteByByte(Cursor::new(compressed))),
    ] {
        let (seen, result) = read(reader);
        assert_eq!(seen, frames);
        assert!(result.is_ok(), "{result:?}");
    }
}

#[test]
fn every_cut_is_an_error_behind_whole_packets() {
    let (file, frames) = packets();
    let compressed = gzip(&file);
    let mut most = 0;
    for cut in 0..compressed.len() {
        let (seen, result) = read(Cursor::new(compressed[..cut].to_vec()));
        assert!(frames.starts_with(&seen), "cut at {cut}");
        assert!(result.is_err(), "cut at {cut}");
        most = most.max(seen.len());
    }
    assert_eq!(most, frames.len(), "a cut in the trailer loses no packet");
}

#[test]
fn no_changed_bit_of_the_data_passes_for_other_packets() {
    let (file, frames) = packets();
    let compressed = gzip(&file);
    for place in 10..compressed.len() {
        for bit in 0..8 {
            let mut damaged = compressed.clone();
            damaged[place] ^= 1 << bit;
            let (seen, result) = read(Cursor::new(damaged));
            // The bits behind the end of the last block mean nothing.
            let unharmed = result.is_ok() && seen == frames;
            assert!(result.is_err() || unharmed, "byte {place}, bit {bit}");
        }
    }
}

#[test]
fn all_packets_before_damage_are_given() {
    let (file, frames) = packets();
    let end = file.len() as u64;
    let sound = stored(&file);
    let impossible_block = [&sound[..], &[0x07, 0, 0, 0, 0]].concat();
    let cut = sound.clone();
    let empty_last_block = [&sound[..], &[1, 0, 0, 0xff, 0xff]].concat();
    let wrong_checksum = [&empty_last_block[..], &[0; 8]].concat();
    let whole = gzip(&file);
    let other_method = [&whole[..], &[0x1f, 0x8b, 7, 0]].concat();
    let something_else = [&whole[..], b"\0\0something else"].concat();
    let cases = [
        (impossible_block, "makes no sense"),
        (cut, "cut off"),
        (wrong_checksum, "checksum"),
        (other_method, "method"),
        (something_else, "something else follows"),
    ];
    for (compressed, expected) in cases {
        let (seen, result) = read(Cursor::new(compressed));
        assert_eq!(seen, frames, "{expected}");
        let position = result.as_ref().unwrap_err().position().unwrap();
        assert_eq!(position.offset, end, "{expected}");
        let words = words(result);
        assert!(words.contains(expected), "{words}");
        assert!(words.contains("behind 3 packets"), "{words}");
    }
}
