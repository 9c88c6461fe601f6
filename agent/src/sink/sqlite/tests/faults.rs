//! What goes wrong is counted, said once, and gone on from.

use super::*;

/// Puts something under the name of today's database, and stores a record.
fn with_file(bytes: &[u8]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(path(folder.path(), today()), bytes).unwrap();
    let mut store = start(folder.path());
    store.push_session(&session());
    let counts = close(store);
    assert_eq!(counts.stored, 1, "{counts:?}");
    let rows = number(
        &database(folder.path(), today()),
        "SELECT count(*) FROM sessions",
    );
    assert_eq!(rows, 1);
    folder
}

fn aside(folder: &Path, number: u32) -> std::path::PathBuf {
    folder.join(
        FileName {
            day: today(),
            damaged: Some(number),
        }
        .to_string(),
    )
}

#[test]
fn what_is_no_database_of_ours_is_moved_aside() {
    let garbage = b"this is no database, and longer than its header would be: ".repeat(20);
    let folder = with_file(&garbage);
    assert_eq!(fs::read(aside(folder.path(), 1)).unwrap(), garbage);

    let other = tempfile::tempdir().unwrap();
    let file = other.path().join("other");
    Connection::open(&file)
        .unwrap()
        .execute_batch("CREATE TABLE a (b); INSERT INTO a VALUES (1)")
        .unwrap();
    let folder = with_file(&fs::read(&file).unwrap());
    let kept = Connection::open(aside(folder.path(), 1)).unwrap();
    assert_eq!(number(&kept, "SELECT b FROM a"), 1);
}

#[test]
fn a_damaged_database_is_moved_aside_wherever_the_damage_is() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = start(folder.path());
    for number in 0..2000 {
        store.push_session(&SessionRecord {
            timestamp: time(START_US + number * 10),
            ..revision(number as u64, 1, 1)
        });
    }
    assert_eq!(close(store).stored, 2000);
    let whole = fs::read(path(folder.path(), today())).unwrap();
    // The header says how long a page is: https://www.sqlite.org/fileformat2.html#page_size.
    let page_bytes = usize::from(u16::from_be_bytes([whole[16], whole[17]]));
    let pages = whole.len() / page_bytes;
    assert!(pages > 20, "{pages}");
    for page in [1, 2, pages / 2, pages - 1] {
        let mut bytes = whole.clone();
        bytes[page * page_bytes..(page + 1) * page_bytes].fill(0xa5);
        let folder = with_file(&bytes);
        assert_eq!(
            fs::read(aside(folder.path(), 1)).unwrap(),
            bytes,
            "page {page}"
        );
    }
    // Cut in the middle.
    let folder = with_file(&whole[..pages / 2 * page_bytes]);
    assert!(aside(folder.path(), 1).exists());
}

#[test]
fn an_empty_file_is_one_of_ours_that_was_just_made() {
    let folder = with_file(b"");
    assert!(!aside(folder.path(), 1).exists());
}

#[test]
fn a_locked_database_is_waited_for_and_then_counted() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = start(folder.path());
    store.push_session(&revision(1, 1, 1));
    assert_eq!(close(store).stored, 1);
    let other = database(folder.path(), today());
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let sink = SqliteSink::start_at(settings(folder.path()), Now::at(START_US).clock()).unwrap();
    let handle = sink.handle();
    let mut store = FanOut::new(vec![Box::new(sink)]);
    store.push_session(&revision(2, 1, 1));
    store.flush();
    wait_until(|| handle.counts().lost(LossReason::Locked) == 1);
    // Shorter than the wait: not lost.
    let longer = SqliteSettings {
        busy_timeout: Duration::from_secs(20),
        ..settings(folder.path())
    };
    assert_eq!(close(store).stored, 0);
    let sink = SqliteSink::start_at(longer, Now::at(START_US).clock()).unwrap();
    let mut store = FanOut::new(vec![Box::new(sink)]);
    store.push_session(&revision(3, 1, 1));
    store.flush();
    thread::sleep(Duration::from_millis(300));
    other.execute_batch("COMMIT").unwrap();
    assert_eq!(close(store).stored, 1);
    assert!(!aside(folder.path(), 1).exists());
}

