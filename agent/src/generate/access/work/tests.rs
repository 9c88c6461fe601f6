use super::*;
use crate::generate::access::config::{AccessConfig, LineFormat, Source, read};

fn material(text: &str, format: LineFormat, is_full_house: bool) -> Material {
    let config: AccessConfig = read(&Source::Shipped, text.as_bytes()).unwrap().config;
    let world = Arc::new(World::new(&config, Seed(7)));
    Material {
        style: Arc::new(Style::new(format, &world, "https://example.com")),
        world,
        seed: Seed(7),
        is_full_house,
        begin: 1_700_000_000 * 1_000_000_000,
        needed: if is_full_house { f64::INFINITY } else { 60.0 },
        with_errors: true,
    }
}

/// The lines of both logs, asked for in stretches of these lengths.
fn made(material: &Material, jobs: usize, lengths: &[u32]) -> (Vec<u8>, Vec<u8>, u64) {
    let mut makers = Makers::start(material, jobs).unwrap();
    let (mut access, mut errors, mut lines) = (Vec::new(), Vec::new(), 0);
    let mut take = |makers: &mut Makers, pending: usize| {
        while makers.pending() > pending {
            let block = makers.take().unwrap();
            access.extend_from_slice(&block.access);
            errors.extend_from_slice(&block.errors);
            lines += u64::from(block.lines);
            makers.give_back(block);
        }
    };
    for (number, length) in lengths.iter().enumerate() {
        let second = 1_700_000_000 + number as i64;
        makers.ask(Stretch::at(second * 1_000_000_000, *length));
        take(&mut makers, 5);
    }
    take(&mut makers, 0);
    let tally = makers.finish();
    assert!(tally.iter().flatten().sum::<u64>() > 0);
    (access, errors, lines)
}

#[test]
fn the_same_whatever_the_number_of_threads() {
    let check = |is_full_house: bool| {
        let material = material(
            "session: {concurrent_users: 500}",
            LineFormat::Combined,
            is_full_house,
        );
        let one = made(&material, 1, &[2000; 20]);
        assert_eq!(one.2, 40_000);
        for jobs in [2, 3, 8, 100] {
            assert_eq!(made(&material, jobs, &[2000; 20]), one, "{jobs}");
        }
    };
    check(true);
    check(false);
}

#[test]
fn the_same_however_lines_are_asked_for() {
    let material = material("", LineFormat::Simple, true);
    let at_once = |lengths: &[u32]| {
        let mut makers = Makers::start(&material, 3).unwrap();
        for length in lengths {
            makers.ask(Stretch::at(0, *length));
        }
        let mut access = Vec::new();
        while let Some(block) = makers.take() {
            access.extend_from_slice(&block.access);
        }
        access
    };
    let whole = at_once(&[5000]);
    assert_eq!(at_once(&[1, 254, 1, 1, 255, 4000, 488]), whole);
    assert_eq!(at_once(&[100; 50]), whole);
}

/// A hash of bytes (FNV-1a).
fn fingerprint(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// A seed makes the same lines in every version. A change of these numbers is a change of what users
/// get for their seeds: it belongs into the changelog.
#[test]
fn fingerprints() {
    let found = LineFormat::ALL.map(|format| {
        let material = material("", format, false);
        let mut makers = Makers::start(&material, 1).unwrap();
        for line in 0..5000 {
            makers.ask(Stretch::at((1_700_000_000 + line) * 1_000_000_000, 1));
        }
        let (mut access, mut errors) = (Vec::new(), Vec::new());
        while let Some(block) = makers.take() {
            access.extend_from_slice(&block.access);
            errors.extend_from_slice(&block.errors);
        }
        (format.name(), fingerprint(&access), fingerprint(&errors))
    });
    let expected = FINGERPRINTS.map(|(format, access)| (format, access, ERRORS));
    assert_eq!(found, expected, "{found:#x?}");
}

const ERRORS: u64 = 0xdc06_66e6_7494_1e92;

const FINGERPRINTS: [(&str, u64); 7] = [
    ("common", 0x3e6e_edb8_4f39_e21b),
    ("combined", 0xdee7_f874_e9e3_f65b),
    ("vhost_combined", 0x4a1b_256c_2815_0edb),
    ("combined_time", 0xe4d4_dd7a_6def_a46d),
    ("json", 0xcea9_313c_72d2_1d21),
    ("w3c", 0x6a91_3c68_b01a_00e7),
    ("simple", 0xef6c_bef5_41d5_c325),
];
