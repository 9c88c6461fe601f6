use std::io::Read as _;

use flate2::read::GzDecoder;
use tempfile::TempDir;

use super::*;

struct Folder {
    folder: TempDir,
    backups: Arc<Backups>,
}

fn folder(keep: u32, compress: bool) -> Folder {
    let folder = tempfile::tempdir().unwrap();
    let backups = Arc::new(Backups::new(folder.path(), "access.log", keep, compress));
    Folder { folder, backups }
}

impl Folder {
    fn write(&self, name: &str, text: &str) {
        fs::write(self.folder.path().join(name), text).unwrap();
    }

    fn turn(&self, text: &str, compressor: &Compressor) {
        self.write("access.log", text);
        self.backups.put_aside(compressor).unwrap();
    }

    /// Names and contents, decompressed.
    fn contents(&self) -> Vec<(String, String)> {
        let mut found = Vec::new();
        for entry in fs::read_dir(self.folder.path()).unwrap() {
            let entry = entry.unwrap();
            let name = entry.file_name().into_string().unwrap();
            let bytes = fs::read(entry.path()).unwrap();
            let mut text = String::new();
            match name.ends_with(".gz") {
                true => GzDecoder::new(&bytes[..])
                    .read_to_string(&mut text)
                    .unwrap(),
                false => (&bytes[..]).read_to_string(&mut text).unwrap(),
            };
            found.push((name, text));
        }
        found.sort();
        found
    }

    fn check(&self, expected: &[(&str, &str)]) {
        let expected: Vec<(String, String)> = expected
            .iter()
            .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
            .collect();
        assert_eq!(self.contents(), expected);
    }
}

fn compressor() -> (Compressor, Receiver<String>) {
    let (say, said) = channel();
    (Compressor::start(say).unwrap(), said)
}

#[test]
fn numbers_go_up_and_the_last_go_away() {
    let folder = folder(3, false);
    let (compressor, _said) = compressor();
    for text in ["1", "2", "3", "4", "5"] {
        folder.turn(text, &compressor);
    }
    folder.check(&[
        ("access.log.1", "5"),
        ("access.log.2", "4"),
        ("access.log.3", "3"),
    ]);
}

#[test]
fn all_are_kept_where_that_is_wanted() {
    let folder = folder(0, false);
    let (compressor, _said) = compressor();
    for number in 0..12 {
        folder.turn(&number.to_string(), &compressor);
    }
    assert_eq!(folder.contents().len(), 12);
    folder.check(
        &folder
            .contents()
            .iter()
            .map(|(name, text)| (name.as_str(), text.as_str()))
            .collect::<Vec<_>>(),
    );
    assert!(
        folder
            .contents()
            .contains(&("access.log.12".to_owned(), "0".to_owned()))
    );
}

#[test]
fn they_are_compressed_once_and_none_is_lost() {
    let folder = folder(4, true);
    let (compressor, said) = compressor();
    let text = |number: u32| format!("{number} ").repeat(50_000);
    for number in 0..20 {
        folder.turn(&text(number), &compressor);
    }
    compressor.finish();
    assert_eq!(said.try_iter().collect::<Vec<_>>(), Vec::<String>::new());
    let texts = [text(19), text(18), text(17), text(16)];
    let names = [
        "access.log.1.gz",
        "access.log.2.gz",
        "access.log.3.gz",
        "access.log.4.gz",
    ];
    let expected: Vec<(&str, &str)> = names
        .into_iter()
        .zip(texts.iter().map(String::as_str))
        .collect();
    folder.check(&expected);
}

#[test]
fn what_an_earlier_run_left_is_taken_care_of() {
    let folder = folder(5, true);
    folder.write("access.log", "now");
    folder.write("access.log.1", "plain");
    folder.write("access.log.gz.tmp", "half");
    folder.write("access.log.bak", "other");
    folder.write("access.log.01", "other");
    folder.write("error.log.1", "other");
    let (compressor, _said) = compressor();
    folder.backups.recover(&compressor).unwrap();
    folder.turn("now", &compressor);
    compressor.finish();
    folder.check(&[
        ("access.log.01", "other"),
        ("access.log.1.gz", "now"),
        ("access.log.2.gz", "plain"),
        ("access.log.bak", "other"),
        ("error.log.1", "other"),
    ]);
}

#[test]
fn a_file_that_has_another_name_by_now_is_not_deleted() {
    let folder = folder(5, false);
    let (compressor, _said) = compressor();
    folder.turn("1", &compressor);
    let (time, file) = folder.backups.files().unwrap().remove(0);
    std::thread::sleep(std::time::Duration::from_millis(20));
    folder.turn("2", &compressor);
    assert!(!folder.backups.delete(&file, time).unwrap());
    assert_eq!(folder.contents().len(), 2);
    let mut files = folder.backups.files().unwrap();
    files.sort_by_key(|(time, _)| *time);
    let (time, file) = files.remove(0);
    assert!(folder.backups.delete(&file, time).unwrap());
    folder.check(&[("access.log.1", "2")]);
}