#[test]
fn a_folder_that_goes_is_made_again() {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("data");
    let sink = SqliteSink::start_at(settings(&folder), Now::at(START_US).clock()).unwrap();
    let handle = sink.handle();
    let mut store = FanOut::new(vec![Box::new(sink)]);
    store.push_session(&revision(1, 1, 1));
    store.flush();
    wait_until(|| handle.counts().stored == 1);
    fs::remove_dir_all(&folder).unwrap();
    store.push_session(&revision(2, 1, 1));
    store.flush();
    wait_until(|| handle.counts().stored == 2);
    assert_eq!(
        number(&database(&folder, today()), "SELECT count(*) FROM sessions"),
        1
    );

    fs::remove_dir_all(&folder).unwrap();
    fs::write(&folder, "in the way").unwrap();
    store.push_session(&revision(3, 1, 1));
    store.flush();
    wait_until(|| handle.counts().lost_in_all() == 1);
    fs::remove_file(&folder).unwrap();
    store.push_session(&revision(4, 1, 1));
    let counts = close(store);
    assert_eq!((counts.stored, counts.lost_in_all()), (3, 1));
}

#[test]
fn a_full_queue_is_counted_and_a_waiting_producer_loses_nothing() {
    for (on_full, lost) in [(OnFull::Drop, true), (OnFull::Block, false)] {
        let folder = tempfile::tempdir().unwrap();
        let narrow = SqliteSettings {
            queue_batches: 1,
            on_full,
            ..settings(folder.path())
        };
        let mut store = start_with(narrow, &Now::at(START_US));
        for number in 0..2000 {
            store.push_session(&SessionRecord {
                timestamp: time(START_US + number),
                ..revision(number as u64, 1, 1)
            });
            store.flush();
        }
        let counts = close(store);
        assert_eq!(counts.lost(LossReason::QueueFull) > 0, lost, "{counts:?}");
        assert_eq!(counts.lost(LossReason::QueueFull), counts.lost_in_all());
        let rows = number(
            &database(folder.path(), today()),
            "SELECT count(*) FROM sessions",
        );
        assert_eq!(rows as u64, counts.stored);
    }
}

#[test]
fn a_claimed_day_keeps_its_records_waiting_and_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let days = Arc::<Days>::default();
    let shared = Arc::<SharedCounts>::default();
    let (queue, full) = sync_channel(4);
    let now = Now::at(START_US);
    let writer = Writer {
        directory: folder.path().to_owned(),
        commit_records: 10,
        commit_after: Duration::from_millis(1),
        busy_timeout: Duration::from_secs(5),
        clock: now.clock(),
        shared: Arc::clone(&shared),
        days: Arc::clone(&days),
        wake_tidy: sync_channel(1).0,
        state: WriterState::default(),
    };
    let yesterday = Day(today().0 - 1);
    let claim = days.claim(yesterday).unwrap();
    let writer = thread::spawn(move || writer.run(&full));
    let mut batch = Batch::default();
    batch.push_session(&revision(1, 1, 1)).unwrap();
    batch
        .push_session(&SessionRecord {
            timestamp: time(START_US - DAY_US),
            ..revision(2, 1, 1)
        })
        .unwrap();
    batch
        .push_exchange(&ExchangeRecord {
            ts: time(START_US - DAY_US),
            ..exchange()
        })
        .unwrap();
    shared.add_accepted(3);
    queue.send(Job::Shared(Arc::new(batch))).unwrap();
    wait_until(|| shared.counts().stored == 1);
    thread::sleep(Duration::from_millis(50));
    assert_eq!(shared.counts().queued, 2);
    drop(claim);
    wait_until(|| shared.counts().stored == 3);
    drop(queue);
    writer.join().unwrap();
    let late = database(folder.path(), yesterday);
    assert_eq!(number(&late, "SELECT count(*) FROM sessions"), 1);
    assert_eq!(number(&late, "SELECT count(*) FROM exchanges"), 1);
}

#[derive(Clone, Default)]
struct Diagnostics(Arc<std::sync::Mutex<Vec<u8>>>);

