//! Interfaces come and go, and other programs sit on them too: capture goes on.

use std::net::SocketAddr;

use tapline_tests::support::{
    Conversation, Namespace, Neighbour, Nginx, Pair, RawSender, Tapline, classifiers, curl,
    ethernet, has_tcx, leave_out, within,
};

fn ingress(namespace: &Namespace, interface: &str) -> Vec<String> {
    classifiers(namespace, interface, false)
}

#[test]
fn any_takes_interfaces_that_appear_later() {
    let pair = Pair::new();
    let late = Namespace::new();
    let _nginx = Nginx::start(&pair.server, None);
    let tapline = Tapline::start(&pair.server, "-i any");
    curl(&pair.client, &["http://10.9.0.1/small?early"]);
    pair.server.join("late0", &late, "guest0");
    pair.server.address("late0", "10.10.0.1/24");
    late.address("guest0", "10.10.0.2/24");
    within("a program on late0", || {
        (!ingress(&pair.server, "late0").is_empty()).then_some(())
    });
    curl(&late, &["http://10.10.0.1/small?late"]);
    let ended = tapline.stop();
    // The new address counts as local: CQ, not CR's opposite.
    assert_eq!(
        ended.summaries(),
        [
            "CQ GET /small?early",
            "CR 200",
            "CQ GET /small?late",
            "CR 200"
        ]
    );
    let seen = (
        ended.heads[2].text("ifname"),
        ended.heads[2].0["local"] == true,
    );
    assert_eq!(seen, ("late0", true), "{:?}", ended.heads[2]);
}

#[test]
fn capture_goes_on_after_an_interface_was_down() {
    for hook in ["tc", "socket", "xdp"] {
        let pair = Pair::new();
        let _nginx = Nginx::start(&pair.server, None);
        let tapline = Tapline::start(&pair.server, &format!("-i server0 --attach {hook}"));
        curl(&pair.client, &["http://10.9.0.1/small?before"]);
        pair.server.ip("link set server0 down");
        pair.server.ip("link set server0 up");
        curl(
            &pair.client,
            &[
                "--retry",
                "20",
                "--retry-connrefused",
                "http://10.9.0.1/small?after",
            ],
        );
        let ended = tapline.stop();
        let expected = [
            "CQ GET /small?before",
            "CR 200",
            "CQ GET /small?after",
            "CR 200",
        ];
        assert_eq!(ended.summaries(), expected, "{hook}");
    }
}

#[test]
fn of_an_interface_that_is_down_it_is_said_and_capture_begins_when_it_is_up() {
    for hook in ["tc", "socket", "xdp"] {
        let pair = Pair::new();
        let _nginx = Nginx::start(&pair.server, None);
        pair.server.ip("link set server0 down");
        let tapline = Tapline::start(&pair.server, &format!("-i server0 --attach {hook}"));
        pair.server.ip("link set server0 up");
        let ask = ["--retry", "20", "--retry-connrefused"];
        curl(
            &pair.client,
            &[&ask[..], &["http://10.9.0.1/small?first"]].concat(),
        );
        let ended = tapline.stop();
        let expected = ["CQ GET /small?first", "CR 200"];
        assert_eq!(ended.summaries(), expected, "{hook}");
        let said = "the interface is down; capture begins as soon as it is up";
        assert_eq!(
            ended.stderr.matches(said).count(),
            1,
            "{hook}: {}",
            ended.stderr
        );
    }
    // Of all there are, some are down as a rule.
    let pair = Pair::new();
    pair.server.ip("link set server0 down");
    let ended = Tapline::start(&pair.server, "-i any").stop();
    assert!(!ended.stderr.contains("is down"), "{}", ended.stderr);
}

#[test]
fn capture_goes_on_when_an_interface_was_removed_and_made_anew() {
    for hook in ["tc", "socket", "xdp"] {
        let pair = Pair::new();
        let _nginx = Nginx::start(&pair.server, None);
        let mut tapline = Tapline::start(&pair.server, &format!("-i server0 --attach {hook}"));
        for round in 0..3 {
            curl(&pair.client, &[&format!("http://10.9.0.1/small?{round}")]);
            tapline.process().wait_for_stderr("captures on");
            let heads = tapline.wait_for_heads(2 * (round + 1));
            assert_eq!(heads.len(), 2 * (round + 1), "{hook}");
            pair.server.ip("link delete server0");
            pair.server.join("server0", &pair.client, "client0");
            pair.server.address("server0", "10.9.0.1/24");
            pair.client.address("client0", "10.9.0.2/24");
            let stderr = || tapline_stderr(&mut tapline);
            wait_for_count(stderr, "captures on an interface that appeared", round + 1);
        }
        curl(&pair.client, &["http://10.9.0.1/small?last"]);
        let ended = tapline.stop();
        let expected = [
            "CQ GET /small?0",
            "CR 200",
            "CQ GET /small?1",
            "CR 200",
            "CQ GET /small?2",
            "CR 200",
            "CQ GET /small?last",
            "CR 200",
        ];
        assert_eq!(ended.summaries(), expected, "{hook}");
    }
}

fn tapline_stderr(tapline: &mut Tapline) -> String {
    tapline.process().stderr()
}

