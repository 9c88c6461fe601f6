//! The command line: what can be typed, and how it becomes a [`Config`] and the arguments of a
//! command. Executing a command is the work of its own file.

mod back_end;
mod flags;

pub mod doctor;
pub mod exchanges;
pub mod r#gen;
pub mod query;
pub mod read;
pub mod report;
pub mod run;
pub mod selftest;
pub mod serve;
pub mod sessions;
pub mod settings;
pub mod watch;

#[cfg(test)]
mod tests;

use std::ffi::OsString;
use std::io::{self, Write as _};
use std::path::Path;

use anyhow::Context as _;
use clap::Parser as _;

use crate::config::{
    Config, ConfigError, LogOutput, Origins, print, settings_from_environment, settings_from_file,
};
use crate::diagnostics;
use crate::exit::{self, Exit, UsageError};

use crate::store::{ExchangeFilter, SessionFilter};
use doctor::DoctorArguments;
use flags::{Cli, CommandFlags};
use r#gen::GenArguments;
use query::QueryArguments;
use read::ReadArguments;
use report::ReportArguments;
use run::RunArguments;
use selftest::SelftestArguments;
use serve::ServeArguments;
use watch::WatchArguments;

/// Runs the program with the command line and the environment of this process.
#[must_use]
pub fn main() -> Exit {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Also the way of --help and --version; a closed pipe is nothing to complain about.
            drop(error.print());
            return match error.exit_code() {
                0 => Exit::Done,
                _ => Exit::Usage,
            };
        }
    };
    match execute(cli) {
        Ok(exit) => exit,
        Err(error) => {
            exit::report(&error);
            Exit::of(&error)
        }
    }
}

fn execute(cli: Cli) -> anyhow::Result<Exit> {
    let Task {
        config,
        origins,
        command,
    } = Task::new(cli, std::env::vars_os())?;
    if matches!(command, Command::PrintConfig) {
        io::stdout()
            .write_all(print(&config, &origins).as_bytes())
            .context("cannot write to stdout")?;
        return Ok(Exit::Done);
    }
    let diagnostics = diagnostics::start(&config.diagnostics)?;
    let result = match command {
        Command::PrintConfig => Ok(Exit::Done),
        Command::Run(arguments) => run::run(config, arguments),
        Command::Read(arguments) => read::read(config, arguments),
        Command::Serve(arguments) => serve::serve(config, arguments),
        Command::Watch(arguments) => watch::watch(&config, arguments),
        Command::Exchanges(arguments) => exchanges::exchanges(config, arguments),
        Command::Sessions(arguments) => sessions::sessions(config, arguments),
        Command::Doctor(arguments) => doctor::doctor(config, arguments),
        Command::Gen(arguments) => r#gen::generate(arguments),
        Command::Report(arguments) => report::report(&config, &arguments),
        Command::Selftest(arguments) => selftest::selftest(&config, &arguments),
    };
    if let Err(error) = &result {
        diagnostics.failed(error);
    }
    result
}

/// What is to be done, fully resolved.
#[derive(Debug)]
struct Task {
    config: Config,
    origins: Origins,
    command: Command,
}

#[derive(Debug, PartialEq)]
enum Command {
    PrintConfig,
    Run(RunArguments),
    Read(ReadArguments),
    Serve(ServeArguments),
    Watch(WatchArguments),
    Exchanges(QueryArguments<ExchangeFilter>),
    Sessions(QueryArguments<SessionFilter>),
    Doctor(DoctorArguments),
    Gen(GenArguments),
    Report(ReportArguments),
    Selftest(SelftestArguments),
}

