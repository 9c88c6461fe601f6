//! What somebody who follows exchanges wants to see: a message, and what is wrong with it. Pure.

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::server::api::filters::{self, with_exchange_filters};
use crate::server::api::parameters::Parameters;
use crate::server::api::refusal::{Place, Refusal};
use crate::store::ExchangeFilter;

/// What can be asked for: what `/api/exchanges` can. Times are refused, but known.
const FILTERS: &[&str] = with_exchange_filters!();

/// What is shown.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Wish {
    pub(super) filter: ExchangeFilter,
    pub(super) is_paused: bool,
}

/// What a message may have.
const NAMES: [&str; 2] = ["filter", "paused"];

/// A message: what is not in it stays as it was.
#[derive(Deserialize)]
struct Message {
    filter: Option<Map<String, Value>>,
    paused: Option<bool>,
}

impl Wish {
    /// Takes a message.
    ///
    /// # Errors
    /// What is wrong with it, in words; the wish is as it was.
    pub(super) fn take(&mut self, message: &str) -> Result<(), String> {
        const SHAPE: &str = "A message is {\"filter\": {…}, \"paused\": false}";
        let shape = |_nonsense| format!("{SHAPE}.");
        let given: Map<String, Value> = serde_json::from_str(message).map_err(shape)?;
        if let Some(name) = given.keys().find(|name| !NAMES.contains(&name.as_str())) {
            return Err(format!("{SHAPE}, and has no {name:.50}."));
        }
        let message: Message = serde_json::from_value(Value::Object(given)).map_err(shape)?;
        if let Some(filter) = message.filter {
            self.filter = read(&filter)?;
        }
        self.is_paused = message.paused.unwrap_or(self.is_paused);
        Ok(())
    }
}

fn read(given: &Map<String, Value>) -> Result<ExchangeFilter, String> {
    let mut query = String::new();
    for (name, value) in given {
        if name == "start_time" || name == "end_time" {
            return Err(format!("filter.{name}: What is shown is of now"));
        }
        let text = match value {
            Value::Null => continue,
            Value::String(text) => text.clone(),
            Value::Number(number) => number.to_string(),
            _ => {
                return Err(format!(
                    "filter.{name:.50}: Input should be a text or a number"
                ));
            }
        };
        query += &format!("{}={}&", encoded(name), encoded(&text));
    }
    let mut parameters = Parameters::new(Some(&query), FILTERS);
    let filter = filters::exchanges(&mut parameters);
    parameters.end().map(|()| filter).map_err(said)
}

/// Percent-encoded, whatever is in it.
fn encoded(text: &str) -> String {
    let encode = |byte: u8| match byte.is_ascii_alphanumeric() {
        true => char::from(byte).to_string(),
        false => format!("%{byte:02X}"),
    };
    text.bytes().map(encode).collect()
}

fn said(refusal: Refusal) -> String {
    let Refusal::Values(wrong) = refusal else {
        return "The filter cannot be read.".to_owned();
    };
    let one = |wrong: &crate::server::api::refusal::Wrong| {
        let name = match wrong.loc.last() {
            Some(Place::Given(name)) => name.as_str(),
            _ => "?",
        };
        format!("filter.{name}: {}", wrong.msg)
    };
    wrong.iter().map(one).collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_message_changes_what_is_in_it() {
        let mut wish = Wish::default();
        wish.take(
            r#"{"filter": {"method": "GET", "status": "5xx", "port": 80, "target": "&=%ä"}}"#,
        )
        .unwrap();
        let filter = ExchangeFilter {
            method: Some("GET".to_owned()),
            status: Some(500..=599),
            target: Some("&=%ä".to_owned()),
            common: crate::store::Common {
                port: Some(80),
                ..Default::default()
            },
            ..ExchangeFilter::default()
        };
        assert_eq!(wish.filter, filter);
        wish.take(r#"{"paused": true}"#).unwrap();
        assert!(wish.is_paused && wish.filter == filter);
        wish.take(r#"{"filter": {"host": null}}"#).unwrap();
        assert!(wish.is_paused && wish.filter == ExchangeFilter::default());
    }

    #[test]
    fn what_is_wrong_is_said_and_changes_nothing() {
        let check = |message: &str, says: &str| {
            let mut wish = Wish {
                is_paused: true,
                ..Wish::default()
            };
            let before = wish.clone();
            let said = wish.take(message).unwrap_err();
            assert!(said.contains(says), "{message}: {said}");
            assert_eq!(wish, before);
        };
        check("", "A message is");
        check("[]", "A message is");
        check("{\"filter\": 1}", "A message is");
        check("{\"more\": 1}", "more");
        check("{\"paused\": 1}", "A message is");
        check(
            "{\"filter\": {\"port\": 70000}}",
            "filter.port: Input should be a number",
        );
        check(
            "{\"filter\": {\"status\": \"x\"}, \"paused\": false}",
            "filter.status",
        );
        check(
            "{\"filter\": {\"start_time\": \"2026-01-01\"}}",
            "filter.start_time: What is shown is of now",
        );
        check("{\"filter\": {\"ip\": [1]}}", "filter.ip");
        check(&"[".repeat(10_000), "A message is");
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(message in "\\PC{0,60}", value in "\\PC{0,20}") {
            let mut wish = Wish::default();
            drop(wish.take(&message));
            let message = serde_json::json!({"filter": {"target": value, "host": value}});
            wish.take(&message.to_string()).unwrap();
            let value = Some(value).filter(|value| !value.is_empty());
            prop_assert_eq!(wish.filter.target, value);
        }
    }
}
