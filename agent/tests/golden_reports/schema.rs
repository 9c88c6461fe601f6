//! As much of JSON Schema (2020-12) as the schema of the report uses.

use serde_json::Value;

/// Whether the value is as the schema says; a panic that names the place where it is not.
pub(crate) fn check(root: &Value, schema: &Value, value: &Value, place: &str) {
    let found = fault(root, schema, value, place);
    assert_eq!(found, None);
}

fn fault(root: &Value, schema: &Value, value: &Value, place: &str) -> Option<String> {
    let known = [
        "$schema",
        "$defs",
        "$ref",
        "title",
        "description",
        "type",
        "properties",
        "required",
        "additionalProperties",
        "items",
        "anyOf",
        "enum",
        "minimum",
        "minItems",
        "maxItems",
        "format",
    ];
    let object = schema.as_object()?;
    if let Some(word) = object.keys().find(|word| !known.contains(&word.as_str())) {
        return Some(format!("the schema has {word}, which is not checked"));
    }
    if let Some(name) = schema["$ref"].as_str() {
        let name = name.strip_prefix("#/$defs/")?;
        let target = &root["$defs"][name];
        if target.is_null() {
            return Some(format!("{place}: there is no {name}"));
        }
        return fault(root, target, value, place);
    }
    if let Some(options) = schema["anyOf"].as_array() {
        let faults: Vec<String> = options
            .iter()
            .map_while(|option| fault(root, option, value, place))
            .collect();
        return (faults.len() == options.len()).then(|| faults.join(" and "));
    }
    if let Some(words) = schema["enum"].as_array()
        && !words.contains(value)
    {
        return Some(format!("{place}: {value} is none of {words:?}"));
    }
    let is_of_type = match schema["type"].as_str() {
        Some("object") => value.is_object(),
        Some("array") => value.is_array(),
        Some("string") => value.is_string(),
        Some("integer") => value.is_u64() || value.is_i64(),
        Some("number") => value.is_number(),
        Some("boolean") => value.is_boolean(),
        Some("null") => value.is_null(),
        Some(other) => return Some(format!("the schema has the type {other}")),
        None => true,
    };
    if !is_of_type {
        return Some(format!("{place}: {value} is no {}", schema["type"]));
    }
    if let (Some(least), Some(number)) = (schema["minimum"].as_f64(), value.as_f64())
        && number < least
    {
        return Some(format!("{place}: {number} is less than {least}"));
    }
    if schema["format"] == "date-time" {
        let time = value.as_str().unwrap_or_default();
        if time.parse::<jiff::Timestamp>().is_err() {
            return Some(format!("{place}: {time} is no time"));
        }
    }
    if let Some(fields) = value.as_object() {
        let properties = schema["properties"].as_object()?;
        for name in schema["required"].as_array().into_iter().flatten() {
            let name = name.as_str().unwrap_or_default();
            if !fields.contains_key(name) {
                return Some(format!("{place}: {name} is missing"));
            }
        }
        return fields
            .iter()
            .find_map(|(name, value)| match properties.get(name) {
                Some(schema) => fault(root, schema, value, &format!("{place}.{name}")),
                None => Some(format!("{place}: {name} is not in the schema")),
            });
    }
    let items = &schema["items"];
    value.as_array().and_then(|values| {
        let mut values = values.iter().enumerate();
        values.find_map(|(index, value)| fault(root, items, value, &format!("{place}[{index}]")))
    })
}
