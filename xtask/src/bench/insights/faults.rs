//! Faults that are put into the lines of an access log (combined, with microseconds behind).

use super::{Window, times::of_common};

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    /// A fifth of the answers are 500.
    Errors,
    /// Answers take three times as long.
    Slow,
    /// Three times as many requests.
    Spike,
    /// Nine of ten requests do not come.
    Outage,
    /// One client asks for 90 paths that are not there.
    Scanner,
    /// One client is refused 60 times.
    BruteForce,
}

const KINDS: [(Kind, &str); 6] = [
    (Kind::Errors, "errors"),
    (Kind::Slow, "slow"),
    (Kind::Spike, "spike"),
    (Kind::Outage, "outage"),
    (Kind::Scanner, "scanner"),
    (Kind::BruteForce, "brute force"),
];

/// A fault, when it begins and how long it lasts, in seconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Fault {
    kind: Kind,
    name: &'static str,
    from: f64,
    length: f64,
}

/// Numbers drawn from a seed.
struct Chance(u64);

impl Chance {
    fn new(seed: u64) -> Self {
        // Two seeds that are near each other are far apart here.
        Self(seed.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// From 0 up to 1.
    fn draw(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }
}

impl Fault {
    /// A fault every half an hour, of all kinds in turn, each of three to eight minutes.
    pub(super) fn plan(seed: u64, seconds: u64) -> Vec<Self> {
        let mut chance = Chance::new(seed);
        let first = (chance.draw() * KINDS.len() as f64) as usize;
        let mut faults = Vec::new();
        for (number, begin) in (1800..seconds.saturating_sub(1800))
            .step_by(1800)
            .enumerate()
        {
            let (kind, name) = KINDS[(first + number) % KINDS.len()];
            faults.push(Self {
                kind,
                name,
                from: begin as f64 + (chance.draw() * 900.0).floor(),
                length: 180.0 + (chance.draw() * 300.0).floor(),
            });
        }
        faults
    }

    pub(super) fn window(&self) -> Window {
        Window {
            from: self.from,
            to: self.from + self.length,
            kind: self.name.to_owned(),
        }
    }
}

/// The lines with the faults in them.
pub(super) fn put(lines: &str, faults: &[Fault], seed: u64) -> String {
    let mut chance = Chance::new(!seed);
    let mut with = String::with_capacity(lines.len() + (1 << 20));
    // Lines that are still to be put in for each fault.
    let mut left: Vec<u32> = faults
        .iter()
        .map(|fault| match fault.kind {
            Kind::Scanner => 90,
            Kind::BruteForce => 60,
            _ => 0,
        })
        .collect();
    for line in lines.lines() {
        let time = stamp(line).and_then(of_common);
        let place = time.and_then(|time| {
            let is_it = |fault: &Fault| (fault.from..fault.from + fault.length).contains(&time);
            faults.iter().position(is_it)
        });
        let (Some(time), Some(place)) = (time, place) else {
            push(&mut with, line);
            continue;
        };
        let fault = &faults[place];
        match fault.kind {
            Kind::Errors if chance.draw() < 0.2 => push(&mut with, &failed(line)),
            Kind::Slow => push(&mut with, &slow(line)),
            Kind::Spike => (0..3).for_each(|_| push(&mut with, line)),
            Kind::Outage if chance.draw() < 0.9 => {}
            Kind::Scanner | Kind::BruteForce => {
                push(&mut with, line);
                // Evenly over the time of the fault.
                let passed = (time - fault.from) / fault.length;
                let all = if fault.kind == Kind::Scanner {
                    90.0
                } else {
                    60.0
                };
                while f64::from(left[place]) > all * (1.0 - passed) {
                    left[place] -= 1;
                    push(&mut with, &strange(line, fault.kind, left[place]));
                }
            }
            _ => push(&mut with, line),
        }
    }
    with
}

fn push(lines: &mut String, line: &str) {
    lines.push_str(line);
    lines.push('\n');
}

/// The time of a line.
fn stamp(line: &str) -> Option<&str> {
    let (_, behind) = line.split_once(" [")?;
    Some(behind.split_once(']')?.0)
}

/// The same, answered with 500.
fn failed(line: &str) -> String {
    match line.split_once("\" ") {
        Some((before, behind)) if behind.len() > 3 => format!("{before}\" 500{}", &behind[3..]),
        _ => line.to_owned(),
    }
}

/// The same, three times as slow.
fn slow(line: &str) -> String {
    let Some((before, time)) = line.rsplit_once(' ') else {
        return line.to_owned();
    };
    match time.parse::<u64>() {
        Ok(time) => format!("{before} {}", time * 3),
        Err(_) => line.to_owned(),
    }
}

/// A request of a stranger at the time of this line.
fn strange(line: &str, kind: Kind, number: u32) -> String {
    let time = stamp(line).unwrap_or_default();
    let (request, status) = match kind {
        Kind::Scanner => (format!("GET /wp-{number}/setup.php HTTP/1.1"), 404),
        _ => ("POST /login HTTP/1.1".to_owned(), 401),
    };
    format!("198.51.100.77 - - [{time}] \"{request}\" {status} 512 \"-\" \"curl/8.5.0\" 21000")
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str =
        "192.0.2.1 - - [01/Jan/2026:01:00:05 +0000] \"GET /a HTTP/1.1\" 200 10 \"-\" \"x\" 700";

    #[test]
    fn faults_do_not_touch_each_other() {
        for seed in 0..20 {
            let faults = Fault::plan(seed, 6 * 3600);
            assert_eq!(faults.len(), 10);
            for pair in faults.windows(2) {
                assert!(
                    pair[0].from + pair[0].length + 60.0 < pair[1].from,
                    "{pair:?}"
                );
            }
        }
    }

    #[test]
    fn lines_are_changed_as_they_say() {
        assert!(failed(LINE).contains("\" 500 10 "));
        assert!(slow(LINE).ends_with(" 2100"));
        let strange = strange(LINE, Kind::Scanner, 7);
        assert!(strange.starts_with("198.51.100.77 - - [01/Jan/2026:01:00:05 +0000] \"GET /wp-7/"));
    }

    #[test]
    fn a_stranger_comes_as_often_as_planned() {
        let lines: String = (0..600)
            .map(|second| {
                let time = format!("01:{:02}:{:02}", second / 60, second % 60);
                format!("{}\n", LINE.replace("01:00:05", &time))
            })
            .collect();
        let fault = Fault {
            kind: Kind::BruteForce,
            name: "brute force",
            from: 3600.0 + 60.0,
            length: 180.0,
        };
        let with = put(&lines, &[fault], 1);
        let strange = with.lines().filter(|line| line.contains(" 401 ")).count();
        assert!((55..=60).contains(&strange), "{strange}");
        assert_eq!(with.lines().count(), 600 + strange);
    }
}
