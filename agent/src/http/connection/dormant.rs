//! Connections on which nothing happens: what has to be known when they go on, in a tenth of the memory.
//!
//! A busy host has tens of thousands of them: kept alive, or ended without that anybody said so.

use super::super::side::{Mode, Side};
use super::Connection;

/// A connection at rest.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Dormant {
    sides: [DormantSide; 2],
    numbered: u32,
    client: Option<bool>,
    roles_certain: bool,
    fresh: bool,
}

/// One direction at rest.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct DormantSide {
    pub(in super::super) position: u64,
    pub(in super::super) last_record: u32,
    pub(in super::super) mode: DormantMode,
    pub(in super::super) seen: bool,
    pub(in super::super) untouched: bool,
}

/// The modes in which a direction may rest.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in super::super) enum DormantMode {
    Lost,
    Boundary,
    Unframed,
    Opaque,
}

impl DormantMode {
    pub(in super::super) fn of(mode: Mode) -> Option<Self> {
        match mode {
            Mode::Lost => Some(Self::Lost),
            Mode::Boundary => Some(Self::Boundary),
            Mode::Unframed => Some(Self::Unframed),
            Mode::Opaque => Some(Self::Opaque),
            Mode::MaybeBody { .. } | Mode::Head | Mode::Chunked(_) => None,
        }
    }

    pub(in super::super) fn mode(self) -> Mode {
        match self {
            Self::Lost => Mode::Lost,
            Self::Boundary => Mode::Boundary,
            Self::Unframed => Mode::Unframed,
            Self::Opaque => Mode::Opaque,
        }
    }
}

impl Connection {
    /// What is left of the connection when nothing is outstanding, waits or is in doubt.
    pub(in super::super) fn dormant(&self) -> Option<Dormant> {
        if !self.requests.is_empty() || self.ahead > 0 || self.unsure > 0 {
            return None;
        }
        let [one, two] = &self.sides;
        Some(Dormant {
            sides: [one.dormant()?, two.dormant()?],
            numbered: self.numbered,
            client: self.client.map(|client| client == 1),
            roles_certain: self.roles_certain,
            fresh: self.fresh,
        })
    }

    /// The connection goes on.
    pub(in super::super) fn wake(slot: u32, generation: u32, dormant: &Dormant) -> Self {
        let mut connection = Self::new(slot, generation, dormant.fresh);
        connection.sides = dormant.sides.each_ref().map(Side::wake);
        connection.numbered = dormant.numbered;
        connection.client = dormant.client.map(usize::from);
        connection.roles_certain = dormant.roles_certain;
        connection
    }
}
