//! Which file a record goes to, and when files of days that are over go.

use super::*;

#[test]
fn a_late_record_goes_to_yesterday_and_one_of_the_future_to_tomorrow() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = start(folder.path());
    let midnight = today().0 * DAY_US;
    let check = |offset: i64, store: &mut FanOut| {
        let record = SessionRecord {
            timestamp: time(midnight + offset),
            details: None,
            ..session()
        };
        store.push_session(&record);
    };
    check(-1, &mut store);
    check(0, &mut store);
    check(DAY_US - 1, &mut store);
    check(DAY_US, &mut store);
    check(1000 * DAY_US, &mut store);
    assert_eq!(close(store).stored, 5);
    let count = |day| {
        number(
            &database(folder.path(), day),
            "SELECT count(*) FROM sessions",
        )
    };
    assert_eq!(count(Day(today().0 - 1)), 1);
    assert_eq!(count(today()), 2);
    assert_eq!(count(Day(today().0 + 1)), 2);
    let files = folder::list(folder.path()).unwrap();
    assert_eq!(files.len(), 3, "{files:?}");
}

#[test]
fn a_later_revision_takes_the_place_of_the_earlier_also_on_the_next_day() {
    let folder = tempfile::tempdir().unwrap();
    let now = Now::at(START_US);
    let interim = |mut record: SessionRecord<'static>, ended_at| {
        if let Some(details) = &mut record.details {
            details.interim = true;
            details.ended_at = time(ended_at);
        }
        record
    };
    let mut store = start_with(settings(folder.path()), &now);
    store.push_session(&interim(revision(1, 1, 5), START_US));
    assert_eq!(close(store).stored, 1);
    now.0.store(START_US + DAY_US, Relaxed);
    let mut store = start_with(settings(folder.path()), &now);
    store.push_session(&interim(revision(1, 3, 12), START_US + DAY_US));
    // Too late: a later one is there.
    store.push_session(&interim(revision(1, 2, 7), START_US + 1));
    store.push_session(&revision(2, 1, 100));
    assert_eq!(close(store).stored, 3);
    assert!(!path(folder.path(), Day(today().0 + 1)).exists());
    let database = database(folder.path(), today());
    let number = |sql: &str| number(&database, sql);
    assert_eq!(number("SELECT count(*) FROM sessions"), 2);
    assert_eq!(
        number("SELECT packets FROM sessions WHERE revision = 3"),
        12
    );
    assert_eq!(number("SELECT sum(opened) FROM session_seconds"), 2);
    assert_eq!(number("SELECT sum(ended) FROM session_minutes"), 1);
    assert_eq!(number("SELECT sum(packets) FROM session_seconds"), 112);
    let next_day = format!(
        "SELECT packets FROM session_seconds WHERE time = {}",
        (START_US + DAY_US) / 1_000_000
    );
    assert_eq!(number(&next_day), 7);
}

/// A log of many days is read at once: the file of a day is closed before a second has passed.
#[test]
fn the_roll_ups_of_every_day_are_written_however_many_there_are() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = start(folder.path());
    for age in (0..5).rev() {
        for second in 0..10 {
            store.push_exchange(&ExchangeRecord {
                exchange_id: Identifier::new(age, second),
                ts: time(START_US - age as i64 * DAY_US + second as i64 * 1_000_000),
                ..exchange()
            });
        }
    }
    assert_eq!(close(store).stored, 50);
    for age in 0..5 {
        let database = database(folder.path(), Day(today().0 - age));
        let rows = number(
            &database,
            "SELECT count(*) FROM exchange_groups WHERE kind = 'all' AND period = 60",
        );
        assert_eq!(rows, 1, "{age} days ago");
    }
}

#[test]
fn a_day_that_is_over_gets_its_indexes_and_can_be_written_to_still() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = start(folder.path());
    store.push_session(&revision(1, 1, 1));
    close(store);
    let indexes = "SELECT count(*) FROM sqlite_schema WHERE type = 'index' AND name LIKE '%\\_by\\_%' ESCAPE '\\'";
    let partial = number(&database(folder.path(), today()), indexes);
    assert_eq!(partial, 1);
    let now = Now::at(START_US + DAY_US);
    let mut store = start_with(settings(folder.path()), &now);
    let all = partial + schema::INDEXES.len() as i64;
    wait_until(|| number(&database(folder.path(), today()), indexes) == all);
    store.push_session(&revision(1, 2, 4));
    store.push_session(&revision(2, 1, 4));
    assert_eq!(close(store).stored, 2);
    let database = database(folder.path(), today());
    check_whole(&database);
    assert_eq!(number(&database, "SELECT sum(packets) FROM sessions"), 8);
}

