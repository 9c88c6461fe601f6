//! What came of the tests: totals as libtest prints them, lines as TAP has them, and what never ran.

use std::fmt;

use anyhow::Result;

use crate::process::Step;

/// What a line starts with that libtest ends each of its runs with.
const RESULT: &str = "test result: ";

/// How many tests passed and failed, and what was left out.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Totals {
    passed: u64,
    failed: u64,
    ignored: u64,
    left_out: Vec<String>,
    failures: Vec<String>,
}

impl Totals {
    /// Runs a command that runs libtest, hands each line of its output to `show` and counts its results.
    ///
    /// A command that fails without a failed test (it did not compile, a test took the whole
    /// program down) counts as one failure, and so does one that ran no test at all.
    ///
    /// # Errors
    /// When the command cannot start.
    pub(crate) fn add_run(
        &mut self,
        name: &str,
        step: Step,
        mut show: impl FnMut(&str),
    ) -> Result<()> {
        let shown = step.shown();
        let before = (self.passed, self.failed);
        let status = step.lines(|line| {
            show(line);
            self.add_line(line);
        })?;
        if !status.success() && self.failed == before.1 {
            self.fail(name, &format!("`{shown}` failed with {status}"));
        } else if status.success() && (self.passed, self.failed) == before {
            self.fail(name, &format!("`{shown}` ran no test"));
        }
        Ok(())
    }

    /// Runs a command that writes its results as TAP (testanything.org), as Node's test runner and
    /// vitest do, and counts them; what stands further in is a part of what follows.
    ///
    /// # Errors
    /// When the command cannot start.
    pub(crate) fn add_tap_run(
        &mut self,
        name: &str,
        step: Step,
        mut show: impl FnMut(&str),
    ) -> Result<()> {
        let shown = step.shown();
        let before = (self.passed, self.failed, self.left_out.len());
        let status = step.lines(|line| {
            show(line);
            self.add_tap_line(name, line);
        })?;
        if !status.success() && self.failed == before.1 {
            self.fail(name, &format!("`{shown}` failed with {status}"));
        } else if status.success() && (self.passed, self.failed, self.left_out.len()) == before {
            self.fail(name, &format!("`{shown}` ran no test"));
        }
        Ok(())
    }

    /// Counts one line of TAP, if it is a result.
    fn add_tap_line(&mut self, name: &str, line: &str) {
        let is_word = |rest: &&str| rest.starts_with(' ');
        if let Some(rest) = line.strip_prefix("ok").filter(is_word) {
            match rest.split_once(" # SKIP") {
                Some((test, reason)) => {
                    let test = test.trim_start_matches(|c: char| c == ' ' || c.is_ascii_digit());
                    let test = test.trim_start_matches("- ");
                    self.leave_out(name, &format!("{test}: {}", reason.trim()));
                }
                None => self.passed = self.passed.saturating_add(1),
            }
        } else if line.strip_prefix("not ok").filter(is_word).is_some() {
            self.failed = self.failed.saturating_add(1);
        }
    }

    /// Counts one line of output, if it is a result.
    pub(crate) fn add_line(&mut self, line: &str) {
        let Some(rest) = line.trim_end().strip_prefix(RESULT) else {
            return;
        };
        let Some((_, counts)) = rest.split_once(". ") else {
            return;
        };
        for count in counts.split("; ") {
            let Some((number, what)) = count.split_once(' ') else {
                continue;
            };
            let Ok(number) = number.parse::<u64>() else {
                continue;
            };
            let total = match what {
                "passed" => &mut self.passed,
                "failed" => &mut self.failed,
                "ignored" => &mut self.ignored,
                _ => continue,
            };
            *total = total.saturating_add(number);
        }
    }

    /// Counts what tests wrote about what they could not do: one line each. A test that did so
    /// passed in libtest's eyes, but has tested nothing.
    pub(crate) fn add_left_out_lines(&mut self, name: &str, lines: &str) {
        for line in lines.lines().filter(|line| !line.trim().is_empty()) {
            self.left_out.push(format!("{name}: {}", line.trim()));
            self.passed = self.passed.saturating_sub(1);
        }
    }

    /// Counts something that did not run, and says why.
    pub(crate) fn leave_out(&mut self, name: &str, reason: &str) {
        self.left_out.push(format!("{name}: {reason}"));
    }

    /// Counts one failure that libtest did not.
    pub(crate) fn fail(&mut self, name: &str, reason: &str) {
        self.failed = self.failed.saturating_add(1);
        self.failures.push(format!("{name}: {reason}"));
    }

    /// How many tests passed so far.
    pub(crate) fn passed_so_far(&self) -> u64 {
        self.passed
    }

    /// How many tests failed so far.
    pub(crate) fn failed_so_far(&self) -> u64 {
        self.failed
    }

