//! What this host allows, and what to do about what it does not.
//!
//! [`examine`] looks and changes nothing. It works without privileges too: what it could not find out
//! then is `unknown`, with the reason. [`to_text`] and [`Report`] show the findings.

mod interface;
mod kernel;

use std::fmt::Write as _;

use serde::Serialize;

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What kind of thing it is.
    pub topic: Topic,
    /// What was looked at: "kernel", "hook tc", "eth0 offloads".
    pub about: String,
    /// How it stands.
    pub state: State,
    /// What was found, in one line.
    pub finding: String,
    /// What to do about it, in one line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub advice: Option<String>,
}

/// What kind of thing a [`Check`] is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Topic {
    /// The kernel and its settings.
    Kernel,
    /// A place where the kernel program can sit.
    Hook,
    /// One network interface.
    Interface,
}

/// How a thing stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// As it should be.
    Works,
    /// It works, at a price or in part.
    Limited,
    /// It does not work.
    DoesNot,
    /// It could not be found out.
    Unknown,
}

impl State {
    fn word(self) -> &'static str {
        match self {
            Self::Works => "works",
            Self::Limited => "limited",
            Self::DoesNot => "does not",
            Self::Unknown => "unknown",
        }
    }
}

impl Check {
    fn new(
        topic: Topic,
        about: impl Into<String>,
        state: State,
        finding: impl Into<String>,
    ) -> Self {
        Self {
            topic,
            about: about.into(),
            state,
            finding: finding.into(),
            advice: None,
        }
    }

    fn advise(mut self, advice: impl Into<String>) -> Self {
        self.advice = Some(advice.into());
        self
    }
}

/// Looks at the kernel, the hooks and every interface of this network namespace. Takes some
/// milliseconds; loads probes of two instructions where it may, attaches nothing.
pub fn examine() -> Vec<Check> {
    let mut checks = kernel::checks();
    checks.extend(interface::checks());
    checks
}

/// Whether capture can work here at all: at least one hook works, or works in part.
pub fn can_capture(checks: &[Check]) -> bool {
    checks.iter().any(|check| {
        check.topic == Topic::Hook && matches!(check.state, State::Works | State::Limited)
    })
}

/// The result as one JSON document.
#[derive(Clone, Debug, Serialize)]
pub struct Report<'a> {
    /// [`can_capture`].
    pub can_capture: bool,
    /// All that was looked at.
    pub checks: &'a [Check],
}

impl<'a> Report<'a> {
    /// Around these checks.
    pub fn new(checks: &'a [Check]) -> Self {
        Self {
            can_capture: can_capture(checks),
            checks,
        }
    }
}

/// One line a check, advice below it. Control characters (an interface may have them in its name) are
/// written as `\xNN`.
pub fn to_text(checks: &[Check]) -> String {
    let width = checks.iter().map(|check| check.about.chars().count()).max();
    let width = width.unwrap_or_default();
    let mut text = String::new();
    for check in checks {
        let Check {
            topic: _,
            about,
            state,
            finding,
            advice,
        } = check;
        push_line(
            &mut text,
            &format!("{:8}  {about:width$}  {finding}", state.word()),
        );
        if let Some(advice) = advice {
            push_line(&mut text, &format!("{:8}  {:width$}  -> {advice}", "", ""));
        }
    }
    text
}

fn push_line(text: &mut String, line: &str) {
    for character in line.trim_end().chars() {
        if character.is_control() {
            // Writing to a String does not fail.
            let _infallible = write!(text, "\\x{:02x}", u32::from(character));
        } else {
            text.push(character);
        }
    }
    text.push('\n');
}

#[cfg(test)]
mod tests {
    use super::super::testing::{forked, is_child, is_root, rerun};
    use super::*;

    fn two() -> [Check; 2] {
        [
            Check::new(Topic::Kernel, "kernel", State::Works, "6.18"),
            Check::new(Topic::Hook, "hook \u{1b}[31mx", State::DoesNot, "refused")
                .advise("run as root"),
        ]
    }

    #[test]
    fn text_is_one_line_a_check_and_cannot_be_forged() {
        assert_eq!(
            to_text(&two()),
            "works     kernel       6.18\n\
             does not  hook \\x1b[31mx  refused\n\
             \x20                      -> run as root\n"
        );
        assert_eq!(to_text(&[]), "");
    }

    #[test]
    fn json_has_stable_names() {
        let json = serde_json::to_value(Report::new(&two())).unwrap();
        assert_eq!(json["can_capture"], false);
        assert_eq!(
            json["checks"][0],
            serde_json::json!({"topic": "kernel", "about": "kernel", "state": "works", "finding": "6.18"})
        );
        assert_eq!(json["checks"][1]["state"], "does_not");
        assert_eq!(json["checks"][1]["advice"], "run as root");
    }

    #[test]
    fn capture_needs_one_hook() {
        let check = |states: &[State], expected: bool| {
            let checks: Vec<_> = states
                .iter()
                .map(|state| Check::new(Topic::Hook, "", *state, ""))
                .collect();
            assert_eq!(can_capture(&checks), expected, "{states:?}");
        };
        check(&[], false);
        check(&[State::DoesNot, State::Unknown], false);
        check(&[State::DoesNot, State::Limited], true);
        check(&[State::Works], true);
        assert!(!can_capture(&[Check::new(
            Topic::Kernel,
            "kernel",
            State::Works,
            ""
        )]));
    }

    /// Every check says something, and what does not work comes with advice.
    #[track_caller]
    fn check_is_whole(checks: &[Check]) {
        for about in [
            "kernel",
            "kernel types",
            "maps",
            "hook tc",
            "hook socket",
            "hook xdp",
            "lo",
            "lo xdp",
        ] {
            assert_eq!(
                checks.iter().filter(|check| check.about == about).count(),
                1,
                "{about}"
            );
        }
        for check in checks {
            assert!(
                !check.finding.is_empty() && !check.finding.contains('\n'),
                "{check:?}"
            );
            let fine = matches!(check.state, State::Works | State::Limited);
            assert!(fine || check.advice.is_some(), "{check:?}");
        }
    }

    #[test]
    fn this_host_is_examined() {
        let checks = examine();
        check_is_whole(&checks);
        if is_root("that a hook works") {
            assert!(can_capture(&checks), "{}", to_text(&checks));
        }
        println!("{}", to_text(&checks));
    }

    #[test]
    fn without_privileges_it_says_what_it_cannot_find_out() {
        const NAME: &str =
            "host::doctor::tests::without_privileges_it_says_what_it_cannot_find_out";
        if is_child(NAME) {
            forked(|| {
                let nobody = super::super::privileges::User::find("nobody").unwrap();
                super::super::privileges::reduce(&[], Some(&nobody)).unwrap();
                let checks = examine();
                check_is_whole(&checks);
                println!("{}", to_text(&checks));
                let state = |about: &str| {
                    checks
                        .iter()
                        .find(|check| check.about == about)
                        .unwrap()
                        .state
                };
                assert_eq!(state("hook tc"), State::DoesNot);
                assert_eq!(state("hook socket"), State::DoesNot);
                assert_eq!(state("maps"), State::Unknown);
                assert!(!can_capture(&checks));
            });
        } else if is_root(NAME) {
            rerun(NAME, &[]);
        }
    }
}
