//! To files, to stdout and to the store: what is there afterwards.

use std::fs;

use crate::back_end::nobody;
use crate::program::limited;
use crate::{account, generator, output, stored};

#[test]
fn the_same_bytes_come_from_any_number_of_threads() {
    let folder = tempfile::tempdir().unwrap();
    let mut all = Vec::new();
    for jobs in [1, 2, 4] {
        let path = folder.path().join(jobs.to_string());
        let line = format!(
            "-n 20000 --seed 7 --start 2026-01-01T00:00:00Z --format csv --realistic --jobs {jobs} --output {}",
            path.display()
        );
        let (code, stdout, _) = output(&mut generator(&line));
        assert_eq!((code, stdout.as_str()), (0, ""));
        all.push(fs::read(path).unwrap());
    }
    assert!(all[0] == all[1] && all[0] == all[2]);
    let text = String::from_utf8(all.swap_remove(0)).unwrap();
    assert_eq!(text.lines().count(), 20_001);
    let begin = "protocol,src_ip,src_port,dst_ip,dst_port,packets,bytes,cpu_id,timestamp\n";
    assert!(text.starts_with(begin));
    assert!(text.lines().all(|line| line.split(',').count() == 9));
}

#[test]
fn the_store_takes_records_of_any_day() {
    let folder = tempfile::tempdir().unwrap();
    let check = |flags: &str, count: usize| {
        let data = folder.path().join(count.to_string());
        let line = format!("{flags} --sqlite {}", data.display());
        let (code, stdout, stderr) = output(&mut generator(&line));
        assert_eq!((code, stdout.as_str()), (0, ""), "{stderr}");
        assert_eq!(stored(&data), count);
        data
    };
    check("-n 30000 --jobs 2", 30_000);
    check("--rate 2000 --duration 500ms", 1_000);
    // A record an hour, over a year long ago.
    let data = check(
        "--start 2001-01-01T00:00:00Z --speedup 3600000 -n 8760 --realistic",
        8_760,
    );
    let files = fs::read_dir(data).unwrap().flatten();
    let names = files.map(|file| file.file_name().into_string().unwrap());
    assert_eq!(names.filter(|name| name.ends_with(".db")).count(), 365);
}

#[test]
fn after_an_error_the_account_says_what_is_there() {
    let folder = tempfile::tempdir().unwrap();
    for (format, heads) in [("ndjson", 0), ("csv", 1)] {
        let path = folder.path().join(format);
        let line = format!("-n 100000 --format {format} --output {}", path.display());
        let (code, _, stderr) = output(&mut limited("sessions", 600, line.split_whitespace()));
        assert_eq!(code, 1, "{stderr}");
        let written = fs::read_to_string(&path).unwrap();
        assert!(written.ends_with('\n'));
        let (records, bytes) = (written.lines().count() - heads, written.len());
        assert!(records > 1000);
        let said = format!("tapline: {records} records, {bytes} bytes, ");
        assert!(stderr.contains(&said), "{said} {stderr}");
    }
    let data = folder.path().join("data");
    let line = format!("-n 100000 --sqlite {}", data.display());
    let (code, _, stderr) = output(&mut limited("sessions", 600, line.split_whitespace()));
    assert_eq!(code, 1, "{stderr}");
    let said = format!("tapline: {} records, ", stored(&data));
    assert!(stderr.contains(&said), "{said} {stderr}");
}

#[test]
fn a_dry_run_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    for flags in ["--output", "--sqlite"] {
        let path = folder.path().join("nothing");
        let line = format!("-n 1000 --dry-run {flags} {}", path.display());
        let (code, stdout, stderr) = output(&mut generator(&line));
        assert_eq!((code, stdout.as_str()), (0, ""));
        assert!(stderr.contains("a dry run"), "{stderr}");
        assert!(!path.exists());
    }
    let (code, _, stderr) = output(&mut generator(&format!(
        "--dry-run --api-url http://{}/api",
        nobody()
    )));
    assert_eq!(code, 0, "{stderr}");
}

#[test]
fn what_is_there_stays_unless_told_otherwise() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("records");
    let line = format!("--seed 1 --output {}", path.display());
    // In a file with nothing in it there is nothing to lose.
    fs::write(&path, "").unwrap();
    assert_eq!(output(&mut generator(&format!("{line} -n 5"))).0, 0);
    let first = fs::read(&path).unwrap();
    let (code, stdout, stderr) = output(&mut generator(&line));
    assert_eq!((code, stdout.as_str()), (1, ""));
    let said = format!(
        "tapline: {} is there already; --overwrite begins it anew\n",
        path.display()
    );
    assert_eq!(stderr, said);
    assert_eq!(fs::read(&path).unwrap(), first);
    let (code, _, _) = output(&mut generator(&format!("{line} -n 2 --overwrite")));
    assert_eq!(code, 0);
    let text = fs::read_to_string(&path).unwrap();
    assert_eq!(text.lines().count(), 2);
}

#[test]
fn of_a_database_no_bytes_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let line = format!("-n 100 --json --sqlite {}", folder.path().display());
    let (code, stdout, stderr) = output(&mut generator(&line));
    assert_eq!(code, 0, "{stderr}");
    assert!(!stderr.contains("bytes"), "{stderr}");
    assert!(account(&stdout).get("bytes").is_none(), "{stdout}");
}