    /// Whether nothing failed and something passed; strictly, also whether nothing was left out.
    pub(crate) fn passed(&self, strict: bool) -> bool {
        self.failed == 0 && self.passed > 0 && !(strict && self.count_left_out() > 0)
    }

    /// One line for each thing that was left out or failed outside a test, for people.
    pub(crate) fn remarks(&self) -> impl Iterator<Item = String> {
        let ignored = (self.ignored > 0)
            .then(|| format!("left out: {} tests marked #[ignore]", self.ignored));
        let left_out = self.left_out.iter().map(|line| format!("left out: {line}"));
        let failures = self.failures.iter().map(|line| format!("failed: {line}"));
        ignored.into_iter().chain(left_out).chain(failures)
    }

    fn count_left_out(&self) -> u64 {
        self.ignored.saturating_add(self.left_out.len() as u64)
    }
}

impl fmt::Display for Totals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (passed, failed) = (self.passed, self.failed);
        write!(
            f,
            "{passed} passed, {failed} failed, {} left out",
            self.count_left_out()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(lines: &[&str], shown: &str, passes: bool, passes_strictly: bool) {
        let mut totals = Totals::default();
        for line in lines {
            totals.add_line(line);
        }
        assert_eq!(totals.to_string(), shown, "{lines:?}");
        assert_eq!(totals.passed(false), passes, "{lines:?}");
        assert_eq!(totals.passed(true), passes_strictly, "{lines:?}");
    }

    #[test]
    fn the_totals_of_libtest_add_up() {
        let ok = "test result: ok. 10 passed; 0 failed; 0 ignored; 0 measured; 3 filtered out; finished in 0.34s";
        let ignored = "test result: ok. 2 passed; 0 failed; 4 ignored; 0 measured; 0 filtered out";
        let failed = "test result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 9.00s";
        check(&[ok], "10 passed, 0 failed, 0 left out", true, true);
        check(
            &[ok, "running 10 tests", ok],
            "20 passed, 0 failed, 0 left out",
            true,
            true,
        );
        check(
            &[ok, ignored],
            "12 passed, 0 failed, 4 left out",
            true,
            false,
        );
        check(
            &[ok, failed],
            "11 passed, 2 failed, 0 left out",
            false,
            false,
        );
        check(
            &["x test result: ok. 3 passed"],
            "0 passed, 0 failed, 0 left out",
            false,
            false,
        );
        check(
            &["test result: ok. many passed; 0 failed"],
            "0 passed, 0 failed, 0 left out",
            false,
            false,
        );
        check(&[], "0 passed, 0 failed, 0 left out", false, false);
    }

    #[test]
    fn lines_of_tap_are_counted() {
        let mut totals = Totals::default();
        for line in [
            "TAP version 13",
            "# Subtest: cards",
            "    ok 1 - a part of it",
            "ok 1 - cards",
            "not ok 2 - filters",
            "ok 3 - traffic in a namespace # SKIP not root",
            "okay",
            "1..3",
            "# pass 1",
        ] {
            totals.add_tap_line("browser", line);
        }
        assert_eq!(totals.to_string(), "1 passed, 1 failed, 1 left out");
        let remarks: Vec<_> = totals.remarks().collect();
        assert_eq!(
            remarks,
            ["left out: browser: traffic in a namespace: not root"]
        );
    }

    #[test]
    fn a_test_that_could_not_run_does_not_count_as_passed() {
        let mut totals = Totals::default();
        totals.add_line("test result: ok. 3 passed; 0 failed; 0 ignored");
        totals.add_left_out_lines("privileged", "xdp: no native XDP here\n\n");
        assert_eq!(totals.to_string(), "2 passed, 0 failed, 1 left out");
        assert!(totals.passed(false) && !totals.passed(true));
        let remarks: Vec<_> = totals.remarks().collect();
        assert_eq!(remarks, ["left out: privileged: xdp: no native XDP here"]);
    }

    #[test]
    fn a_command_that_fails_or_runs_nothing_is_a_failure() {
        let run = |script: &str| {
            let mut totals = Totals::default();
            totals
                .add_run("x", Step::new("sh").args(["-c", script]), |_| {})
                .unwrap();
            totals.to_string()
        };
        assert_eq!(run("exit 101"), "0 passed, 1 failed, 0 left out");
        assert_eq!(run("true"), "0 passed, 1 failed, 0 left out");
        assert_eq!(
            run("echo 'test result: ok. 1 passed; 0 failed'"),
            "1 passed, 0 failed, 0 left out"
        );
        assert_eq!(
            run("echo 'test result: FAILED. 1 passed; 1 failed'; exit 1"),
            "1 passed, 1 failed, 0 left out"
        );
    }
}