impl std::io::Write for Diagnostics {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn an_outage_is_said_once_at_its_begin_and_once_at_its_end() {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("data");
    let shared = Arc::<SharedCounts>::default();
    let mut writer = Writer {
        directory: folder.clone(),
        commit_records: 10,
        commit_after: Duration::from_millis(1),
        busy_timeout: Duration::from_secs(1),
        clock: Now::at(START_US).clock(),
        shared: Arc::clone(&shared),
        days: Arc::default(),
        wake_tidy: sync_channel(1).0,
        state: WriterState::default(),
    };
    let mut batch = Batch::default();
    batch.push_session(&session()).unwrap();
    batch.push_exchange(&exchange()).unwrap();
    let batches = [Arc::new(batch)];
    let diagnostics = Diagnostics::default();
    let copy = diagnostics.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_ansi(false)
        .with_writer(move || copy.clone())
        .finish();
    tracing::subscriber::with_default(subscriber, || {
        for _ in 0..2 {
            writer.store(&batches);
            fs::remove_dir_all(&folder).unwrap();
            fs::write(&folder, "in the way").unwrap();
            for _ in 0..3 {
                writer.store(&batches);
            }
            fs::remove_file(&folder).unwrap();
            writer.store(&batches);
        }
    });
    let text = String::from_utf8(diagnostics.0.lock().unwrap().clone()).unwrap();
    let count = |word: &str| text.lines().filter(|line| line.contains(word)).count();
    assert_eq!(count("ERROR"), 2, "{text}");
    assert_eq!(count("records=6"), 2, "{text}");
    let counts = shared.counts();
    assert_eq!((counts.stored, counts.lost_in_all()), (8, 12));
}

/// A file system of a megabyte, gone when it is dropped.
struct Small(tempfile::TempDir);

impl Small {
    /// None when this process may not mount.
    fn new() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let status = std::process::Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=1m", "tapline-store-test"])
            .arg(folder.path())
            .stderr(std::process::Stdio::null())
            .status();
        status
            .is_ok_and(|status| status.success())
            .then_some(Self(folder))
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let unmounted = std::process::Command::new("umount")
            .arg(self.0.path())
            .status();
        assert!(unmounted.is_ok_and(|status| status.success()));
    }
}

#[test]
fn a_full_disk_is_counted_and_it_goes_on_when_there_is_room() {
    let Some(small) = Small::new() else {
        println!(
            "left out: a_full_disk_is_counted_and_it_goes_on_when_there_is_room: no tmpfs can be mounted here"
        );
        return;
    };
    let folder = small.0.path();
    let sink = SqliteSink::start_at(settings(folder), Now::at(START_US).clock()).unwrap();
    let handle = sink.handle();
    let mut store = FanOut::new(vec![Box::new(sink)]);
    let ballast = folder.join("ballast");
    let mut number_ = 0;
    let mut push = |store: &mut FanOut| {
        for _ in 0..100 {
            number_ += 1;
            store.push_session(&SessionRecord {
                timestamp: time(START_US + number_ * 10),
                ..revision(number_ as u64, 1, 1)
            });
        }
        store.flush();
    };
    push(&mut store);
    wait_until(|| handle.counts().stored == 100);
    // What is left, to the last byte.
    let mut file = File::create(&ballast).unwrap();
    let filled = std::io::copy(&mut std::io::repeat(1), &mut file).unwrap_err();
    assert_eq!(filled.kind(), std::io::ErrorKind::StorageFull);
    wait_until(|| {
        push(&mut store);
        thread::sleep(Duration::from_millis(20));
        handle.counts().lost(LossReason::NoSpace) >= 200
    });
    drop(file);
    fs::remove_file(&ballast).unwrap();
    wait_until(|| handle.counts().queued == 0);
    let before = handle.counts();
    push(&mut store);
    let counts = close(store);
    assert_eq!(counts.stored, before.stored + 100, "{counts:?}");
    assert_eq!(counts.lost(LossReason::NoSpace), counts.lost_in_all());
    let database = database(folder, today());
    check_whole(&database);
    assert_eq!(
        number(&database, "SELECT count(*) FROM sessions") as u64,
        counts.stored
    );
    assert!(!aside(folder, 1).exists());
}
