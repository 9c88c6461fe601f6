//! Who is let in: the token, the login and its cookie, pages of other sites; and what every answer says
//! to a browser.

use super::back_end::{Running, SECRET};
use crate::server::headers::POLICY;

const AUTHORIZATION: &str = "Authorization: Bearer correct-horse-battery-staple\r\n";

/// The cookie of an answer, as a field of a request.
fn cookie(answer: &super::back_end::Answer) -> String {
    let given = answer.field("set-cookie").unwrap();
    format!("Cookie: {}\r\n", given.split(';').next().unwrap())
}

#[test]
fn a_token_is_given_for_a_cookie_that_takes_its_place() {
    let running = Running::with_token();
    assert_eq!(running.get("/api/agent", "").status, 401);
    let answer = running.log_in(SECRET, "");
    assert_eq!((answer.status, answer.body.as_str()), (204, ""));
    let given = answer.field("set-cookie").unwrap();
    let (value, attributes) = given.split_once("; ").unwrap();
    assert_eq!(
        attributes,
        "httponly; samesite=strict; path=/; max-age=43200"
    );
    let value = value.strip_prefix("tapline_session=").unwrap();
    assert_eq!(value.len(), 64);
    assert!(!value.contains("horse"));
    let cookie = cookie(&answer);
    // It opens all that the token opens.
    for target in ["/api/agent", "/api/exchanges", "/metrics", "/api/ledger"] {
        assert_eq!(running.get(target, "").status, 401, "{target}");
        assert_eq!(running.get(target, &cookie).status, 200, "{target}");
        assert_eq!(running.get(target, AUTHORIZATION).status, 200, "{target}");
    }
    let other = running.log_in(SECRET, "");
    assert_ne!(self::cookie(&other), cookie);
    // The token itself is no cookie.
    let token = format!("Cookie: tapline_session={SECRET}\r\n");
    assert_eq!(running.get("/api/agent", &token).status, 401);
    // Until the log-out, which is of one cookie alone.
    let out = running.ask("POST", "/api/logout", &cookie, "");
    assert_eq!(out.status, 204);
    assert_eq!(
        out.field("set-cookie").unwrap(),
        "tapline_session=; httponly; samesite=strict; path=/; max-age=0"
    );
    assert_eq!(running.get("/api/agent", &cookie).status, 401);
    let other = self::cookie(&other);
    assert_eq!(running.get("/api/agent", &other).status, 200);
}

#[test]
fn wrong_tokens_are_refused_and_soon_not_even_looked_at() {
    let running = Running::with_token();
    for number in 0..10 {
        let answer = running.log_in(&format!("{SECRET}{number}"), "");
        assert_eq!(answer.status, 401);
        assert!(answer.field("set-cookie").is_none());
    }
    let answer = running.log_in(SECRET, "");
    assert_eq!(answer.status, 429);
    let wait: u64 = answer.field("retry-after").unwrap().parse().unwrap();
    assert!((1..=60).contains(&wait), "{wait}");
    assert!(answer.field("set-cookie").is_none());
}

#[test]
fn who_has_a_cookie_or_the_token_stays_in_when_others_guess() {
    let running = Running::with_token();
    let cookie = cookie(&running.log_in(SECRET, ""));
    for _ in 0..11 {
        running.log_in("wrong", "");
    }
    let wrong = "Authorization: Bearer correct-horse-battery-stapler\r\n";
    for _ in 0..700 {
        assert_eq!(running.get("/api/agent", wrong).status, 401);
    }
    assert_eq!(running.log_in(SECRET, "").status, 429);
    assert_eq!(running.get("/api/agent", AUTHORIZATION).status, 200);
    assert_eq!(running.get("/api/agent", &cookie).status, 200);
}

