//! `tapline gen`: generators of logs and of load, one file each.

pub mod access;
pub mod events;
pub mod http;
pub mod packets;
pub mod sessions;

use clap::{Args, Subcommand};

use self::access::{AccessArguments, AccessFlags};
use self::events::{EventsArguments, EventsFlags};
use self::http::{HttpArguments, HttpFlags};
use self::packets::{PacketsArguments, PacketsFlags};
use self::sessions::{SessionsArguments, SessionsFlags};
use crate::exit::Exit;

pub(super) const HELP: &str = "\
Generators: sessions (network sessions, to an API, the store or a file), events (logs of services
with labelled anomalies), access (the access log of a web shop), http (HTTP load, and a target for
it) and packets (frames of conversations). tapline gen NAME --help tells the rest.";

/// Flags of `tapline gen`.
#[derive(Debug, Args)]
pub(super) struct GenFlags {
    #[command(subcommand)]
    generator: GeneratorFlags,
}

#[derive(Debug, Subcommand)]
enum GeneratorFlags {
    /// Make sessions: to an HTTP API, to the store, or as JSON or CSV
    #[command(after_help = sessions::HELP)]
    Sessions(Box<SessionsFlags>),
    /// Make the access log of a web shop, as its users are moved by a state machine
    #[command(after_help = access::HELP)]
    Access(Box<AccessFlags>),
    /// Make logs of services with anomalies among them: to files or stdout, or over HTTP
    #[command(after_help = events::HELP)]
    Events(Box<EventsFlags>),
    /// Make frames of conversations that carry HTTP/1, of every shape at which captures go wrong
    #[command(after_help = packets::HELP)]
    Packets(Box<PacketsFlags>),
    /// Send HTTP/1.1 requests, closed or open loop, and measure the answers; or be the target
    #[command(after_help = http::HELP)]
    Http(Box<HttpFlags>),
}

/// What a generator is told.
#[derive(Debug, PartialEq)]
pub enum GenArguments {
    /// Of `tapline gen sessions`.
    Sessions(Box<SessionsArguments>),
    /// Of `tapline gen access`.
    Access(AccessArguments),
    /// Of `tapline gen events`.
    Events(Box<EventsArguments>),
    /// Of `tapline gen packets`.
    Packets(Box<PacketsArguments>),
    /// Of `tapline gen http`.
    Http(HttpArguments),
}

impl GenFlags {
    /// The flags with those of every command.
    ///
    /// # Errors
    /// They do not go together.
    pub(super) fn arguments(self, json: bool, quiet: bool) -> anyhow::Result<GenArguments> {
        match self.generator {
            GeneratorFlags::Sessions(flags) => {
                let arguments = flags.arguments(json, quiet)?;
                Ok(GenArguments::Sessions(Box::new(arguments)))
            }
            GeneratorFlags::Access(flags) => {
                Ok(GenArguments::Access(flags.arguments(json, quiet)?))
            }
            GeneratorFlags::Events(flags) => {
                let arguments = flags.arguments(json, quiet)?;
                Ok(GenArguments::Events(Box::new(arguments)))
            }
            GeneratorFlags::Packets(flags) => {
                let arguments = flags.arguments(json, quiet)?;
                Ok(GenArguments::Packets(Box::new(arguments)))
            }
            GeneratorFlags::Http(flags) => Ok(GenArguments::Http(flags.arguments(json, quiet)?)),
        }
    }
}

/// Generates until there is enough, or until told to stop.
///
/// # Errors
/// What the generator says.
pub fn generate(arguments: GenArguments) -> anyhow::Result<Exit> {
    match arguments {
        GenArguments::Sessions(arguments) => sessions::generate(&arguments),
        GenArguments::Access(arguments) => access::generate(arguments),
        GenArguments::Events(arguments) => events::generate(&arguments),
        GenArguments::Packets(arguments) => packets::generate(&arguments),
        GenArguments::Http(arguments) => http::generate(arguments),
    }
}
