//! What is put in comes out, in order and once; whatever happens to the files.

use super::*;

fn settings(directory: &Path) -> SpoolSettings {
    SpoolSettings {
        directory: directory.to_owned(),
        bytes: 1 << 20,
    }
}

fn start(directory: &Path) -> (Spool, Found) {
    let mut spool = Spool::open(&settings(directory)).unwrap();
    let found = spool.recover();
    (spool, found)
}

fn payload(number: u32) -> Vec<u8> {
    number
        .to_string()
        .repeat(number as usize % 40 + 1)
        .into_bytes()
}

fn put(spool: &mut Spool, numbers: std::ops::Range<u32>) {
    for number in numbers {
        let (_, gone) = spool
            .append(3, number + 1, &payload(number), false)
            .unwrap();
        assert_eq!(gone, []);
    }
}

/// Takes everything and is done with it. Gives the numbers.
fn empty(spool: &mut Spool) -> Vec<u32> {
    let mut numbers = Vec::new();
    while let Some(taken) = spool.take().unwrap() {
        assert_eq!(taken.payload, payload(taken.records - 1));
        assert_eq!(taken.tag, 3);
        spool.done(taken.place);
        numbers.push(taken.records - 1);
    }
    numbers
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).unwrap();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.file_name().unwrap() != LOCK);
    paths.sort();
    paths
}

fn records(numbers: &[u32]) -> u64 {
    numbers.iter().map(|number| u64::from(*number) + 1).sum()
}

#[test]
fn what_is_put_in_comes_out_in_order_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (mut spool, found) = start(folder.path());
    assert_eq!(found, Found::default());
    assert!(!spool.has_more());
    put(&mut spool, 0..5);
    assert!(spool.has_more());
    assert_eq!(empty(&mut spool), [0, 1, 2, 3, 4]);
    put(&mut spool, 5..7);
    assert_eq!(empty(&mut spool), [5, 6]);
    assert_eq!(spool.bytes(), 0);
    spool.close();
    assert_eq!(files(folder.path()), Vec::<PathBuf>::new());
}

#[test]
fn what_waits_survives_and_what_is_done_does_not_come_again() {
    let folder = tempfile::tempdir().unwrap();
    let (mut spool, _) = start(folder.path());
    put(&mut spool, 0..6);
    let first = spool.take().unwrap().unwrap();
    let second = spool.take().unwrap().unwrap();
    let third = spool.take().unwrap().unwrap();
    spool.done(second.place);
    spool.done(second.place);
    spool.done(first.place);
    assert_eq!(third.records, 3);
    // Not closed: as if it had been killed.
    drop(spool);
    let (mut spool, found) = start(folder.path());
    assert_eq!(
        found,
        Found {
            records: records(&[2, 3, 4, 5]),
            damaged: 0
        }
    );
    assert_eq!(spool.take().unwrap().unwrap().records, 3);
    put(&mut spool, 6..8);
    assert_eq!(empty(&mut spool), [3, 4, 5, 6, 7]);
    drop(spool);
    let (mut spool, found) = start(folder.path());
    assert_eq!(found.records, 3);
    assert_eq!(empty(&mut spool), [2]);
    assert_eq!(files(folder.path()), Vec::<PathBuf>::new());
}

#[test]
fn what_is_held_is_not_taken_before_the_next_start() {
    let folder = tempfile::tempdir().unwrap();
    let (mut spool, _) = start(folder.path());
    put(&mut spool, 0..1);
    let (held, _) = spool.append(3, 2, &payload(1), true).unwrap();
    let (_other, _) = spool.append(3, 3, &payload(2), true).unwrap();
    put(&mut spool, 3..4);
    assert_eq!(empty(&mut spool), [0, 3]);
    spool.done(held);
    assert!(!spool.has_more());
    drop(spool);
    let (mut spool, found) = start(folder.path());
    assert_eq!(found.records, 3);
    assert_eq!(empty(&mut spool), [2]);
}

