//! What each interface allows, and what capture would cost there.

use aya::programs::SchedClassifier;
use aya::programs::tc::TcAttachType;

use super::super::ethtool::{Driver, XdpFeatures, driver, xdp_features};
use super::super::interfaces::{self, Interface, LinkLayer, XdpAttached, XdpMode};
use super::kernel::{chain, errno};
use super::{Check, State, Topic};

/// All checks of all interfaces.
pub(super) fn checks() -> Vec<Check> {
    match interfaces::list() {
        Ok(interfaces) => interfaces
            .into_iter()
            .flat_map(|interface| {
                let facts = Facts::collect(interface);
                [facts.interface(), facts.offloads(), facts.tc(), facts.xdp()]
            })
            .collect(),
        Err(error) => vec![
            Check::new(
                Topic::Interface,
                "interfaces",
                State::Unknown,
                chain(&error),
            )
            .advise("see whether a security module or a seccomp filter forbids netlink"),
        ],
    }
}

/// What is known of one interface.
struct Facts {
    interface: Interface,
    driver: Driver,
    features: Option<XdpFeatures>,
    /// Names of the programs on tcx, both directions; or why they are not known.
    programs: Result<Vec<String>, NotKnown>,
    /// Whether there is a clsact qdisc; `None` if that is not known.
    clsact: Option<bool>,
}

enum NotKnown {
    NoTcx,
    Failed(String),
}

impl Facts {
    fn collect(interface: Interface) -> Self {
        Self {
            driver: driver(&interface.name).unwrap_or_default(),
            features: xdp_features(interface.index),
            programs: programs(&interface.name),
            clsact: interfaces::has_clsact(interface.index).ok(),
            interface,
        }
    }

    fn check(&self, part: &str, state: State, finding: impl Into<String>) -> Check {
        let about = format!("{}{part}", self.interface.name);
        Check::new(Topic::Interface, about, state, finding)
    }

    /// Whether it is up, and of a kind that can be read.
    fn interface(&self) -> Check {
        let Interface {
            mtu, link_layer, ..
        } = self.interface;
        let driver = self
            .driver
            .name
            .as_deref()
            .or(self.interface.kind.as_deref());
        let driver = driver.map_or_else(
            || "driver not told".to_owned(),
            |name| format!("driver {name}"),
        );
        let frames = match link_layer {
            LinkLayer::Ethernet => "Ethernet frames",
            LinkLayer::Raw => "bare IP packets",
            LinkLayer::Other(number) => {
                return self
                    .check(
                        "",
                        State::DoesNot,
                        format!("its frames are of a kind (ARPHRD {number}) that is not read"),
                    )
                    .advise("capture on the interface that its packets go through next");
            }
        };
        let state = match (self.interface.up, self.interface.running) {
            (true, true) => "up",
            (true, false) => "up, without a carrier",
            (false, _) => {
                return self
                    .check(
                        "",
                        State::Limited,
                        format!("down; {frames}, MTU {mtu}, {driver}"),
                    )
                    .advise(format!(
                        "ip link set {} up; capture begins when it is",
                        self.interface.name
                    ));
            }
        };
        self.check(
            "",
            State::Works,
            format!("{state}; {frames}, MTU {mtu}, {driver}"),
        )
    }

    /// What the offloads mean for what is counted.
    fn offloads(&self) -> Check {
        let Driver {
            name: _,
            receive_offload,
            segmentation,
            tcp_segmentation,
            large_receive,
        } = self.driver;
        let all = [
            (receive_offload, "GRO"),
            (segmentation, "GSO"),
            (tcp_segmentation, "TSO"),
            (large_receive, "LRO"),
        ];
        if all.iter().all(|(state, _)| state.is_none()) {
            return self
                .check(" offloads", State::Unknown, "the driver does not tell")
                .advise("nothing: packets are counted by their segments either way");
        }
        let on: Vec<&str> = all
            .iter()
            .filter(|(state, _)| *state == Some(true))
            .map(|(_, name)| *name)
            .collect();
        if on.is_empty() {
            return self.check(
                " offloads",
                State::Works,
                "none on: each packet is seen as on the wire, at more cost a byte",
            );
        }
        let mut finding = format!(
            "{} on: tc and socket see many packets as one, cheaply; their segments are counted",
            on.join(", ")
        );
        if large_receive == Some(true) {
            finding.push_str("; LRO does not keep exact packet counts, and XDP switches it off");
        }
        self.check(" offloads", State::Works, finding)
    }

