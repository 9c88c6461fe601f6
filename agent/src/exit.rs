//! How the program ends: exit codes, and the one line that says why it failed.

use std::fmt;
use std::io;
use std::process::ExitCode;

use crate::config::ConfigError;
use crate::diagnostics::row;

/// How the program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// 0: done.
    Done,
    /// 1: failed.
    Failed,
    /// 2: wrong usage or configuration.
    Usage,
    /// 4: a target cannot be reached.
    Unreachable,
    /// 5: part of the records was refused.
    Refused,
    /// 6: the asked-for rate was not met.
    RateNotMet,
    /// 99: a threshold failed.
    ThresholdFailed,
}

impl Exit {
    /// The exit code.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Unreachable => 4,
            Self::Refused => 5,
            Self::RateNotMet => 6,
            Self::ThresholdFailed => 99,
        }
    }

    /// How the program ends with this error: as its chain of causes says.
    ///
    /// A closed pipe is [`Done`](Self::Done): whoever read our output has seen enough. A
    /// [`ConfigError`] or [`UsageError`] is [`Usage`](Self::Usage), all else [`Failed`](Self::Failed).
    #[must_use]
    pub fn of(error: &anyhow::Error) -> Self {
        for cause in error.chain() {
            if let Some(error) = cause.downcast_ref::<io::Error>()
                && error.kind() == io::ErrorKind::BrokenPipe
            {
                return Self::Done;
            }
            if cause.is::<ConfigError>() || cause.is::<UsageError>() {
                return Self::Usage;
            }
        }
        Self::Failed
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// What was asked for cannot be: an unknown interface, two flags that exclude each other. Ends the
/// program with exit code 2 wherever it stands in the chain of causes.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct UsageError(pub String);

/// Says on stderr, in one line, why the program failed: `tapline: what: its cause: …`. A closed pipe
/// is no failure and says nothing.
pub fn report(error: &anyhow::Error) {
    if Exit::of(error) == Exit::Done {
        return;
    }
    // Nothing is left to do when stderr is gone too.
    drop(row::line(&format!("tapline: {}\n", OneLine(error))));
}

/// An error and its causes in one line, control characters escaped: the texts may quote files and
/// packets.
pub struct OneLine<'a>(pub &'a anyhow::Error);

impl fmt::Display for OneLine<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = format!("{:#}", self.0);
        for letter in text.chars() {
            match letter.is_control() {
                true => write!(formatter, "{}", letter.escape_default())?,
                false => write!(formatter, "{letter}")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use anyhow::Context as _;

    use super::{Exit, OneLine, UsageError};

    #[test]
    fn the_chain_of_causes_decides() {
        let check = |error: anyhow::Error, exit: Exit| {
            assert_eq!(Exit::of(&error), exit, "{error:#}");
            let deeper = error.context("cannot go on").context("cannot run");
            assert_eq!(Exit::of(&deeper), exit, "{deeper:#}");
        };
        check(anyhow::anyhow!("a disk is full"), Exit::Failed);
        check(
            io::Error::from(io::ErrorKind::NotFound).into(),
            Exit::Failed,
        );
        check(
            io::Error::from(io::ErrorKind::BrokenPipe).into(),
            Exit::Done,
        );
        check(UsageError("no".to_owned()).into(), Exit::Usage);
        let unknown = [("TAPLINE_X".into(), "y".into())];
        let error = crate::config::settings_from_environment(unknown).unwrap_err();
        check(error.into(), Exit::Usage);
    }

    #[test]
    fn an_error_is_one_line() {
        let cause: anyhow::Result<()> = Err(io::Error::other("two\nlines \u{1b}[31m").into());
        let error = cause.context("cannot read x").unwrap_err();
        assert_eq!(
            OneLine(&error).to_string(),
            "cannot read x: two\\nlines \\u{1b}[31m"
        );
    }

    #[test]
    fn codes() {
        let check = |exit: Exit, code: u8| assert_eq!(exit.code(), code);
        check(Exit::Done, 0);
        check(Exit::Failed, 1);
        check(Exit::Usage, 2);
        check(Exit::Unreachable, 4);
        check(Exit::Refused, 5);
        check(Exit::RateNotMet, 6);
        check(Exit::ThresholdFailed, 99);
    }
}
