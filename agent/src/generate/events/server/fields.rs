//! The fields of a JSON object in a request. What is wrong with any of them is told with its name.

use std::fmt::Display;

use serde_json::value::to_raw_value;
use serde_json::{Map, Value};

use crate::config::Word;
use crate::server::api::refusal::{Input, Place, Refusal, Wrong};

/// Bytes of a wrong value that are given back at most.
const INPUT_MOST: usize = 200;

/// The fields that were given. Each is taken out; what is left over is passed over.
#[derive(Debug)]
pub(super) struct Fields {
    place: &'static str,
    given: Map<String, Value>,
    wrong: Vec<Wrong>,
}

impl Fields {
    /// Of a value that stands at `place`; no object is wrong.
    pub(super) fn new(place: &'static str, value: Value) -> Self {
        let mut fields = Self {
            place,
            given: Map::new(),
            wrong: Vec::new(),
        };
        match value {
            Value::Object(given) => fields.given = given,
            other => fields.wrong.push(Wrong {
                kind: "model_attributes_type",
                loc: vec![Place::Name(place)],
                msg: "Input should be a valid dictionary".to_owned(),
                input: input(&other),
            }),
        }
        fields
    }

    /// Of the bytes of a body; none is an empty object.
    pub(super) fn of_body(bytes: &[u8]) -> Self {
        if bytes.trim_ascii().is_empty() {
            return Self::new("body", Value::Object(Map::new()));
        }
        match serde_json::from_slice(bytes) {
            Ok(value) => Self::new("body", value),
            Err(error) => Self {
                place: "body",
                given: Map::new(),
                wrong: vec![Wrong {
                    kind: "json_invalid",
                    loc: vec![Place::Name("body"), Place::Index(error.column())],
                    msg: format!("JSON decode error: {error}"),
                    input: None,
                }],
            },
        }
    }

    /// Takes a value that may be anything.
    pub(super) fn value(&mut self, name: &'static str) -> Option<Value> {
        self.given.remove(name)
    }

    /// Takes a whole number.
    pub(super) fn whole(&mut self, name: &'static str, least: u64, most: u64) -> Option<u64> {
        let value = self.given.remove(name)?;
        let integral = value.as_f64().filter(|number| number.fract() == 0.0);
        let number = value
            .as_i64()
            .or_else(|| integral.map(|number| number as i64));
        let Some(number) = number else {
            let kind = match value.is_number() {
                true => "int_from_float",
                false => "int_type",
            };
            self.refuse(kind, name, &value, "Input should be a valid integer");
            return None;
        };
        let inside = self.inside(name, &value, number as f64, least as f64, most as f64);
        inside.then_some(u64::try_from(number).unwrap_or(least))
    }

    /// Takes a number.
    pub(super) fn number(&mut self, name: &'static str, least: f64, most: f64) -> Option<f64> {
        let value = self.given.remove(name)?;
        let Some(number) = value.as_f64() else {
            self.refuse("float_type", name, &value, "Input should be a valid number");
            return None;
        };
        self.inside(name, &value, number, least, most)
            .then_some(number)
    }

    /// Takes a truth value.
    pub(super) fn truth(&mut self, name: &'static str) -> Option<bool> {
        let value = self.given.remove(name)?;
        if value.as_bool().is_none() {
            self.refuse("bool_type", name, &value, "Input should be a valid boolean");
        }
        value.as_bool()
    }

    /// Takes one of a few words of `all`.
    pub(super) fn word<T: Word>(&mut self, name: &'static str, all: &[T]) -> Option<T> {
        let value = self.given.remove(name)?;
        let found = all
            .iter()
            .copied()
            .find(|one| Some(one.word()) == value.as_str());
        if found.is_none() {
            let words: Vec<String> = all.iter().map(|one| format!("'{}'", one.word())).collect();
            let says = format!("Input should be {}", words.join(", "));
            self.refuse("enum", name, &value, &says);
        }
        found
    }

    /// Says that a field must be there.
    pub(super) fn missing(&mut self, name: &'static str) {
        // One that is there and wrong was told already.
        let is_told = self
            .wrong
            .iter()
            .any(|wrong| wrong.loc.get(1) == Some(&Place::Name(name)) || wrong.loc.len() == 1);
        if !is_told {
            self.wrong.push(Wrong {
                kind: "missing",
                loc: vec![Place::Name(self.place), Place::Name(name)],
                msg: "Field required".to_owned(),
                input: None,
            });
        }
    }

