//! Answers held against the description of the API: their status, their form and what stands in them.
//! What the description does not name is a fault, so schemas are closed before they are compared.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

/// The schema of reports, which the description refers to by its name.
const REPORT: &str = include_str!("../../../docs/report.schema.json");

/// Fields of a head that an answer may only have where they are described.
const FIELDS: [&str; 3] = ["retry-after", "set-cookie", "www-authenticate"];

/// A place in the description: method, path, status, media type (none without a body).
pub(crate) type Place = (String, String, u16, String);

/// A description in OpenAPI 3.1.
pub(crate) struct Description {
    whole: Value,
    /// Its schemas, closed.
    components: Value,
}

impl Description {
    pub(crate) fn new(text: &str) -> Self {
        let whole: Value = serde_json::from_str(text).unwrap();
        let mut components = whole["components"]["schemas"].clone();
        for schema in components.as_object_mut().unwrap().values_mut() {
            // Each place that refers to it closes it: it may be a part of a larger one.
            close(schema, true);
        }
        Self {
            whole,
            components: json!({ "schemas": components }),
        }
    }

    /// What is wrong with an answer to a request for `target`; else its place, if the description has
    /// the path. `head`: from the status line on.
    pub(crate) fn check(
        &self,
        method: &str,
        target: &str,
        head: &str,
        body: &str,
    ) -> Result<Option<Place>, String> {
        let (status, fields) = taken_apart(head);
        let kind = fields
            .get("content-type")
            .map_or("", |kind| kind.split(';').next().unwrap_or_default().trim());
        let chunked = fields.contains_key("transfer-encoding");
        let unchunked = chunked.then(|| unchunked(body));
        let body = unchunked.as_deref().unwrap_or(body);
        let path = target.split('?').next().unwrap_or_default();
        let path = path.strip_prefix("http://").map_or(path, |rest| {
            rest.find('/').map_or("/", |slash| &rest[slash..])
        });
        let Some((path, operation)) = self.operation(method, path) else {
            return match (status, path) {
                // The page is not described, and what it says of its own.
                (200 | 404, _) if path == "/" || path.starts_with("/assets/") => Ok(None),
                (400, _) if kind.is_empty() => Ok(None),
                (400 | 401 | 403 | 404 | 405 | 421, _) => {
                    let schema = json!({"$ref": "#/components/schemas/Refused"});
                    self.compare(&schema, &value(body)?).map(|()| None)
                }
                (431, _) if body.is_empty() => Ok(None),
                _ => Err(format!("{status} is no answer where there is no path")),
            };
        };
        let response = &operation["responses"][status.to_string()];
        if response.is_null() {
            return Err(format!("{status} is not described"));
        }
        for name in FIELDS.into_iter().filter(|name| fields.contains_key(*name)) {
            let described = response["headers"].as_object();
            let has = |fields: &Map<String, Value>| {
                fields.keys().any(|field| field.eq_ignore_ascii_case(name))
            };
            if !described.is_some_and(has) {
                return Err(format!("{name} of {status} is not described"));
            }
        }
        let place = (method.to_owned(), path.to_owned(), status, kind.to_owned());
        let Some(kinds) = response["content"].as_object() else {
            return match body.is_empty() {
                true => Ok(Some((place.0, place.1, status, String::new()))),
                false => Err(format!("{status} has no body")),
            };
        };
        let content = kinds
            .get(kind)
            .ok_or_else(|| format!("{kind:?} of {status} is not described"))?;
        match kind {
            "application/json" if content["schema"]["description"] == REPORT_SAYS => {
                of_report(&value(body)?)?;
            }
            "application/json" => self.compare(&content["schema"], &value(body)?)?,
            "application/x-ndjson" => {
                for line in body.lines() {
                    self.compare(&content["x-line"], &value(line)?)?;
                }
            }
            "text/event-stream" => {
                for (name, data) in events(body)? {
                    self.check_event(&name, &data)?;
                }
            }
            _ => self.compare(&content["schema"], &Value::from(body))?,
        }
        Ok(Some(place))
    }

    fn check_event(&self, name: &str, data: &Value) -> Result<(), String> {
        let answer = &self.whole["paths"]["/api/live"]["get"]["responses"]["200"];
        match &answer["content"]["text/event-stream"]["x-events"][name] {
            Value::Null => Err(format!("the event {name} is not described")),
            schema => self.compare(schema, data),
        }
    }

