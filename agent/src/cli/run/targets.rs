//! Which interfaces are wanted, and keeping hooks on them as they come and go.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use anyhow::bail;

use crate::capture::hooks::Hooks;
use crate::config::Interfaces;
use crate::exit::UsageError;
use crate::host::interfaces::{self, Interface, InterfaceError};
use crate::host::watch::Event;

/// The interfaces that capture is wanted on.
#[derive(Debug)]
pub(super) struct Targets {
    wanted: Wanted,
    present: Vec<Interface>,
    /// Indices of those that cannot be captured; it was said.
    passed_over: BTreeSet<u32>,
}

#[derive(Debug)]
enum Wanted {
    Any,
    Named(Vec<String>),
}

impl Targets {
    /// Finds the interfaces that are wanted.
    pub(super) fn new(wanted: &Interfaces) -> anyhow::Result<Self> {
        Ok(match wanted {
            Interfaces::Any => Self {
                wanted: Wanted::Any,
                present: interfaces::list()?,
                passed_over: BTreeSet::new(),
            },
            Interfaces::DefaultRoute => {
                let interface = interfaces::of_default_route().map_err(usage)?;
                Self {
                    wanted: Wanted::Named(vec![interface.name.clone()]),
                    present: vec![interface],
                    passed_over: BTreeSet::new(),
                }
            }
            Interfaces::Named(names) => {
                let mut present: Vec<Interface> = Vec::new();
                for name in names {
                    let interface = interfaces::by_name(name).map_err(usage)?;
                    if !present.iter().any(|known| known.index == interface.index) {
                        present.push(interface);
                    }
                }
                Self {
                    wanted: Wanted::Named(
                        present
                            .iter()
                            .map(|interface| interface.name.clone())
                            .collect(),
                    ),
                    present,
                    passed_over: BTreeSet::new(),
                }
            }
        })
    }

    /// Attaches to what is there. With `any`, interfaces that cannot be captured are passed over with
    /// a warning, unless none can.
    pub(super) fn attach_present(&mut self, hooks: &mut Hooks) -> anyhow::Result<()> {
        let mut first_error = None;
        for interface in lowest_first(&self.present) {
            match hooks.attach(interface) {
                Ok(()) if !interface.up && matches!(self.wanted, Wanted::Named(_)) => {
                    tracing::warn!(
                        interface = interface.name,
                        "the interface is down; capture begins as soon as it is up"
                    );
                }
                Ok(()) => {}
                Err(error) if matches!(self.wanted, Wanted::Any) => {
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        "an interface is passed over"
                    );
                    self.passed_over.insert(interface.index);
                    first_error.get_or_insert(error);
                }
                Err(error) => return Err(error.into()),
            }
        }
        match first_error {
            Some(error) if hooks.is_empty() => Err(error.into()),
            _ if hooks.is_empty() => bail!("there is no interface to capture on"),
            _ => Ok(()),
        }
    }

    /// Takes hooks on wanted interfaces that have none, and forgets those that are gone.
    pub(super) fn compare(&mut self, now: &[Interface], hooks: &mut Hooks) {
        for interface in &self.present {
            if !now.iter().any(|other| other.index == interface.index) {
                hooks.detach(interface.index);
            }
        }
        self.present = now.to_vec();
        for interface in lowest_first(now) {
            self.attach_wanted(interface, hooks);
        }
    }

    /// Follows a change.
    pub(super) fn event(&mut self, event: &Event, hooks: &mut Hooks) {
        match event {
            Event::Appeared { index, name } | Event::Renamed { index, name } => {
                if let Ok(interface) = interfaces::by_name(name)
                    && interface.index == *index
                {
                    self.attach_wanted(&interface, hooks);
                }
            }
            Event::Gone { index } => {
                self.passed_over.remove(index);
                if hooks.is_attached(*index) {
                    tracing::warn!(
                        interface = hooks.describe_one(*index),
                        "the interface is gone; capture goes on when it comes back"
                    );
                    hooks.detach(*index);
                }
            }
            Event::Up { .. } | Event::Down { .. } | Event::AddressesChanged | Event::Lost => {}
        }
    }

    fn attach_wanted(&mut self, interface: &Interface, hooks: &mut Hooks) {
        let wanted = match &self.wanted {
            Wanted::Any => true,
            Wanted::Named(names) => names.contains(&interface.name),
        };
        let known = self.passed_over.contains(&interface.index);
        if !wanted || known || hooks.is_attached(interface.index) {
            return;
        }
        match hooks.attach(interface) {
            Ok(()) => tracing::info!(
                interface = hooks.describe_one(interface.index),
                "captures on an interface that appeared"
            ),
            Err(error) => {
                self.passed_over.insert(interface.index);
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "cannot capture on an interface that appeared"
                );
            }
        }
    }
}

/// An interface that is not there is wrong usage; that the kernel cannot be asked is not.
fn usage(error: InterfaceError) -> anyhow::Error {
    match error {
        InterfaceError::Netlink(error) => error.into(),
        error => UsageError(error.to_string()).into(),
    }
}

/// Interfaces in the order in which they are attached to: ports before their bridge or bond, because the kernel takes
/// no XDP program below one that is there.
fn lowest_first(interfaces: &[Interface]) -> Vec<&Interface> {
    let above = |interface: &Interface| {
        let master = interface.master?;
        interfaces.iter().find(|other| other.index == master)
    };
    let mut ordered: Vec<&Interface> = interfaces.iter().collect();
    ordered.sort_by_cached_key(|interface| {
        // A ring of masters cannot be; what is told of one that changes meanwhile may be anything.
        let chain = std::iter::successors(Some(*interface), |interface| above(interface));
        Reverse(chain.take(interfaces.len()).count())
    });
    ordered
}
