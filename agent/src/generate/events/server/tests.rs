use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::docs::{DESCRIPTION, PAGE, VERSION};
use super::routes::ROUTES;

type Operations = BTreeMap<(String, String), (BTreeSet<String>, BTreeSet<u16>)>;

#[test]
fn every_path_parameter_and_status_is_described_and_no_other() {
    let description: Value = serde_json::from_str(DESCRIPTION).unwrap();
    let mut described = Operations::new();
    for (path, methods) in description["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let none = Vec::new();
            let parameters = operation["parameters"].as_array().unwrap_or(&none);
            let names = parameters
                .iter()
                .map(|one| one["name"].as_str().unwrap().to_owned());
            let statuses = operation["responses"].as_object().unwrap().keys();
            described.insert(
                (path.clone(), method.to_uppercase()),
                (
                    names.collect(),
                    statuses.map(|status| status.parse().unwrap()).collect(),
                ),
            );
        }
    }
    let served: Operations = ROUTES
        .iter()
        .filter(|route| route.path != "/ws/logs")
        .map(|route| {
            let names = route.parameters.iter().map(ToString::to_string).collect();
            // One Host, this host, and no page of another.
            let statuses = route
                .statuses
                .iter()
                .copied()
                .chain([400, 403, 421])
                .collect();
            (
                (route.path.to_owned(), route.method.to_owned()),
                (names, statuses),
            )
        })
        .collect();
    assert_eq!(described, served);
}

#[test]
fn the_version_is_that_of_the_description() {
    let description: Value = serde_json::from_str(DESCRIPTION).unwrap();
    assert_eq!(description["info"]["version"], VERSION);
}

#[test]
fn every_reference_leads_somewhere() {
    fn check(root: &Value, value: &Value) {
        match value {
            Value::Object(object) => {
                if let Some(reference) = object.get("$ref") {
                    let pointer = reference.as_str().unwrap().strip_prefix('#').unwrap();
                    assert!(root.pointer(pointer).is_some(), "{pointer}");
                }
                object.values().for_each(|value| check(root, value));
            }
            Value::Array(items) => items.iter().for_each(|value| check(root, value)),
            _ => {}
        }
    }
    let description: Value = serde_json::from_str(DESCRIPTION).unwrap();
    check(&description, &description);
}

#[test]
fn the_page_loads_nothing_from_elsewhere() {
    assert!(!PAGE.contains("//cdn") && !PAGE.contains("http:") && !PAGE.contains("https:"));
    assert!(!PAGE.contains("innerHTML") && !PAGE.contains(" src="));
    assert!(PAGE.contains("fetch(\"/openapi.json\")"));
}
