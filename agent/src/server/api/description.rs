//! `GET /api/openapi.json`: the description of the API, for programs that read such descriptions.
//!
//! It is written by hand; the tests hold it against the table of routes and the records, and every answer
//! against it.

use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse as _, Response};

/// The description, in OpenAPI 3.1.
const DESCRIPTION: &str = include_str!("openapi.json");

/// Shows it.
pub(super) async fn show() -> Response {
    ([(CONTENT_TYPE, "application/json")], DESCRIPTION).into_response()
}

#[cfg(test)]
#[path = "../../../tests/support/described.rs"]
mod described;

#[cfg(test)]
pub(in crate::server) mod tests {
    use std::collections::{BTreeMap, BTreeSet};
    use std::sync::LazyLock;

    use serde_json::{Value, json};

    use super::described::Description;
    pub(in crate::server) use super::described::Place;
    use super::*;
    use crate::http::exchange::record::{ExchangeRecord, Outcome, Role};
    use crate::server::access::is_open;
    use crate::server::api::back_end::OF_BACK_END;
    use crate::server::api::report::OF_REPORT;
    use crate::server::api::{EVERYWHERE, OF_STORE};
    use crate::server::routes::{OF_BOTH, OF_CAPTURE};
    use crate::server::table::{CHANGING, GUARDED, Route, UNGUARDED};
    use crate::session::record::{Protocol, SessionDetails, SessionRecord};
    use crate::sink::batch::samples::{details, exchange, session};

    static DESCRIBED: LazyLock<Description> = LazyLock::new(|| Description::new(DESCRIPTION));

    /// Holds an answer against what is described; gives its place there, if there is one.
    #[track_caller]
    pub(in crate::server) fn check(
        method: &str,
        target: &str,
        head: &str,
        body: &str,
    ) -> Option<Place> {
        match DESCRIBED.check(method, target, head, body) {
            Ok(place) => place,
            Err(fault) => panic!("{method} {target:.200}: {fault}\n{head}\n\n{body:.2000}"),
        }
    }

    /// Holds an event of /api/live against what is described.
    #[track_caller]
    pub(in crate::server) fn check_event(name: &str, data: &Value) {
        let event = format!("event: {name}\ndata: {data}\n\n");
        let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream";
        check("GET", "/api/live", head, &event);
    }

    /// Holds a message of /ws/live against what is described; `side`: `client` or `server`.
    #[track_caller]
    pub(in crate::server) fn check_message(side: &str, message: &Value) {
        let schema = &description()["paths"]["/ws/live"]["get"]["x-messages"][side];
        assert!(schema.is_object(), "{side}");
        if let Err(fault) = DESCRIBED.compare(schema, message) {
            panic!("{fault}: {message}");
        }
    }

    /// Every answer that is described.
    pub(in crate::server) fn places() -> BTreeSet<Place> {
        let mut places = BTreeSet::new();
        for (path, methods) in description()["paths"].as_object().unwrap() {
            for (method, operation) in methods.as_object().unwrap() {
                for (status, response) in operation["responses"].as_object().unwrap() {
                    let status: u16 = status.parse().unwrap();
                    let of =
                        |kind: &str| (method.to_uppercase(), path.clone(), status, kind.to_owned());
                    match response["content"].as_object() {
                        Some(kinds) => places.extend(kinds.keys().map(|kind| of(kind))),
                        None => places.extend([of("")]),
                    }
                }
            }
        }
        places
    }

    fn description() -> Value {
        serde_json::from_str(DESCRIPTION).unwrap()
    }

    /// What one method of one path takes and gives.
    #[derive(Debug, Default, Eq, PartialEq)]
    struct Operation {
        parameters: BTreeSet<String>,
        statuses: BTreeSet<u16>,
    }

    type Operations = BTreeMap<(String, String), Operation>;

    fn add<S>(operations: &mut Operations, routes: &[Route<S>]) {
        for route in routes {
            let key = (route.path.to_owned(), route.method.to_owned());
            let operation = operations.entry(key).or_default();
            let parameters = route.parameters.iter().map(ToString::to_string);
            operation.parameters.extend(parameters);
            operation.statuses.extend(route.statuses);
            operation.statuses.extend(UNGUARDED);
            if route.method != "GET" {
                operation.statuses.extend(CHANGING);
            }
            if !is_open(route.path) {
                operation.statuses.extend(GUARDED);
            }
        }
    }

    /// Of the tables that routers are made from.
    fn served() -> Operations {
        let mut operations = Operations::new();
        add(&mut operations, &OF_BOTH);
        add(&mut operations, &OF_CAPTURE);
        add(&mut operations, &OF_BACK_END);
        add(&mut operations, &OF_STORE);
        add(&mut operations, &OF_REPORT);
        add(&mut operations, &EVERYWHERE);
        operations
    }

