use super::super::super::testing::{attach, in_new_namespace, ip, load_bare_program, number};
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
fn check(change: impl Fn(&mut Facts), part: impl Fn(&Facts) -> Check, state: State, words: &str) {
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

#[test]
fn programs_that_are_there_already_are_told() {
    in_new_namespace(|| {
        ip("link add near type veth peer name far");
        let near = interfaces::by_name("near").unwrap().index;
        let far = interfaces::by_name("far").unwrap().index;
        let xdp = load_bare_program(number::PROGRAM_XDP).unwrap();
        let _generic = attach(&xdp, near, number::AT_XDP, number::XDP_GENERIC).unwrap();
        let find = |about: &str| {
            checks()
                .into_iter()
                .find(|check| check.about == about)
                .unwrap()
        };
        assert_eq!(find("near xdp").state, State::DoesNot);
        assert!(find("near xdp").finding.contains("(generic)"));
        assert_eq!(find("far xdp").state, State::Limited);
        {
            let _native = attach(&xdp, far, number::AT_XDP, number::XDP_NATIVE).unwrap();
            assert!(find("far xdp").finding.contains("(native)"));
        }
        assert_eq!(find("far xdp").state, State::Limited, "its link is gone");

        let tc = load_bare_program(number::PROGRAM_TC).unwrap();
        match attach(&tc, near, number::AT_TCX_INGRESS, 0) {
            Ok(_link) => assert!(
                find("near tc")
                    .finding
                    .contains("before what is on tcx (bare, number ")
            ),
            Err(error) => eprintln!("left out: what is on tcx needs Linux 6.6: {error}"),
        }
    });
}