#[test]
fn a_login_that_is_none_is_refused() {
    let running = Running::with_token();
    let check = |fields: &str, body: &str, status: u16| {
        let answer = running.ask("POST", "/api/login", fields, body);
        assert_eq!(answer.status, status, "{fields:?} {}", answer.body);
        assert!(answer.value()["detail"].is_string());
    };
    let json = "Content-Type: application/json\r\n";
    let right = format!("{{\"token\":\"{SECRET}\"}}");
    check("", &right, 415);
    check("Content-Type: text/plain\r\n", &right, 415);
    check(
        "Content-Type: application/x-www-form-urlencoded\r\n",
        "token=x",
        415,
    );
    for body in [
        "",
        "{}",
        "[]",
        "{\"token\":1}",
        "{\"token\":\"x\",\"more\":1}",
        "{\"token\":\"x\"",
    ] {
        check(json, body, 400);
    }
    check(
        json,
        &format!("{{\"token\":\"{}\"}}", "x".repeat(40_000)),
        413,
    );
    check(
        json,
        &format!("{{\"token\":\"{}\"}}", "x".repeat(20_000)),
        401,
    );
    assert_eq!(running.get("/api/login", "").status, 405);
}

#[test]
fn without_a_token_there_is_nothing_to_log_in_for() {
    let running = Running::start();
    let answer = running.log_in("anything", "");
    assert_eq!(answer.status, 204);
    assert!(answer.field("set-cookie").is_none());
    assert_eq!(running.get("/api/agent", "").status, 200);
}

#[test]
fn pages_of_other_sites_change_nothing() {
    let running = Running::with_token();
    let cookie = cookie(&running.log_in(SECRET, ""));
    let body = "[]";
    let check = |target: &str, fields: &str, status: u16| {
        let fields = format!("Content-Type: application/json\r\n{cookie}{fields}");
        let answer = running.ask("POST", target, &fields, body);
        assert_eq!(answer.status, status, "{target} {fields} {}", answer.body);
    };
    for target in ["/api/logs", "/api/exchanges"] {
        check(target, "", 201);
        check(target, "Origin: http://localhost\r\n", 201);
        check(target, "Sec-Fetch-Site: same-origin\r\n", 201);
    }
    for target in [
        "/api/logs",
        "/api/exchanges",
        "/api/login",
        "/api/logout",
        "/nothing",
    ] {
        check(target, "Origin: http://localhost:3000\r\n", 403);
        check(target, "Origin: https://example.com\r\n", 403);
        check(target, "Origin: null\r\n", 403);
        check(target, "Sec-Fetch-Site: cross-site\r\n", 403);
        check(target, "Sec-Fetch-Site: same-site\r\n", 403);
    }
}

#[test]
fn every_answer_tells_a_browser_to_be_careful() {
    let running = Running::with_token();
    let check = |answer: &super::back_end::Answer, status: u16| {
        assert_eq!(answer.status, status);
        let policy = POLICY.to_ascii_lowercase();
        assert_eq!(answer.field("content-security-policy"), Some(&*policy));
        assert_eq!(answer.field("x-content-type-options"), Some("nosniff"));
        assert_eq!(answer.field("referrer-policy"), Some("no-referrer"));
        assert_eq!(answer.field("cache-control"), Some("no-store"));
        // Nobody else's page may read anything.
        assert_eq!(answer.field("access-control-allow-origin"), None);
    };
    let origin = "Origin: http://example.com\r\n";
    check(
        &running.get("/api/agent", &format!("{AUTHORIZATION}{origin}")),
        200,
    );
    check(&running.get("/api/agent", ""), 401);
    check(&running.get("/nothing", AUTHORIZATION), 404);
    check(&running.get("/assets/nothing.js", ""), 404);
    check(&running.ask("POST", "/api/logs", origin, ""), 403);
    check(&running.ask("DELETE", "/api/logs", AUTHORIZATION, ""), 405);
    check(&running.get("http://example.com/api/agent", ""), 421);
    check(&running.get("/health", ""), 200);
}

#[test]
fn a_name_that_points_here_opens_nothing() {
    let running = Running::start();
    for target in [
        "http://rebound.example/api/agent",
        "http://rebound.example/api/live",
        "http://rebound.example/",
    ] {
        assert_eq!(running.get(target, "").status, 421, "{target}");
    }
}
