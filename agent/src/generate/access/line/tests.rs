use std::net::IpAddr;

use super::*;
use crate::generate::access::config::{AccessConfig, Source, read};
use crate::generate::access::hit::AddressText;
use crate::generate::seed::Seed;

fn world(text: &str) -> World {
    let config: AccessConfig = read(&Source::Shipped, text.as_bytes()).unwrap().config;
    World::new(&config, Seed(1))
}

const AGENTS: &str = "user_agents: {desktop: ['Mozilla/5.0 \"X\" (a\\b) ü']}";

fn line(format: LineFormat, site: &str, hit: &Hit) -> (String, String) {
    let world = world(AGENTS);
    let style = Style::new(format, &world, site);
    let address = AddressText::new("203.0.113.7".parse::<IpAddr>().unwrap());
    let (mut clock, mut out, mut error) = (Clock::default(), Vec::new(), Vec::new());
    style.write(&mut clock, hit, address.as_bytes(), &mut out);
    style.write_error(&clock, hit, address.as_bytes(), &mut error);
    (
        String::from_utf8(out).unwrap(),
        String::from_utf8(error).unwrap(),
    )
}

fn target(world: &World, path: &str) -> u32 {
    let targets = world.site.targets();
    targets
        .iter()
        .position(|target| target.path == path)
        .unwrap() as u32
}

fn hit() -> Hit {
    let world = world(AGENTS);
    Hit {
        time: 1_728_568_536_123_456_789,
        target: target(&world, "/products?categoryID=4&sort=price"),
        referrer: Some(target(&world, "/products")),
        status: 200,
        size: 2847,
        micros: 134_217,
        ..Hit::default()
    }
}

#[test]
fn golden_lines() {
    let check = |format: LineFormat, hit: &Hit, expected: &str| {
        assert_eq!(
            line(format, "https://example.com", hit).0,
            expected.to_owned() + "\n"
        );
    };
    let full = hit();
    let world = world(AGENTS);
    let name = &world.names[3];
    let named = Hit {
        name: Some(3),
        ..full
    };
    let bare = Hit {
        referrer: None,
        target: target(&world, "/"),
        ..full
    };
    let empty = Hit {
        status: 304,
        ..bare
    };
    use LineFormat::{Combined, CombinedTime, Common, Json, Simple, VhostCombined, W3c};
    let agent = "Mozilla/5.0 \\\"X\\\" (a\\\\b) \\xc3\\xbc";
    let request = "\"GET /products?categoryID=4&sort=price HTTP/1.1\"";
    check(
        Common,
        &full,
        &format!("203.0.113.7 - - [10/Oct/2024:13:55:36 +0000] {request} 200 2847"),
    );
    check(
        Common,
        &named,
        &format!("203.0.113.7 - {name} [10/Oct/2024:13:55:36 +0000] {request} 200 2847"),
    );
    check(
        Common,
        &empty,
        "203.0.113.7 - - [10/Oct/2024:13:55:36 +0000] \"GET / HTTP/1.1\" 304 -",
    );
    check(
        Combined,
        &full,
        &format!(
            "203.0.113.7 - - [10/Oct/2024:13:55:36 +0000] {request} 200 2847 \"https://example.com/products\" \"{agent}\""
        ),
    );
    check(
        Combined,
        &bare,
        &format!(
            "203.0.113.7 - - [10/Oct/2024:13:55:36 +0000] \"GET / HTTP/1.1\" 200 2847 \"-\" \"{agent}\""
        ),
    );
    check(
        VhostCombined,
        &bare,
        &format!(
            "example.com:443 203.0.113.7 - - [10/Oct/2024:13:55:36 +0000] \"GET / HTTP/1.1\" 200 2847 \"-\" \"{agent}\""
        ),
    );
    check(
        CombinedTime,
        &bare,
        &format!(
            "203.0.113.7 - - [10/Oct/2024:13:55:36 +0000] \"GET / HTTP/1.1\" 200 2847 \"-\" \"{agent}\" 134217"
        ),
    );
    check(
        Json,
        &named,
        &format!(
            "{{\"ts\":\"2024-10-10T13:55:36.123Z\",\"src_ip\":\"203.0.113.7\",\"user\":\"{name}\",\"method\":\"GET\",\"target\":\"/products?categoryID=4&sort=price\",\"version\":\"HTTP/1.1\",\"host\":\"example.com\",\"status\":200,\"response_bytes\":2847,\"total_us\":134217,\"referer\":\"https://example.com/products\",\"user_agent\":\"Mozilla/5.0 \\\"X\\\" (a\\\\b) ü\"}}"
        ),
    );
    check(
        Json,
        &empty,
        "{\"ts\":\"2024-10-10T13:55:36.123Z\",\"src_ip\":\"203.0.113.7\",\"method\":\"GET\",\"target\":\"/\",\"version\":\"HTTP/1.1\",\"host\":\"example.com\",\"status\":304,\"response_bytes\":0,\"total_us\":134217,\"user_agent\":\"Mozilla/5.0 \\\"X\\\" (a\\\\b) ü\"}",
    );
    check(
        W3c,
        &full,
        "2024-10-10 13:55:36 192.0.2.80 GET /products categoryID=4&sort=price 443 - 203.0.113.7 Mozilla/5.0+\"X\"+(a\\b)+ü https://example.com/products 200 0 0 134 2847",
    );
    check(
        W3c,
        &bare,
        "2024-10-10 13:55:36 192.0.2.80 GET / - 443 - 203.0.113.7 Mozilla/5.0+\"X\"+(a\\b)+ü - 200 0 0 134 2847",
    );
    check(
        Simple,
        &full,
        "2024-10-10T13:55:36Z GET /products?categoryID=4&sort=price 200 134ms",
    );
    let login = Hit { target: 0, ..bare };
    check(Simple, &login, "2024-10-10T13:55:36Z POST /login 200 134ms");
}