#[test]
fn a_segment_of_an_earlier_process_goes_when_it_is_done_with() {
    let folder = tempfile::tempdir().unwrap();
    // Two processes that left a segment each.
    for number in 0..2 {
        let (mut spool, _) = start(folder.path());
        put(&mut spool, number..number + 1);
    }
    let (mut spool, _) = start(folder.path());
    let first = spool.take().unwrap().unwrap();
    let second = spool.take().unwrap().unwrap();
    assert_eq!((first.records, second.records), (1, 2));
    // The newer one first: nothing is written to it, and nothing will be.
    spool.done(second.place);
    assert_eq!(files(folder.path()), [folder.path().join(name(1))]);
    put(&mut spool, 2..3);
    spool.done(first.place);
    assert_eq!(files(folder.path()), [folder.path().join(name(3))]);
    assert_eq!(empty(&mut spool), [2]);
    assert_eq!(files(folder.path()), Vec::<PathBuf>::new());
    assert_eq!(spool.bytes(), 0);
}

#[test]
fn a_segment_that_could_not_be_written_on_goes_when_the_next_begins() {
    let folder = tempfile::tempdir().unwrap();
    let (mut spool, _) = start(folder.path());
    put(&mut spool, 0..1);
    let first = spool.take().unwrap().unwrap();
    spool.rotate();
    put(&mut spool, 1..2);
    let second = spool.take().unwrap().unwrap();
    spool.done(second.place);
    // A frame was not written to its end and could not be cut off.
    spool.writing = None;
    put(&mut spool, 2..3);
    spool.done(first.place);
    assert_eq!(files(folder.path()), [folder.path().join(name(3))]);
    assert_eq!(empty(&mut spool), [2]);
    assert_eq!(files(folder.path()), Vec::<PathBuf>::new());
}

#[test]
fn one_process_has_the_folder() {
    let folder = tempfile::tempdir().unwrap();
    let (spool, _) = start(folder.path());
    let again = Spool::open(&settings(folder.path()));
    assert!(matches!(again, Err(SpoolError::InUse { .. })));
    drop(spool);
    start(folder.path());
    fs::write(folder.path().join("file"), "").unwrap();
    let in_a_file = Spool::open(&settings(&folder.path().join("file")));
    assert!(matches!(in_a_file, Err(SpoolError::Folder { .. })));
}

#[test]
fn a_full_spool_gives_up_the_oldest() {
    let folder = tempfile::tempdir().unwrap();
    let (mut spool, _) = start(folder.path());
    let large = vec![7; 10_000];
    let mut lost = 0;
    for _ in 0..1000 {
        let (_, gone) = spool.append(3, 5, &large, false).unwrap();
        for gone in gone {
            assert_eq!(gone.reason, LossReason::SpoolFull);
            lost += gone.records;
        }
        assert!(spool.bytes() <= 1 << 20, "{}", spool.bytes());
    }
    assert!(spool.bytes() > (1 << 20) * 3 / 4);
    let mut left = 0;
    while let Some(taken) = spool.take().unwrap() {
        left += u64::from(taken.records);
        spool.done(taken.place);
    }
    assert_eq!(lost + left, 5000);
    assert!(left > 300, "{left}");
}

#[test]
fn what_is_held_is_never_given_up_and_what_cannot_fit_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (mut spool, _) = start(folder.path());
    let too_large = vec![0; 2 << 20];
    assert!(matches!(
        spool.append(3, 1, &too_large, false),
        Err(NotKept::Full)
    ));
    let large = vec![7; 100_000];
    let mut held = Vec::new();
    let refused = loop {
        match spool.append(3, 1, &large, true) {
            Ok((place, gone)) => {
                assert_eq!(gone, []);
                held.push(place);
            }
            Err(refused) => break refused,
        }
    };
    assert_eq!(refused.reason(), LossReason::SpoolFull);
    assert_eq!(held.len(), 10);
    held.into_iter().for_each(|place| spool.done(place));
    spool.append(3, 1, &large, true).unwrap();
}