    /// Ends the taking.
    ///
    /// # Errors
    /// What is wrong with the fields that were taken.
    pub(super) fn end(self) -> Result<(), Vec<Wrong>> {
        match self.wrong.is_empty() {
            true => Ok(()),
            false => Err(self.wrong),
        }
    }

    fn inside(
        &mut self,
        name: &'static str,
        value: &Value,
        number: f64,
        least: f64,
        most: f64,
    ) -> bool {
        let mut refuse = |kind, than: &str, bound: &dyn Display| {
            let says = format!("Input should be {than} than or equal to {bound}");
            self.refuse(kind, name, value, &says);
            false
        };
        match number {
            _ if number < least => refuse("greater_than_equal", "greater", &least),
            _ if number > most => refuse("less_than_equal", "less", &most),
            _ => true,
        }
    }

    pub(super) fn refuse(
        &mut self,
        kind: &'static str,
        name: &'static str,
        value: &Value,
        says: &str,
    ) {
        self.wrong.push(Wrong {
            kind,
            loc: vec![Place::Name(self.place), Place::Name(name)],
            msg: says.to_owned(),
            input: input(value),
        });
    }
}

/// What is wrong, as an answer: 422.
pub(super) fn refused(wrong: Vec<Wrong>) -> Refusal {
    Refusal::Values(wrong)
}

fn input(value: &Value) -> Option<Input> {
    let raw = to_raw_value(value).ok()?;
    (raw.get().len() <= INPUT_MOST).then_some(Input::Json(raw))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::super::super::family::Family;
    use super::*;

    fn said(mut fields: Fields) -> Value {
        let _count = fields.whole("count", 1, 10_000);
        let _rate = fields.number("anomaly_rate", 0.0, 1.0);
        let _labels = fields.truth("include_labels");
        if fields.word("anomaly_type", Family::ALL).is_none() {
            fields.missing("anomaly_type");
        }
        fields
            .end()
            .map_or_else(|wrong| json!(wrong), |()| json!([]))
    }

    #[test]
    fn what_is_wrong_is_told_with_its_name() {
        let check = |body: Value, kind: &str, name: &str| {
            let said = said(Fields::of_body(body.to_string().as_bytes()));
            let wrong = said.as_array().unwrap();
            assert_eq!(wrong.len(), 1, "{said}");
            assert_eq!(wrong[0]["type"], kind, "{said}");
            assert_eq!(wrong[0]["loc"], json!(["body", name]), "{said}");
            assert!(wrong[0]["msg"].as_str().is_some_and(|msg| !msg.is_empty()));
        };
        let with = |name: &str, value: Value| json!({"anomaly_type": "error_spike", name: value});
        check(with("count", json!(0)), "greater_than_equal", "count");
        check(with("count", json!(10_001)), "less_than_equal", "count");
        check(with("count", json!(1e300)), "less_than_equal", "count");
        check(with("count", json!(-1)), "greater_than_equal", "count");
        check(with("count", json!(1.5)), "int_from_float", "count");
        check(with("count", json!("ten")), "int_type", "count");
        check(with("count", json!(null)), "int_type", "count");
        check(
            with("anomaly_rate", json!(1.1)),
            "less_than_equal",
            "anomaly_rate",
        );
        check(
            with("anomaly_rate", json!([])),
            "float_type",
            "anomaly_rate",
        );
        check(
            with("include_labels", json!("yes")),
            "bool_type",
            "include_labels",
        );
        check(json!({"anomaly_type": "meteor"}), "enum", "anomaly_type");
        check(json!({}), "missing", "anomaly_type");
        let more = with("counts", json!(1)).to_string();
        assert_eq!(said(Fields::of_body(more.as_bytes())), json!([]));
        assert_eq!(said(Fields::of_body(b"[]"))[0]["loc"], json!(["body"]));
        assert_eq!(said(Fields::of_body(b"{"))[0]["type"], "json_invalid");
        assert_eq!(
            said(Fields::of_body(
                b"{\"anomaly_type\":\"error_spike\",\"count\":5.0}"
            )),
            json!([])
        );
    }

    proptest! {
        #[test]
        fn no_body_makes_it_panic(body in "\\PC{0,40}|\\{\"count\":[-0-9.eE]{1,20}\\}") {
            drop(said(Fields::of_body(body.as_bytes())));
        }
    }
}