    /// Who else sits at tc.
    fn tc(&self) -> Check {
        let clsact = match self.clsact {
            Some(true) => "; a clsact qdisc is there and stays",
            Some(false) => "",
            None => "; whether there is a clsact qdisc could not be read",
        };
        match &self.programs {
            Ok(programs) if programs.is_empty() => self.check(
                " tc",
                State::Works,
                format!("no other program on tcx{clsact}"),
            ),
            Ok(programs) => self.check(
                " tc",
                State::Works,
                format!(
                    "Tapline goes before what is on tcx ({}){clsact}",
                    programs.join(", ")
                ),
            ),
            Err(NotKnown::NoTcx) => self.check(" tc", State::Works, format!("by clsact{clsact}")),
            Err(NotKnown::Failed(why)) => self
                .check(
                    " tc",
                    State::Unknown,
                    format!("which programs are on tcx: {why}{clsact}"),
                )
                .advise("run as root to find out"),
        }
    }

    /// Whether XDP can go on, how, and what it would cost.
    fn xdp(&self) -> Check {
        /// A page less headroom and trailer: the longest packet of one buffer that drivers take.
        const ONE_BUFFER: u32 = 3498;
        if let Some(XdpAttached { mode, program }) = self.interface.xdp {
            let mode = match mode {
                XdpMode::Native => "native",
                XdpMode::Generic => "generic",
                XdpMode::Offloaded => "offloaded",
                XdpMode::Several => "in several modes",
            };
            return self
                .check(
                    " xdp",
                    State::DoesNot,
                    format!("taken by program {program} ({mode})"),
                )
                .advise(format!(
                    "use tc, or take that program away: ip link set {} xdp off",
                    self.interface.name
                ));
        }
        let generic = |why: &str| {
            self.check(" xdp", State::Limited, format!("generic only: {why}"))
                .advise("use tc: it costs the same there")
        };
        if self.interface.loopback {
            return generic("loopback has no driver");
        }
        let Some(features) = self.features else {
            return self
                .check(
                    " xdp",
                    State::Unknown,
                    "the kernel does not tell (before 6.3)",
                )
                .advise(format!(
                    "look up whether {} has native XDP; generic works everywhere",
                    self.driver.name.as_deref().unwrap_or("the driver")
                ));
        };
        if !features.native() {
            return generic("the driver has no native XDP");
        }
        if self.interface.mtu > ONE_BUFFER && !features.several_buffers() {
            return generic(
                "the MTU is too long for the driver's native XDP, which takes one buffer",
            );
        }
        if self.interface.kind.as_deref() == Some("veth") {
            return self
                .check(
                    " xdp",
                    State::Limited,
                    "native, but it takes the peer's TSO away: bulk transfers fall to a quarter",
                )
                .advise("use tc");
        }
        let mut cost = "native; attaching may reset the link".to_owned();
        if self.driver.large_receive == Some(true) {
            cost.push_str(" and switches LRO off");
        }
        self.check(" xdp", State::Works, cost)
    }
}

/// The programs on tcx, both directions.
fn programs(interface: &str) -> Result<Vec<String>, NotKnown> {
    let mut names = Vec::new();
    for direction in [TcAttachType::Ingress, TcAttachType::Egress] {
        let (_, programs) = SchedClassifier::query_tcx(interface, direction).map_err(|error| {
            match errno(&error) {
                Some(libc::EINVAL) => NotKnown::NoTcx,
                _ => NotKnown::Failed(chain(&error)),
            }
        })?;
        for program in programs {
            let number = program.id();
            names.push(match program.name_as_str() {
                None | Some("") => format!("number {number}"),
                Some(name) => format!("{name}, number {number}"),
            });
        }
    }
    Ok(names)
}

#[cfg(test)]
mod tests;