fn wait_for_count(mut text: impl FnMut() -> String, words: &str, count: usize) {
    within(&format!("{count} times {words:?}"), || {
        (text().matches(words).count() >= count).then_some(())
    });
}

#[test]
fn an_interface_that_gets_the_wanted_name_is_taken() {
    let pair = Pair::new();
    let _nginx = Nginx::start(&pair.server, None);
    let mut tapline = Tapline::start(&pair.server, "-i server0");
    pair.server.ip("link delete server0");
    pair.server.join("other0", &pair.client, "client0");
    pair.server.address("other0", "10.9.0.1/24");
    pair.client.address("client0", "10.9.0.2/24");
    curl(&pair.client, &["http://10.9.0.1/small?other"]);
    pair.server.ip("link set other0 name server0");
    tapline
        .process()
        .wait_for_stderr("captures on an interface that appeared");
    curl(&pair.client, &["http://10.9.0.1/small?renamed"]);
    assert_eq!(
        tapline.stop().summaries(),
        ["CQ GET /small?renamed", "CR 200"]
    );
}

#[test]
fn an_address_counts_as_local_as_long_as_it_is_there() {
    let pair = Pair::new();
    let tapline = Tapline::start(&pair.server, "-i server0");
    let sender = RawSender::open(&pair.client, Pair::CLIENT_INTERFACE);
    let mut asked = 0;
    // A request to 10.9.0.77, whoever that is; gives what its line says.
    let mut is_local = || {
        asked += 1;
        let ends = [([10, 9, 0, 2], 6_000 + asked), ([10, 9, 0, 77], 80)].map(SocketAddr::from);
        let mut conversation = Conversation::new(ends[0], ends[1]);
        let request = conversation.client("GET /who HTTP/1.1\r\nHost: h\r\n\r\n");
        sender.send(&ethernet(&[], &request));
        tapline.wait_for_heads(asked.into())[usize::from(asked) - 1].0["local"] == true
    };
    assert!(!is_local());
    pair.server.address("server0", "10.9.0.77/32");
    // The news comes over netlink while packets flow.
    within("the address to count as local", || is_local().then_some(()));
    assert!(is_local());
    pair.server.ip("address delete 10.9.0.77/32 dev server0");
    within("the address to count no longer", || {
        (!is_local()).then_some(())
    });
    assert!(!is_local());
    let _ended = tapline.stop();
}

#[test]
fn a_program_that_takes_all_packets_hides_none() {
    if !has_tcx() {
        let reason = "its programs need tcx, which came with Linux 6.6";
        return leave_out("a_program_that_takes_all_packets_hides_none", reason);
    }
    let pair = Pair::new();
    let _nginx = Nginx::start(&pair.server, None);
    let expected = ["CQ GET /small", "CR 200"];
    let ask = || curl(&pair.client, &["http://10.9.0.1/small"]);
    let programs = || ingress(&pair.server, "server0");
    for attach in ["tc", "xdp"] {
        let flags = format!("-i server0 --attach {attach}");
        // Ours first, then theirs.
        let tapline = Tapline::start(&pair.server, &flags);
        let theirs = Neighbour::attach(&pair.server, "server0", false);
        assert_eq!(programs().last().map(String::as_str), Some("neighbour"));
        ask();
        assert_eq!(
            tapline.stop().summaries(),
            expected,
            "{flags}, theirs came later"
        );
        // Theirs is there already, and stays.
        let tapline = Tapline::start(&pair.server, &flags);
        assert_eq!(programs().last().map(String::as_str), Some("neighbour"));
        ask();
        assert_eq!(
            tapline.stop().summaries(),
            expected,
            "{flags}, theirs came first"
        );
        assert_eq!(programs(), ["neighbour"]);
        drop(theirs);
    }
    // The measure: a program that pushes itself in front of ours does hide them.
    let tapline = Tapline::start(&pair.server, "-i server0 --attach tc");
    let _theirs = Neighbour::attach(&pair.server, "server0", true);
    assert_eq!(programs()[0], "neighbour");
    ask();
    assert!(tapline.stop().heads.is_empty());
}

#[test]
fn two_taplines_on_one_interface_see_the_same() {
    let pair = Pair::new();
    let _nginx = Nginx::start(&pair.server, None);
    let first = Tapline::start(&pair.server, "-i server0");
    // The port of the metrics is the first one's.
    let second = Tapline::start(&pair.server, "-i server0 --listen off");
    let third = Tapline::start(&pair.server, "-i server0 --attach socket --listen off");
    assert_eq!(ingress(&pair.server, "server0").len(), 2);
    curl(&pair.client, &["http://10.9.0.1/small?three"]);
    let expected = ["CQ GET /small?three", "CR 200"];
    assert_eq!(first.stop().summaries(), expected);
    assert_eq!(ingress(&pair.server, "server0").len(), 1);
    curl(&pair.client, &["http://10.9.0.1/small?two"]);
    let expected = [expected[0], expected[1], "CQ GET /small?two", "CR 200"];
    assert_eq!(second.stop().summaries(), expected);
    assert_eq!(third.stop().summaries(), expected);
    assert!(ingress(&pair.server, "server0").is_empty());
    // tcx needs no qdisc.
    if has_tcx() {
        let shown = pair.server.ip("-d link show server0");
        assert!(!shown.contains("clsact"), "{shown}");
    }
}