#[test]
fn every_truncation_keeps_what_is_whole() {
    let folder = tempfile::tempdir().unwrap();
    let (mut spool, _) = start(folder.path());
    put(&mut spool, 0..4);
    spool.close();
    let path = files(folder.path()).remove(0);
    let bytes = fs::read(&path).unwrap();
    let mut ends = vec![SEGMENT_MAGIC.len()];
    for number in 0..4 {
        ends.push(ends.last().unwrap() + HEADER + payload(number).len());
    }
    assert_eq!(*ends.last().unwrap(), bytes.len());
    for cut in 0..=bytes.len() {
        fs::write(&path, &bytes[..cut]).unwrap();
        let (mut spool, found) = start(folder.path());
        let whole = ends[1..].iter().filter(|end| **end <= cut).count() as u32;
        let numbers: Vec<u32> = (0..whole).collect();
        assert_eq!(found.records, records(&numbers), "{cut}");
        let torn = ends.get(whole as usize).filter(|end| *end + HEADER <= cut);
        let torn = torn
            .filter(|_| whole < 4)
            .map_or(0, |_| u64::from(whole) + 1);
        assert_eq!(found.damaged, torn, "{cut}");
        put(&mut spool, 9..10);
        assert_eq!(empty(&mut spool), [numbers, vec![9]].concat(), "{cut}");
        spool.close();
        assert_eq!(files(folder.path()), Vec::<PathBuf>::new(), "{cut}");
    }
}

#[test]
fn a_damaged_segment_is_moved_aside_and_what_is_whole_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let (mut spool, _) = start(folder.path());
    put(&mut spool, 0..4);
    let done = spool.take().unwrap().unwrap();
    spool.done(done.place);
    spool.close();
    let path = files(folder.path()).remove(0);
    let bytes = fs::read(&path).unwrap();
    let second = SEGMENT_MAGIC.len() + HEADER + payload(0).len();
    let mut damaged = bytes;
    damaged[second + HEADER] ^= 1;
    fs::write(&path, &damaged).unwrap();
    let (mut spool, found) = start(folder.path());
    assert_eq!(
        found,
        Found {
            records: records(&[2, 3]),
            damaged: 2
        }
    );
    assert_eq!(empty(&mut spool), [2, 3]);
    spool.close();
    let aside = files(folder.path());
    assert_eq!(aside.len(), 1);
    assert_eq!(fs::read(&aside[0]).unwrap(), damaged);

    // Something else altogether, and something far too large.
    let foreign = folder.path().join(name(77));
    fs::write(&foreign, "this is no segment").unwrap();
    File::create(folder.path().join(name(78)))
        .unwrap()
        .set_len(1 << 30)
        .unwrap();
    fs::write(folder.path().join("spool-1.seg"), "not our name").unwrap();
    std::os::unix::fs::symlink("/dev/zero", folder.path().join(name(79))).unwrap();
    let (mut spool, found) = start(folder.path());
    assert_eq!(found, Found::default());
    put(&mut spool, 0..1);
    assert_eq!(empty(&mut spool), [0]);
    let names: Vec<String> = files(folder.path())
        .iter()
        .map(|path| path.file_name().unwrap().to_str().unwrap().to_owned())
        .collect();
    assert!(
        names.contains(&format!("{}.damaged-1", name(77))),
        "{names:?}"
    );
    assert!(
        names.contains(&format!("{}.damaged-1", name(78))),
        "{names:?}"
    );
    assert!(names.contains(&"spool-1.seg".to_owned()), "{names:?}");
}

