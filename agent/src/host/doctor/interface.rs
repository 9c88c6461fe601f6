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
            let name = program.name_as_str().unwrap_or("without a name");
            names.push(format!("{name}, number {}", program.id()));
        }
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::{in_new_namespace, ip};
    use super::*;

    const NATIVE: u64 = 1;
    const SEVERAL_BUFFERS: u64 = 1 << 5;

    fn plain() -> Facts {
        Facts {
            interface: Interface {
                index: 7,
                name: "eth7".into(),
                other_names: Vec::new(),
                up: true,
                running: true,
                loopback: false,
                mtu: 1500,
                link_layer: LinkLayer::Ethernet,
                kind: None,
                master: None,
                vrf_table: None,
                xdp: None,
            },
            driver: Driver {
                name: Some("ice".into()),
                receive_offload: Some(true),
                segmentation: Some(true),
                tcp_segmentation: Some(true),
                large_receive: Some(false),
            },
            features: Some(XdpFeatures::new(NATIVE)),
            programs: Ok(Vec::new()),
            clsact: Some(false),
        }
    }

    #[track_caller]
    fn check(
        change: impl Fn(&mut Facts),
        part: impl Fn(&Facts) -> Check,
        state: State,
        words: &str,
    ) {
        let mut facts = plain();
        change(&mut facts);
        let found = part(&facts);
        assert_eq!(found.state, state, "{found:?}");
        assert!(found.finding.contains(words), "{words:?} in {found:?}");
        assert!(state == State::Works || found.advice.is_some(), "{found:?}");
    }

    #[test]
    fn each_state_of_an_interface() {
        let part = Facts::interface;
        check(
            |_| {},
            part,
            State::Works,
            "up; Ethernet frames, MTU 1500, driver ice",
        );
        check(
            |facts| facts.interface.running = false,
            part,
            State::Works,
            "without a carrier",
        );
        check(
            |facts| facts.interface.up = false,
            part,
            State::Limited,
            "down",
        );
        check(
            |facts| facts.interface.link_layer = LinkLayer::Raw,
            part,
            State::Works,
            "bare IP",
        );
        check(
            |facts| facts.interface.link_layer = LinkLayer::Other(32),
            part,
            State::DoesNot,
            "ARPHRD 32",
        );
        check(
            |facts| facts.driver.name = None,
            part,
            State::Works,
            "driver not told",
        );
    }

    #[test]
    fn each_state_of_the_offloads() {
        let part = Facts::offloads;
        check(|_| {}, part, State::Works, "GRO, GSO, TSO on");
        check(
            |facts| facts.driver.large_receive = Some(true),
            part,
            State::Works,
            "XDP switches it off",
        );
        check(
            |facts| facts.driver = Driver::default(),
            part,
            State::Unknown,
            "does not tell",
        );
        let off = |facts: &mut Facts| {
            facts.driver.receive_offload = Some(false);
            facts.driver.segmentation = Some(false);
            facts.driver.tcp_segmentation = Some(false);
        };
        check(off, part, State::Works, "none on");
    }

    #[test]
    fn each_state_of_tc() {
        let part = Facts::tc;
        check(|_| {}, part, State::Works, "no other program");
        check(
            |facts| facts.clsact = Some(true),
            part,
            State::Works,
            "clsact qdisc is there",
        );
        check(
            |facts| facts.clsact = None,
            part,
            State::Works,
            "could not be read",
        );
        check(
            |facts| facts.programs = Ok(vec!["cil, number 3".into()]),
            part,
            State::Works,
            "before what is on tcx (cil, number 3)",
        );
        check(
            |facts| facts.programs = Err(NotKnown::NoTcx),
            part,
            State::Works,
            "by clsact",
        );
        check(
            |facts| facts.programs = Err(NotKnown::Failed("no".into())),
            part,
            State::Unknown,
            "tcx: no",
        );
    }

    #[test]
    fn each_state_of_xdp() {
        let part = Facts::xdp;
        check(|_| {}, part, State::Works, "native");
        check(
            |facts| facts.driver.large_receive = Some(true),
            part,
            State::Works,
            "LRO off",
        );
        check(
            |facts| facts.features = None,
            part,
            State::Unknown,
            "does not tell",
        );
        check(
            |facts| facts.features = Some(XdpFeatures::new(0)),
            part,
            State::Limited,
            "generic only",
        );
        check(
            |facts| facts.interface.loopback = true,
            part,
            State::Limited,
            "loopback",
        );
        check(
            |facts| facts.interface.mtu = 9000,
            part,
            State::Limited,
            "MTU is too long",
        );
        let jumbo = |facts: &mut Facts| {
            facts.interface.mtu = 9000;
            facts.features = Some(XdpFeatures::new(NATIVE | SEVERAL_BUFFERS));
        };
        check(jumbo, part, State::Works, "native");
        check(
            |facts| facts.interface.kind = Some("veth".into()),
            part,
            State::Limited,
            "TSO",
        );
        for (mode, word) in [
            (XdpMode::Native, "native"),
            (XdpMode::Generic, "generic"),
            (XdpMode::Offloaded, "offloaded"),
            (XdpMode::Several, "several"),
        ] {
            let taken =
                |facts: &mut Facts| facts.interface.xdp = Some(XdpAttached { mode, program: 12 });
            check(
                taken,
                part,
                State::DoesNot,
                &format!("program 12 ({word})").replace("(several)", "(in several modes)"),
            );
        }
    }

    #[test]
    fn a_real_veth_pair_with_a_clsact_qdisc() {
        in_new_namespace(|| {
            ip("link add near type veth peer name far");
            ip("link set near up");
            ip("link set far up");
            let find = |checks: &[Check], about: &str| {
                checks
                    .iter()
                    .find(|check| check.about == about)
                    .cloned()
                    .unwrap()
            };
            let before = checks();
            assert!(
                !find(&before, "near tc")
                    .finding
                    .contains("clsact qdisc is there")
            );
            let status = std::process::Command::new("tc")
                .args(["qdisc", "add", "dev", "near", "clsact"])
                .status();
            if status.is_ok_and(|status| status.success()) {
                let after = checks();
                assert!(
                    find(&after, "near tc")
                        .finding
                        .contains("clsact qdisc is there")
                );
                assert!(
                    !find(&after, "far tc")
                        .finding
                        .contains("clsact qdisc is there")
                );
            } else {
                eprintln!("left out: the qdisc needs tc and the kernel's sch_ingress");
            }
            assert_eq!(find(&before, "near").state, State::Works);
            assert!(find(&before, "near").finding.contains("driver veth"));
            assert_eq!(find(&before, "near xdp").state, State::Limited);
        });
    }
}