    fn described() -> Operations {
        let description = description();
        let mut operations = Operations::new();
        for (path, methods) in description["paths"].as_object().unwrap() {
            for (method, operation) in methods.as_object().unwrap() {
                let none = Vec::new();
                let parameters = operation["parameters"].as_array().unwrap_or(&none);
                let (of_path, of_query): (Vec<&Value>, Vec<&Value>) = parameters
                    .iter()
                    .partition(|parameter| parameter["in"] == "path");
                for parameter in of_path {
                    let name = format!("{{{}}}", parameter["name"].as_str().unwrap());
                    assert!(path.contains(&name), "{path} {name}");
                }
                let name = |parameter: &Value| parameter["name"].as_str().unwrap().to_owned();
                let statuses = operation["responses"].as_object().unwrap().keys();
                let described = Operation {
                    parameters: of_query.into_iter().map(name).collect(),
                    statuses: statuses.map(|status| status.parse().unwrap()).collect(),
                };
                operations.insert((path.clone(), method.to_uppercase()), described);
            }
        }
        operations
    }

    #[test]
    fn every_path_parameter_and_status_is_described_and_no_other() {
        assert_eq!(described(), served());
    }

    fn names(value: &Value) -> BTreeSet<&str> {
        value
            .as_object()
            .unwrap()
            .keys()
            .map(String::as_str)
            .collect()
    }

    fn texts(value: &Value) -> BTreeSet<&str> {
        let texts = value.as_array().unwrap().iter();
        texts.map(|text| text.as_str().unwrap()).collect()
    }

    #[test]
    fn records_have_the_fields_that_are_described() {
        let description = description();
        let schemas = &description["components"]["schemas"];
        let check = |schema: &str, whole: &Value, least: &Value| {
            let schema = &schemas[schema];
            assert_eq!(names(&schema["properties"]), names(whole));
            assert_eq!(texts(&schema["required"]), names(least));
        };
        let whole = serde_json::to_value(SessionRecord {
            details: Some(SessionDetails {
                interim: true,
                ..details()
            }),
            ..session()
        });
        let least = serde_json::to_value(SessionRecord {
            details: None,
            ..session()
        });
        let (mut whole, mut least) = (whole.unwrap(), least.unwrap());
        let asked = &schemas["NewSession"];
        assert_eq!(names(&asked["properties"]), names(&whole));
        // What may be left out is told by the tests of what is taken.
        assert!(texts(&asked["required"]).is_subset(&names(&least)));
        whole["id"] = json!(1);
        least["id"] = json!(1);
        check("Session", &whole, &least);

        let headers = serde_json::value::RawValue::from_string("{}".to_owned()).unwrap();
        let whole = ExchangeRecord {
            referer: Some("x"),
            interim_status: Some(103),
            traceparent: Some("x"),
            headers: Some(&headers),
            partial: true,
            ..exchange()
        };
        let least = ExchangeRecord {
            session_id: None,
            method: None,
            target: None,
            host: None,
            user_agent: None,
            status: None,
            content_type: None,
            ttfb_us: None,
            total_us: None,
            request_bytes: None,
            response_bytes: None,
            reply_cpu_id: None,
            ..exchange()
        };
        let value = |record| serde_json::to_value(record).unwrap();
        check("Exchange", &value(whole), &value(least));
    }

    #[test]
    fn words_are_those_of_the_records() {
        let description = description();
        let schemas = &description["components"]["schemas"];
        let check = |schema: &str, field: &str, words: &[&str]| {
            let described = &schemas[schema]["properties"][field]["enum"];
            assert_eq!(described, &json!(words), "{field}");
        };
        check("Session", "protocol", &Protocol::ALL.map(Protocol::name));
        check("Session", "conn_state", &super::super::record::STATES);
        check("Exchange", "role", &Role::ALL.map(Role::name));
        check("Exchange", "outcome", &Outcome::ALL.map(Outcome::name));
    }

    #[test]
    fn what_it_refers_to_is_there() {
        fn walk(whole: &Value, part: &Value, found: &mut usize) {
            match part {
                Value::Object(fields) => {
                    if let Some(to) = fields.get("$ref") {
                        let place = to.as_str().unwrap().strip_prefix('#').unwrap();
                        assert!(whole.pointer(place).is_some(), "{to}");
                        *found += 1;
                    }
                    fields.values().for_each(|field| walk(whole, field, found));
                }
                Value::Array(items) => items.iter().for_each(|item| walk(whole, item, found)),
                _ => {}
            }
        }
        let description = description();
        let mut found = 0;
        walk(&description, &description, &mut found);
        assert!(found > 20, "{found}");
        assert_eq!(description["openapi"], "3.1.0");
        assert_eq!(description["info"]["version"], env!("CARGO_PKG_VERSION"));
    }
}
