//! The format of lines, as it is typed.

use crate::analysis::format::{Format, Pattern};
use crate::analysis::run::Chosen;
use crate::exit::UsageError;

/// The format that `--log-format` names: by a name, or by a format string of GoAccess with the formats
/// of its dates and times.
///
/// # Errors
/// There is no such name, or the string is none.
pub(in crate::cli) fn chosen(
    text: &str,
    date: Option<&str>,
    time: Option<&str>,
) -> Result<Chosen, UsageError> {
    if let Ok(format) = text.parse() {
        return Ok(Chosen::Named(format));
    }
    if let Some(pattern) = Pattern::named(text) {
        return Ok(Chosen::Pattern(pattern));
    }
    if !text.contains('%') {
        let names: Vec<&str> = Format::all()
            .filter(|format| *format != Format::Pattern)
            .map(Format::name)
            .chain(["AWSS3", "CLOUDSTORAGE"])
            .collect();
        return Err(UsageError(format!(
            "--log-format: there is no format '{text}'; there are {}, and format strings like '%h %^[%x] \"%r\" %s %b'",
            names.join(", ")
        )));
    }
    Pattern::new(text, date, time)
        .map(Chosen::Pattern)
        .map_err(|error| UsageError(format!("--log-format: {error}")))
}