    fn operation(&self, method: &str, path: &str) -> Option<(&str, &Value)> {
        let paths = self.whole["paths"].as_object().unwrap();
        // A method in small letters is another one.
        let key = method.to_lowercase();
        if key == method {
            return None;
        }
        let is_of = |template: &str| {
            let is_same = |(part, wanted): (&str, &str)| {
                part == wanted || (wanted.starts_with('{') && !part.is_empty())
            };
            path.split('/').count() == template.split('/').count()
                && path.split('/').zip(template.split('/')).all(is_same)
        };
        // A name goes before a part that may be anything.
        let exact = paths.get_key_value(path);
        let found = exact.or_else(|| paths.iter().find(|(template, _)| is_of(template)));
        let (template, methods) = found?;
        let operation = methods.get(&key)?;
        Some((template, operation))
    }

    /// What is wrong with a value, by a schema out of the description.
    pub(crate) fn compare(&self, schema: &Value, value: &Value) -> Result<(), String> {
        let mut schema = schema.clone();
        close(&mut schema, false);
        schema["components"] = self.components.clone();
        compared(&schema, value)
    }
}

/// By these words the description refers to the schema of reports.
const REPORT_SAYS: &str = "As docs/report.schema.json says.";

fn of_report(report: &Value) -> Result<(), String> {
    let schema = serde_json::from_str(REPORT).unwrap();
    compared(&schema, report)
}

fn compared(schema: &Value, value: &Value) -> Result<(), String> {
    let validator = jsonschema::options()
        .should_validate_formats(true)
        .build(schema)
        .map_err(|error| format!("the schema is none: {error}"))?;
    let faults: Vec<String> = validator
        .iter_errors(value)
        .map(|error| format!("{:.300} at {}", error.to_string(), error.instance_path()))
        .collect();
    match faults.is_empty() {
        true => Ok(()),
        false => Err(faults.join("; ")),
    }
}

/// Lets no schema take what it does not name; `is_part`: another one beside it names more.
fn close(schema: &mut Value, is_part: bool) {
    let Some(fields) = schema.as_object_mut() else {
        return;
    };
    for (word, part) in fields.iter_mut() {
        match (word.as_str(), part) {
            ("properties", Value::Object(properties)) => {
                properties
                    .values_mut()
                    .for_each(|schema| close(schema, false));
            }
            ("items" | "additionalProperties", schema) => close(schema, false),
            ("anyOf" | "oneOf", Value::Array(schemas)) => {
                schemas.iter_mut().for_each(|schema| close(schema, false));
            }
            ("allOf", Value::Array(schemas)) => {
                schemas.iter_mut().for_each(|schema| close(schema, true));
            }
            _ => {}
        }
    }
    let is_object = match &fields.get("type") {
        Some(Value::Array(types)) => types.iter().any(|name| name == "object"),
        Some(name) => *name == "object",
        None => ["$ref", "allOf"]
            .iter()
            .any(|word| fields.contains_key(*word)),
    };
    if is_object && !is_part && !fields.contains_key("additionalProperties") {
        fields.insert("unevaluatedProperties".to_owned(), Value::Bool(false));
    }
}

/// The status, and the fields by their names in small letters.
fn taken_apart(head: &str) -> (u16, BTreeMap<String, String>) {
    let status = head.get(9..12).and_then(|code| code.parse().ok());
    let field = |line: &str| {
        let (name, value) = line.split_once(':')?;
        Some((name.to_ascii_lowercase(), value.trim().to_owned()))
    };
    let fields = head.lines().skip(1).filter_map(field);
    (status.unwrap_or(0), fields.collect())
}

fn value(text: &str) -> Result<Value, String> {
    serde_json::from_str(text).map_err(|error| format!("{text:.100?} is no JSON: {error}"))
}

/// The names and data of events, as far as they are whole.
fn events(body: &str) -> Result<Vec<(String, Value)>, String> {
    let whole = body.rsplit_once("\n\n").map_or("", |(whole, _)| whole);
    let mut found = Vec::new();
    for event in whole.split("\n\n") {
        let part = |name: &str| event.lines().find_map(|line| line.strip_prefix(name));
        if let (Some(name), Some(data)) = (part("event: "), part("data: ")) {
            found.push((name.to_owned(), value(data)?));
        }
    }
    Ok(found)
}

/// The body of an answer that comes in chunks, as far as it came.
fn unchunked(body: &str) -> String {
    let (mut rest, mut whole) = (body.as_bytes(), Vec::new());
    while let Some(end) = rest.windows(2).position(|two| two == b"\r\n") {
        let size = std::str::from_utf8(&rest[..end]).unwrap();
        let size = usize::from_str_radix(size, 16).unwrap();
        let chunk = rest.get(end + 2..end + 2 + size);
        let Some(chunk) = chunk.filter(|chunk| !chunk.is_empty()) else {
            break;
        };
        whole.extend_from_slice(chunk);
        rest = rest.get(end + 4 + size..).unwrap_or_default();
    }
    String::from_utf8(whole).unwrap()
}
