//! From netlink messages to events: pure, remembers what was last known of each interface.

use std::collections::{BTreeMap, VecDeque};

use super::super::interfaces::{Interface, link, link_header};
use super::super::netlink::Message;
use super::Event;

/// What is known of the interfaces.
#[derive(Debug)]
pub(super) struct Links {
    known: BTreeMap<u32, Known>,
}

#[derive(Debug)]
struct Known {
    name: String,
    up: bool,
}

impl Links {
    /// Begins with the interfaces there are.
    pub(super) fn new(interfaces: &[Interface]) -> Self {
        let known = interfaces
            .iter()
            .map(|interface| (interface.index, Known::of(interface)))
            .collect();
        Self { known }
    }

    /// Takes one notice and appends what it changes.
    pub(super) fn take(&mut self, message: Message<'_>, events: &mut VecDeque<Event>) {
        match message.kind {
            libc::RTM_NEWLINK => {
                if let Some(interface) = link(message) {
                    self.seen(&interface, events);
                }
            }
            libc::RTM_DELLINK => {
                if let Some((header, _)) = link_header(message) {
                    self.gone(header.index, events);
                }
            }
            libc::RTM_NEWADDR | libc::RTM_DELADDR | libc::RTM_NEWROUTE | libc::RTM_DELROUTE => {
                addresses_changed(events);
            }
            _ => {}
        }
    }

    /// Takes a fresh list of all interfaces and appends what differs from what was known.
    pub(super) fn compare(&mut self, interfaces: &[Interface], events: &mut VecDeque<Event>) {
        let missing: Vec<u32> = self
            .known
            .keys()
            .filter(|index| interfaces.iter().all(|found| found.index != **index))
            .copied()
            .collect();
        for index in missing {
            self.gone(index, events);
        }
        for interface in interfaces {
            self.seen(interface, events);
        }
    }

    fn seen(&mut self, interface: &Interface, events: &mut VecDeque<Event>) {
        let index = interface.index;
        let now = Known::of(interface);
        let was_up = match self.known.get(&index) {
            Some(before) => {
                if before.name != now.name {
                    events.push_back(Event::Renamed {
                        index,
                        name: now.name.clone(),
                    });
                }
                before.up
            }
            None => {
                events.push_back(Event::Appeared {
                    index,
                    name: now.name.clone(),
                });
                false
            }
        };
        match (was_up, now.up) {
            (false, true) => events.push_back(Event::Up { index }),
            (true, false) => events.push_back(Event::Down { index }),
            _ => {}
        }
        if was_up != now.up {
            // The kernel takes local routes along with the interface without a notice of their own.
            addresses_changed(events);
        }
        self.known.insert(index, now);
    }

    fn gone(&mut self, index: u32, events: &mut VecDeque<Event>) {
        if self.known.remove(&index).is_some() {
            events.push_back(Event::Gone { index });
            addresses_changed(events);
        }
    }
}

impl Known {
    fn of(interface: &Interface) -> Self {
        Self {
            name: interface.name.clone(),
            up: interface.up,
        }
    }
}

/// Said once, however many addresses change at a time.
fn addresses_changed(events: &mut VecDeque<Event>) {
    if !events.contains(&Event::AddressesChanged) {
        events.push_back(Event::AddressesChanged);
    }
}