#[test]
fn error_lines_agree_with_their_requests() {
    let check = |outcome: Outcome, status: u16, expected: &str| {
        let hit = Hit {
            outcome,
            status,
            ..hit()
        };
        let (_, error) = line(LineFormat::Combined, "https://example.com", &hit);
        assert_eq!(error, expected, "{outcome:?}");
    };
    check(Outcome::Success, 200, "");
    check(Outcome::RedirectPermanent, 301, "");
    check(
        Outcome::ServerError,
        503,
        "2024-10-10 13:55:36 - ERROR - Too many open files: GET /products?categoryID=4&sort=price 503 [client 203.0.113.7]\n",
    );
    check(
        Outcome::NotFound,
        404,
        "2024-10-10 13:55:36 - WARNING - File does not exist: GET /products?categoryID=4&sort=price 404 [client 203.0.113.7]\n",
    );
    check(
        Outcome::Forbidden,
        403,
        "2024-10-10 13:55:36 - WARNING - Access denied: GET /products?categoryID=4&sort=price 403 [client 203.0.113.7]\n",
    );
    check(
        Outcome::Unauthorized,
        401,
        "2024-10-10 13:55:36 - WARNING - Login required: GET /products?categoryID=4&sort=price 401 [client 203.0.113.7]\n",
    );
}

#[test]
fn hosts_and_ports() {
    let check =
        |site: &str, expected: (&str, u16)| assert_eq!(host_and_port(site), expected, "{site}");
    check("https://example.com", ("example.com", 443));
    check("http://example.com", ("example.com", 80));
    check("http://example.com:8080", ("example.com", 8080));
    check("https://[2001:db8::1]", ("[2001:db8::1]", 443));
    check("https://[2001:db8::1]:8443", ("[2001:db8::1]", 8443));
}

#[test]
fn numbers() {
    for value in [0, 7, 10, 99, 100, 4_294_967_295] {
        let mut out = Vec::new();
        number(value, &mut out);
        assert_eq!(out, value.to_string().into_bytes());
    }
}
