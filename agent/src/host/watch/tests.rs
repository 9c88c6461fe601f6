use std::time::Duration;

use super::super::testing::{in_new_namespace, ip};
use super::*;

/// Runs `test` in a fresh namespace, on a runtime of one thread, with a watcher.
fn watching<F: Future<Output = ()>>(test: impl FnOnce(Watcher) -> F + Send) {
    in_new_namespace(|| {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let (watcher, _) = Watcher::new().unwrap();
            test(watcher).await;
        });
    });
}

/// All events until it is quiet.
async fn events(watcher: &mut Watcher) -> Vec<Event> {
    let mut events = Vec::new();
    while let Ok(event) = tokio::time::timeout(Duration::from_millis(150), watcher.next()).await {
        events.push(event.unwrap());
    }
    events
}

fn index_of(name: &str) -> u32 {
    interfaces::by_name(name).unwrap().index
}

/// Those about interfaces.
async fn link_events(watcher: &mut Watcher) -> Vec<Event> {
    let mut events = events(watcher).await;
    events.retain(|event| *event != Event::AddressesChanged);
    events
}

#[test]
fn an_interface_appears_changes_and_goes() {
    watching(async |mut watcher| {
        ip("link add wire type bridge");
        let index = index_of("wire");
        let appeared = Event::Appeared {
            index,
            name: "wire".into(),
        };
        assert_eq!(link_events(&mut watcher).await, [appeared]);

        ip("link set wire up");
        let all = events(&mut watcher).await;
        assert!(all.contains(&Event::Up { index }), "{all:?}");
        assert!(all.contains(&Event::AddressesChanged), "{all:?}");
        ip("link set wire down");
        assert_eq!(link_events(&mut watcher).await, [Event::Down { index }]);
        ip("link set wire name line");
        let renamed = Event::Renamed {
            index,
            name: "line".into(),
        };
        assert_eq!(link_events(&mut watcher).await, [renamed]);
        // What changes nothing that matters is no event.
        ip("link set line mtu 1400");
        assert_eq!(link_events(&mut watcher).await, []);
        ip("link del line");
        assert_eq!(link_events(&mut watcher).await, [Event::Gone { index }]);
    });
}

#[test]
fn an_interface_moves_to_another_namespace_and_comes_back() {
    watching(async |mut watcher| {
        ip("link add near type veth peer name far");
        ip("link set near up");
        let (near, far) = (index_of("near"), index_of("far"));
        events(&mut watcher).await;

        // A process in a namespace of its own holds it open.
        let mut other = std::process::Command::new("unshare")
            .args(["--net", "sleep", "60"])
            .spawn()
            .unwrap();
        let elsewhere = format!("/proc/{}/ns/net", other.id());
        let here = std::fs::read_link("/proc/thread-self/ns/net").unwrap();
        while std::fs::read_link(&elsewhere).unwrap() == here {
            std::thread::yield_now();
        }
        ip(&format!("link set far netns {}", other.id()));
        let moved = link_events(&mut watcher).await;
        assert!(moved.contains(&Event::Gone { index: far }), "{moved:?}");
        assert!(!moved.contains(&Event::Gone { index: near }), "{moved:?}");

        let home = std::process::Command::new("nsenter")
            .arg(format!("--net={elsewhere}"))
            .args(["ip", "link", "set", "far", "netns"])
            .arg(format!(
                "/proc/{}/task/{}/ns/net",
                std::process::id(),
                thread_id()
            ))
            .status()
            .unwrap();
        assert!(home.success());
        let back = link_events(&mut watcher).await;
        let far = index_of("far");
        assert!(
            back.contains(&Event::Appeared {
                index: far,
                name: "far".into()
            }),
            "{back:?}"
        );
        other.kill().unwrap();
        other.wait().unwrap();
    });
}

fn thread_id() -> i32 {
    // SAFETY: takes nothing and cannot fail.
    unsafe { libc::gettid() }
}

#[test]
fn a_port_that_leaves_a_bridge_is_not_gone() {
    watching(async |mut watcher| {
        ip("link add wire type veth peer name far");
        ip("link add bridge0 type bridge");
        ip("link set wire master bridge0");
        events(&mut watcher).await;
        ip("link set wire nomaster");
        assert_eq!(link_events(&mut watcher).await, []);
    });
}

#[test]
fn addresses_and_any_ip_prefixes_are_told_and_other_routes_are_not() {
    watching(async |mut watcher| {
        ip("link set lo up");
        ip("link add wire type bridge");
        // Else a link-local address comes by itself about a second later.
        ip("link set wire addrgenmode none");
        ip("link set wire up");
        events(&mut watcher).await;
        for change in [
            "addr add 192.0.2.7/24 dev wire",
            "addr del 192.0.2.7/24 dev wire",
            "route add local 10.9.0.0/16 dev lo",
            "route del local 10.9.0.0/16 dev lo",
            "addr add 2001:db8::7/64 dev wire nodad",
            "route add local 2001:db8:9::/48 dev lo",
        ] {
            ip(change);
            let told = events(&mut watcher).await;
            assert!(!told.is_empty(), "{change}");
            assert!(
                told.iter().all(|event| *event == Event::AddressesChanged),
                "{change}: {told:?}"
            );
        }
        ip("route add 10.10.0.0/16 dev wire");
        ip("-6 route add 2001:db8:10::/48 dev wire");
        ip("route del 10.10.0.0/16 dev wire");
        assert_eq!(events(&mut watcher).await, []);
    });
}

#[test]
fn after_a_loss_the_interfaces_are_compared() {
    watching(async |mut watcher| {
        ip("link add before type bridge");
        events(&mut watcher).await;
        let before = index_of("before");
        watcher.socket.get_ref().shrink();
        for number in 0..30 {
            ip(&format!("link add wire{number} type bridge"));
        }
        ip("link del before");
        ip("link set wire29 up");
        let told = events(&mut watcher).await;
        assert!(told.contains(&Event::Lost), "{told:?}");
        assert!(told.contains(&Event::Gone { index: before }), "{told:?}");
        assert!(
            told.contains(&Event::Up {
                index: index_of("wire29")
            }),
            "{told:?}"
        );
        for number in 0..30 {
            let name = format!("wire{number}");
            let appeared = Event::Appeared {
                index: index_of(&name),
                name,
            };
            assert_eq!(
                told.iter().filter(|event| **event == appeared).count(),
                1,
                "{told:?}"
            );
        }
    });
}