#[test]
fn old_days_are_deleted_whole_and_what_began_then_is_kept_all_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = start(folder.path());
    for age in 0..5 {
        store.push_session(&SessionRecord {
            timestamp: time(START_US - age * DAY_US),
            ..revision(age as u64, 1, 1)
        });
    }
    assert_eq!(close(store).stored, 5);
    fs::write(folder.path().join("tapline-20000101.db.damaged-1"), "x").unwrap();
    fs::write(folder.path().join("tapline-20000101.db.mine"), "x").unwrap();
    let names = || -> HashSet<String> {
        fs::read_dir(folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect()
    };
    let retain = Retain {
        days: Some(2),
        bytes: None,
    };
    let now = Now::at(START_US);
    let with_retain = || SqliteSettings {
        retain,
        ..settings(folder.path())
    };
    let mut store = start_with(with_retain(), &now);
    let name = |age: i64| {
        let day = Day(today().0 - age);
        FileName { day, damaged: None }.to_string()
    };
    wait_until(|| !names().contains(&name(3)) && !names().contains(&name(4)));
    wait_until(|| !names().contains("tapline-20000101.db.damaged-1"));
    for age in 0..3 {
        assert!(names().contains(&name(age)), "{:?}", names());
    }
    assert!(names().contains("tapline-20000101.db.mine"));
    // It has lasted since before the first day that is kept.
    store.push_session(&SessionRecord {
        timestamp: time(START_US - 4 * DAY_US),
        ..revision(4, 2, 7)
    });
    assert_eq!(close(store).stored, 1);
    assert!(!names().contains(&name(4)));
    let first = database(folder.path(), Day(today().0 - 2));
    assert_eq!(number(&first, "SELECT max(packets) FROM sessions"), 7);
    drop(first);

    // By size: the oldest first, and never today's.
    let retain = Retain {
        days: None,
        bytes: Some(1),
    };
    let store = start_with(
        SqliteSettings {
            retain,
            ..settings(folder.path())
        },
        &now,
    );
    wait_until(|| !names().contains(&name(1)) && !names().contains(&name(2)));
    close(store);
    assert!(names().contains(&name(0)));
}

#[test]
fn a_clock_that_jumps_and_jumps_back_deletes_nothing_and_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let retain = Retain {
        days: Some(2),
        bytes: None,
    };
    let mut store = start(folder.path());
    store.push_session(&revision(1, 1, 1));
    close(store);
    let now = Now::at(START_US);
    let days = Arc::<Days>::default();
    let mut tidy = Tidy {
        directory: folder.path().to_owned(),
        retain,
        days: Arc::clone(&days),
        clock: now.clock(),
        busy_timeout: Duration::from_secs(1),
        finished: HashSet::new(),
        last_today: None,
    };
    let is_there = || path(folder.path(), today()).exists();
    let mut look = |shift: i64| {
        now.0.store(START_US + shift * DAY_US, Relaxed);
        tidy.once().unwrap();
    };
    look(0);
    look(1000);
    look(0);
    assert!(is_there());
    look(1);
    look(2);
    assert!(is_there());
    // It stays there: it is right.
    look(1000);
    look(1000);
    assert!(!is_there());
    // Back again: what comes now is not put into a day of the future.
    now.0.store(START_US, Relaxed);
    let shared = Arc::<SharedCounts>::default();
    let (queue, full) = sync_channel(1);
    let writer = Writer {
        directory: folder.path().to_owned(),
        commit_records: 10,
        commit_after: Duration::from_millis(1),
        busy_timeout: Duration::from_secs(5),
        clock: now.clock(),
        shared: Arc::clone(&shared),
        days,
        wake_tidy: sync_channel(1).0,
        state: WriterState::default(),
    };
    let mut batch = Batch::default();
    batch.push_session(&revision(2, 1, 1)).unwrap();
    queue.send(Job::Shared(Arc::new(batch))).unwrap();
    drop(queue);
    writer.run(&full);
    assert_eq!(shared.counts().stored, 1);
    assert!(is_there());
}
