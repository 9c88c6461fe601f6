//! What this process uses, from /proc: readable without privileges, also after they are given up.

use std::fs;
use std::io;

/// What the process uses at one moment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Process {
    /// CPU time of all threads, user and system, in seconds.
    pub cpu_seconds: f64,
    /// Memory that is in RAM, in bytes.
    pub resident_bytes: u64,
    /// The same, with a share of what is in use by others too, in bytes; `None`: the kernel does not tell.
    pub proportional_bytes: Option<u64>,
    /// Threads.
    pub threads: u64,
    /// Open file descriptors.
    pub open_files: u64,
    /// The most file descriptors that may be open.
    pub max_files: u64,
    /// When it started, in seconds since the epoch.
    pub started_seconds: f64,
}

/// Reads [`Process`]; keeps what does not change.
#[derive(Clone, Copy, Debug)]
pub struct ProcessReader {
    ticks_a_second: f64,
    page_bytes: u64,
    /// Seconds since the epoch.
    booted: u64,
}

impl ProcessReader {
    /// Finds out the units and when the host was booted.
    ///
    /// # Errors
    /// /proc cannot be read.
    pub fn new() -> io::Result<Self> {
        Ok(Self {
            ticks_a_second: constant(libc::_SC_CLK_TCK)? as f64,
            page_bytes: constant(libc::_SC_PAGESIZE)?,
            booted: boot_time(&fs::read_to_string("/proc/stat")?)
                .ok_or_else(|| strange("/proc/stat"))?,
        })
    }

    /// What the process uses now.
    ///
    /// # Errors
    /// /proc cannot be read.
    pub fn read(&self) -> io::Result<Process> {
        // The name of the program is in it, which need not be text.
        let stat = fs::read("/proc/self/stat")?;
        let stat = Stat::parse(&stat).ok_or_else(|| strange("/proc/self/stat"))?;
        Ok(Process {
            cpu_seconds: stat.cpu_ticks as f64 / self.ticks_a_second,
            resident_bytes: stat.resident_pages.saturating_mul(self.page_bytes),
            proportional_bytes: fs::read_to_string("/proc/self/smaps_rollup")
                .ok()
                .and_then(|rollup| proportional(&rollup)),
            threads: stat.threads,
            // The descriptor that reads the folder is one of them.
            open_files: fs::read_dir("/proc/self/fd")?.count().saturating_sub(1) as u64,
            max_files: max_files()?,
            started_seconds: self.booted as f64 + stat.started_ticks as f64 / self.ticks_a_second,
        })
    }
}

/// The fields of /proc/PID/stat that are wanted (proc_pid_stat(5)).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Stat {
    cpu_ticks: u64,
    threads: u64,
    started_ticks: u64,
    resident_pages: u64,
}

impl Stat {
    fn parse(bytes: &[u8]) -> Option<Self> {
        // The second field is the name in parentheses, which may hold spaces and parentheses.
        let name_end = bytes.iter().rposition(|byte| *byte == b')')?;
        let rest = str::from_utf8(&bytes[name_end + 1..]).ok()?;
        let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
        // Fields are numbered from 1 in the manual; `rest` begins with the third.
        let field = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
        Some(Self {
            cpu_ticks: field(14)?.saturating_add(field(15)?),
            threads: field(20)?,
            started_ticks: field(22)?,
            resident_pages: field(24)?,
        })
    }
}

/// `Pss:` of /proc/PID/smaps_rollup (proc_pid_smaps(5)), in bytes.
fn proportional(rollup: &str) -> Option<u64> {
    let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kilobytes.checked_mul(1024)
}

fn boot_time(stat: &str) -> Option<u64> {
    let line = stat.lines().find_map(|line| line.strip_prefix("btime "))?;
    line.trim().parse().ok()
}

fn constant(name: libc::c_int) -> io::Result<u64> {
    // SAFETY: `sysconf` takes no pointers and only reads a constant of the system.
    let value = unsafe { libc::sysconf(name) };
    match u64::try_from(value) {
        Ok(value) if value > 0 => Ok(value),
        _ => Err(io::Error::last_os_error()),
    }
}

fn max_files() -> io::Result<u64> {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: `limit` is valid for writes.
    match unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) } {
        0 => Ok(limit.rlim_cur),
        _ => Err(io::Error::last_os_error()),
    }
}

fn strange(file: &str) -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        format!("{file} is not as its manual says"),
    )
}

#[cfg(test)]
mod tests {
    use std::time::{SystemTime, UNIX_EPOCH};

    use super::*;

    const SAMPLE: &[u8] = b"42 (a) b \xff) S 1 42 42 0 -1 4194560 1000 0 0 0 70 8 0 0 20 0 3 0 \
        123456 50000000 2500 18446744073709551615 1 1 0 0 0 0 0 4096 17474 0 0 0 17 1 0 0 0 0 0\n";

    #[test]
    fn fields_are_counted_behind_the_name() {
        let expected = Stat {
            cpu_ticks: 78,
            threads: 3,
            started_ticks: 123_456,
            resident_pages: 2500,
        };
        assert_eq!(Stat::parse(SAMPLE), Some(expected));
        // Cut anywhere it is read in whole fields or not at all.
        for cut in 0..SAMPLE.len() {
            if let Some(stat) = Stat::parse(&SAMPLE[..cut]) {
                assert_eq!(stat.started_ticks, 123_456, "cut at {cut}");
            }
        }
    }

    #[test]
    fn the_boot_time_is_a_line_of_its_own() {
        assert_eq!(
            boot_time("cpu 1 2\nbtime 1700000000\nprocesses 1\n"),
            Some(1_700_000_000)
        );
        assert_eq!(boot_time("cpu 1 2\nbtime x\n"), None);
        assert_eq!(boot_time("xbtime 1\n"), None);
    }

    #[test]
    fn proportional_memory_is_a_line_of_its_own() {
        let check = |text: &str, expected: Option<u64>| assert_eq!(proportional(text), expected);
        check(
            "1000-2000 ---p 0 00:00 0 [rollup]\nRss: 9 kB\nPss:      7 kB\nPss_Anon: 3 kB\n",
            Some(7168),
        );
        check("Pss_Anon: 3 kB\n", None);
        check("Pss: 3\n", None);
        check("Pss: x kB\n", None);
        check("Pss: 18446744073709551615 kB\n", None);
        check("", None);
    }

    #[test]
    fn this_process_is_measured() {
        let reader = ProcessReader::new().unwrap();
        let before = reader.read().unwrap();
        let file = fs::File::open("/proc/self/stat").unwrap();
        let block = vec![1_u8; 32 << 20];
        let after = reader.read().unwrap();
        assert!(block.contains(&1));
        drop(file);
        assert!(after.resident_bytes >= 32 << 20, "{after:?}");
        assert!(
            after
                .proportional_bytes
                .is_none_or(|bytes| (32 << 20..=after.resident_bytes + (1 << 20)).contains(&bytes)),
            "{after:?}"
        );
        assert!(
            before.open_files >= 3 && before.open_files <= before.max_files,
            "{before:?}"
        );
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap()
            .as_secs_f64();
        assert!(
            (0.0..3600.0).contains(&(now - before.started_seconds)),
            "{before:?}"
        );
    }
}
