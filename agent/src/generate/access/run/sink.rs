//! Where lines go, open: the three logs, stdout, or nowhere.

use jiff::tz::TimeZone;

use super::plan::{Plan, To};
use crate::generate::access::files::Deleted;
use crate::generate::access::logs::Logs;
use crate::generate::access::work::Block;
use crate::generate::output::{Destination, Output};

/// Where lines go, open.
pub(super) enum Sink {
    Files(Box<Logs>),
    Stdout(Output),
    /// Bytes that would have been written.
    Nowhere(u64),
}

impl Sink {
    pub(super) fn open(plan: &Plan, zone: &TimeZone, head: &'static [u8]) -> anyhow::Result<Self> {
        Ok(match plan.to {
            To::Files => Self::Files(Box::new(Logs::open(&plan.config.output, zone, head)?)),
            To::Stdout => {
                let mut output = Output::open(&Destination::Stdout)?;
                output.write(head)?;
                Self::Stdout(output)
            }
            To::Nowhere => Self::Nowhere(head.len() as u64),
        })
    }

    pub(super) fn write(&mut self, block: &Block) -> anyhow::Result<()> {
        match self {
            Self::Files(logs) => logs.write(block)?,
            Self::Stdout(output) => output.write(&block.access)?,
            Self::Nowhere(bytes) => *bytes += block.access.len() as u64,
        }
        Ok(())
    }

    pub(super) fn flush(&mut self) -> anyhow::Result<()> {
        match self {
            Self::Stdout(output) => Ok(output.flush()?),
            Self::Files(_) | Self::Nowhere(_) => Ok(()),
        }
    }

    /// Lines that it was given and that are not there.
    pub(super) const fn lost_lines(&self) -> u64 {
        match self {
            Self::Files(logs) => logs.lost_lines(),
            Self::Stdout(output) => output.lost_lines(),
            Self::Nowhere(_) => 0,
        }
    }

    /// What rotation deleted.
    pub(super) fn deleted(&self) -> Deleted {
        match self {
            Self::Files(logs) => logs.deleted(),
            Self::Stdout(_) | Self::Nowhere(_) => Deleted::default(),
        }
    }

    pub(super) fn bytes(&self) -> u64 {
        match self {
            Self::Files(logs) => logs.bytes(),
            Self::Stdout(output) => output.bytes(),
            Self::Nowhere(bytes) => *bytes,
        }
    }
}
