//! `tapline gen sessions --print-config`: what would be done, as YAML.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use super::{Format, SessionsArguments, SessionsTo};
use crate::exit::Exit;
use crate::generate::output::Destination;
use crate::generate::sessions::words::Language;

/// Writes it to stdout.
pub(super) fn print_config(arguments: &SessionsArguments) -> anyhow::Result<Exit> {
    let mut text = arguments.bounds.to_yaml();
    let mut line = |key: &str, value: &dyn std::fmt::Display| {
        text.push_str(&format!("{key}: {value}\n"));
    };
    match arguments.daemon {
        Some(interval) => {
            line("daemon", &true);
            line("interval", &format_args!("{interval:?}"));
        }
        None => line("daemon", &false),
    }
    line("realistic", &arguments.realistic);
    line(
        "lang",
        &match arguments.language {
            Language::English => "en",
            Language::Korean => "ko",
        },
    );
    // As a text in YAML, which JSON's are.
    let quoted = |path: &Path| serde_json::Value::from(path.display().to_string());
    let or_none = |path: &Option<PathBuf>| quoted(path.as_deref().unwrap_or_else(|| Path::new("")));
    match &arguments.destination {
        SessionsTo::Api(api) => {
            line("api_url", &serde_json::Value::from(api.url.as_str()));
            line("batch", &api.batch.unwrap_or(0));
            line("connections", &api.connections);
            line("gzip", &api.gzip);
            line("retry", &format_args!("{}ms", api.patience.as_millis()));
            line("token_file", &or_none(&api.token_file));
            line("ca_file", &or_none(&api.ca_file));
        }
        SessionsTo::Store(folder) => line("sqlite", &quoted(folder)),
        SessionsTo::Output(destination, format) => {
            match destination {
                Destination::Stdout => line("output", &"stdout"),
                Destination::New(path) | Destination::File(path) | Destination::Append(path) => {
                    line("output", &quoted(path));
                    line("overwrite", &matches!(destination, Destination::File(_)));
                }
            }
            line(
                "format",
                &match format {
                    Format::Ndjson => "ndjson",
                    Format::Csv => "csv",
                },
            );
        }
    }
    let mut stdout = io::stdout().lock();
    stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush())
        .context("cannot write to stdout")?;
    Ok(Exit::Done)
}