#[test]
fn damage_that_comes_later_is_counted() {
    let folder = tempfile::tempdir().unwrap();
    let (mut spool, _) = start(folder.path());
    put(&mut spool, 0..3);
    let first = spool.take().unwrap().unwrap();
    let path = files(folder.path()).remove(0);
    let mut bytes = fs::read(&path).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    fs::write(&path, bytes).unwrap();
    assert_eq!(spool.take().unwrap().unwrap().records, 2);
    let gone = spool.take().unwrap_err();
    // What is held is not lost.
    assert_eq!(
        gone,
        Gone {
            reason: LossReason::Damaged,
            records: 3
        }
    );
    assert_eq!(spool.take().unwrap(), None);
    spool.done(first.place);
    put(&mut spool, 5..6);
    assert_eq!(empty(&mut spool), [5]);
}

#[test]
fn a_folder_that_goes_is_made_again_and_the_loss_is_counted() {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("spool");
    let (mut spool, _) = start(&folder);
    assert_eq!(spool.check(), None);
    put(&mut spool, 0..3);
    let first = spool.take().unwrap().unwrap();
    assert_eq!(spool.check(), None);
    fs::remove_dir_all(&folder).unwrap();
    let gone = spool.check().unwrap();
    assert_eq!(
        gone,
        Gone {
            reason: LossReason::Gone,
            records: records(&[1, 2])
        }
    );
    spool.done(first.place);
    put(&mut spool, 7..9);
    assert_eq!(empty(&mut spool), [7, 8]);
}

#[test]
fn what_was_written_is_brought_to_the_disk_once() {
    let folder = tempfile::tempdir().unwrap();
    let (mut spool, _) = start(folder.path());
    assert!(spool.unsynced().is_none());
    put(&mut spool, 0..1);
    assert!(spool.unsynced().is_some());
    assert!(spool.unsynced().is_none());
}

mod properties {
    use proptest::prelude::*;

    use super::*;

    #[derive(Clone, Debug)]
    enum Step {
        Put,
        PutHeld,
        Take,
        Done(usize),
        Restart,
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            4 => Just(Step::Put),
            1 => Just(Step::PutHeld),
            3 => Just(Step::Take),
            3 => any::<usize>().prop_map(Step::Done),
            1 => Just(Step::Restart),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// Against a model: a list of what waits, and of what is held.
        #[test]
        fn it_is_a_queue(steps in prop::collection::vec(step(), 0..80)) {
            let folder = tempfile::tempdir().unwrap();
            let (mut spool, _) = start(folder.path());
            // Segments of a few frames each.
            spool.segment_bytes = 200;
            let mut waiting: Vec<u32> = Vec::new();
            let mut held: Vec<(u32, Place)> = Vec::new();
            let mut next = 0;
            for step in steps {
                match step {
                    Step::Put | Step::PutHeld => {
                        let is_held = matches!(step, Step::PutHeld);
                        let (place, gone) = spool.append(3, next + 1, &payload(next), is_held).unwrap();
                        prop_assert_eq!(gone, []);
                        if is_held {
                            held.push((next, place));
                        } else {
                            waiting.push(next);
                        }
                        next += 1;
                    }
                    Step::Take => {
                        let taken = spool.take().unwrap();
                        let number = taken.as_ref().map(|taken| taken.records - 1);
                        prop_assert_eq!(number, waiting.first().copied());
                        if let Some(taken) = taken {
                            held.push((waiting.remove(0), taken.place));
                        }
                    }
                    Step::Done(which) if !held.is_empty() => {
                        let (_, place) = held.remove(which % held.len());
                        spool.done(place);
                    }
                    Step::Done(_) => {}
                    Step::Restart => {
                        drop(spool);
                        waiting.extend(held.drain(..).map(|(number, _)| number));
                        waiting.sort_unstable();
                        let found;
                        (spool, found) = start(folder.path());
                        spool.segment_bytes = 200;
                        prop_assert_eq!(found, Found { records: records(&waiting), damaged: 0 });
                    }
                }
                prop_assert_eq!(spool.has_more(), !waiting.is_empty());
            }
            for (_, place) in held {
                spool.done(place);
            }
            prop_assert_eq!(empty(&mut spool), waiting);
            prop_assert_eq!(files(folder.path()).len(), 0);
        }
    }
}