impl Task {
    /// Puts flags over `variables` over the file over the defaults.
    fn new(
        cli: Cli,
        variables: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> anyhow::Result<Self> {
        let Cli { common, command } = cli;
        let variables = settings_from_environment(variables)?;
        let read_file = |path: Option<&Path>| -> Result<_, ConfigError> {
            path.map_or_else(|| Ok(Vec::new()), settings_from_file)
        };
        let (defaults, file, mut flags) = match &command {
            CommandFlags::Run(flags) => {
                let file = read_file(flags.config.path())?;
                (Config::default(), file, flags.settings())
            }
            CommandFlags::Read(flags) => {
                let file = read_file(flags.config.path())?;
                (Config::defaults_of_read(), file, flags.settings())
            }
            CommandFlags::Serve(flags) => {
                let file = read_file(flags.config.path())?;
                (Config::default(), file, flags.settings())
            }
            CommandFlags::Watch(flags) => (watch::defaults(), Vec::new(), flags.server.settings()),
            CommandFlags::Exchanges(flags) => {
                let file = read_file(flags.show.config.path())?;
                (Config::default(), file, flags.show.settings())
            }
            CommandFlags::Sessions(flags) => {
                let file = read_file(flags.show.config.path())?;
                (Config::default(), file, flags.show.settings())
            }
            CommandFlags::Doctor
            | CommandFlags::Gen(_)
            | CommandFlags::Report(_)
            | CommandFlags::Selftest(_) => (Config::default(), Vec::new(), Vec::new()),
        };
        flags.extend(common.settings());
        let (config, origins) = Config::resolve(defaults, [file, variables, flags])?;
        let command = match command {
            CommandFlags::Run(flags) if flags.config.print() => Command::PrintConfig,
            CommandFlags::Read(flags) if flags.config.print() => Command::PrintConfig,
            CommandFlags::Serve(flags) if flags.config.print() => Command::PrintConfig,
            CommandFlags::Exchanges(flags) if flags.show.config.print() => Command::PrintConfig,
            CommandFlags::Sessions(flags) if flags.show.config.print() => Command::PrintConfig,
            CommandFlags::Exchanges(flags) => Command::Exchanges(flags.arguments(common.json)),
            CommandFlags::Sessions(flags) => Command::Sessions(flags.arguments(common.json)),
            CommandFlags::Run(flags) => {
                refuse_two_on_stdout(common.json, &config)?;
                Command::Run(flags.arguments(common.json))
            }
            CommandFlags::Read(flags) => {
                refuse_two_on_stdout(common.json, &config)?;
                Command::Read(flags.arguments(common.json)?)
            }
            CommandFlags::Serve(flags) => Command::Serve(flags.arguments(common.json)),
            CommandFlags::Watch(flags) => Command::Watch(flags.arguments(common.json)),
            CommandFlags::Doctor => Command::Doctor(DoctorArguments { json: common.json }),
            CommandFlags::Gen(flags) => Command::Gen(flags.arguments(common.json, common.quiet)?),
            CommandFlags::Report(flags) => Command::Report(flags.arguments(common.json)),
            CommandFlags::Selftest(flags) => {
                Command::Selftest(flags.arguments(common.json, common.quiet)?)
            }
        };
        Ok(Self {
            config,
            origins,
            command,
        })
    }
}

/// Writes what `--json` asks for: one document and a line end.
fn write_result(result: &impl serde::Serialize) -> anyhow::Result<()> {
    let mut text = serde_json::to_vec_pretty(result).context("cannot write the result as JSON")?;
    text.push(b'\n');
    let mut stdout = io::stdout().lock();
    stdout
        .write_all(&text)
        .and_then(|()| stdout.flush())
        .context("cannot write the result to stdout")
}

/// The result as one document and the lines cannot both go to stdout.
fn refuse_two_on_stdout(json: bool, config: &Config) -> Result<(), UsageError> {
    if json && config.log.output == LogOutput::Stdout {
        return Err(UsageError(
            "--json writes the result to stdout, where the lines go too: name a folder with \
             --log-dir, or ask for JSON lines with --format json"
                .to_owned(),
        ));
    }
    Ok(())
}
