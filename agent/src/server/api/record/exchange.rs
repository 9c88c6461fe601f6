//! Exchanges, as Tapline writes them: those fields that every exchange has must be there, the others may be.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::Checked;
use super::values::{Answer, number, text};
use crate::http::exchange::record::{ExchangeRecord, Outcome, Role};

/// Bytes of a text: a head has 16 KiB, and each byte of it may be written as `\xNN`.
const TEXT_MOST: usize = 64 << 10;

unread! {
    exchange_id, session_id, ts, role, outcome, src_ip, src_port, dst_ip, dst_port, method, target,
    version, host, user_agent, referer, status, content_type, ttfb_us, total_us, request_bytes,
    response_bytes, interim_status, traceparent, headers, partial, cpu_id, reply_cpu_id
}

impl Checked<'_> {
    /// Takes an exchange.
    ///
    /// # Errors
    /// It is no object.
    pub(super) fn exchange(&mut self, json: &str) -> serde_json::Result<()> {
        let raw = serde_json::from_str(json)?;
        self.exchange_of(&raw);
        Ok(())
    }

    fn exchange_of(&mut self, raw: &Raw<'_>) {
        let before = self.wrong.len();
        let exchange_id = self.needed("exchange_id", raw.exchange_id, Self::identifier);
        let session_id = self.optional("session_id", raw.session_id, Self::identifier);
        let ts = self.needed("ts", raw.ts, |checked, json| checked.start(json, true));
        let role = self.needed("role", raw.role, |_, json| {
            word(json, &Role::ALL, Role::name)
        });
        let outcome = self.needed("outcome", raw.outcome, |_, json| {
            word(json, &Outcome::ALL, Outcome::name)
        });
        let src_ip = self.needed("src_ip", raw.src_ip, Self::address);
        let src_port = self.needed("src_port", raw.src_port, Self::port);
        let dst_ip = self.needed("dst_ip", raw.dst_ip, Self::address);
        let dst_port = self.needed("dst_port", raw.dst_port, Self::port);
        let version = self.needed("version", raw.version, Self::line);
        let cpu_id = self.needed("cpu_id", raw.cpu_id, Self::number32);
        let mut line = |name, value| self.optional(name, value, Self::line);
        let method = line("method", raw.method);
        let target = line("target", raw.target);
        let host = line("host", raw.host);
        let user_agent = line("user_agent", raw.user_agent);
        let referer = line("referer", raw.referer);
        let content_type = line("content_type", raw.content_type);
        let traceparent = line("traceparent", raw.traceparent);
        let mut count = |name, value| self.optional(name, value, Self::count);
        let ttfb_us = count("ttfb_us", raw.ttfb_us);
        let total_us = count("total_us", raw.total_us);
        let request_bytes = count("request_bytes", raw.request_bytes);
        let response_bytes = count("response_bytes", raw.response_bytes);
        let status = self.optional("status", raw.status, Self::status);
        let interim_status = self.optional("interim_status", raw.interim_status, Self::status);
        let headers = self.optional("headers", raw.headers, Self::headers);
        let partial = self.optional("partial", raw.partial, Self::truth);
        let reply_cpu_id = self.optional("reply_cpu_id", raw.reply_cpu_id, Self::number32);
        if self.wrong.len() > before {
            return;
        }
        let (Some(exchange_id), Some(ts), Some(role)) = (exchange_id, ts, role) else {
            return;
        };
        let (Some(outcome), Some(version), Some(cpu_id)) = (outcome, version, cpu_id) else {
            return;
        };
        let (Some(src_ip), Some(src_port)) = (src_ip, src_port) else {
            return;
        };
        let (Some(dst_ip), Some(dst_port)) = (dst_ip, dst_port) else {
            return;
        };
        let record = ExchangeRecord {
            exchange_id,
            session_id,
            ts,
            role,
            outcome,
            src_ip,
            src_port,
            dst_ip,
            dst_port,
            method: method.as_deref(),
            target: target.as_deref(),
            version: &version,
            host: host.as_deref(),
            user_agent: user_agent.as_deref(),
            referer: referer.as_deref(),
            status,
            content_type: content_type.as_deref(),
            ttfb_us,
            total_us,
            request_bytes,
            response_bytes,
            interim_status,
            traceparent: traceparent.as_deref(),
            headers: headers.as_deref(),
            partial: partial.unwrap_or(false),
            cpu_id,
            reply_cpu_id,
        };
        if self.batch.push_exchange(&record).is_err() {
            self.too_long();
        }
    }

    /// A text as it may stand in a log.
    fn line(&mut self, json: &str) -> Answer<String> {
        let text = text(json)?;
        match text.len() <= TEXT_MOST && !text.chars().any(char::is_control) {
            true => Ok(text.into_owned()),
            false => Err((
                "string_pattern_mismatch",
                format!("Input should be up to {TEXT_MOST} bytes without control characters"),
            )),
        }
    }

    fn status(&mut self, json: &str) -> Answer<u16> {
        Ok(number(json, 999)? as u16)
    }

    /// An object of names and texts, written anew without white space.
    fn headers(&mut self, json: &str) -> Answer<Box<RawValue>> {
        let wrong = || {
            let msg = format!("Input should be an object of texts, up to {TEXT_MOST} bytes");
            ("dict_type", msg)
        };
        let Pairs(text) = serde_json::from_str(json).map_err(|_other| wrong())?;
        match text.len() <= TEXT_MOST {
            true => RawValue::from_string(text).map_err(|_other| wrong()),
            false => Err(wrong()),
        }
    }
}

fn word<T: Copy>(json: &str, all: &[T], name: impl Fn(T) -> &'static str) -> Answer<T> {
    let text = text(json)?;
    let found = all.iter().copied().find(|one| name(*one) == text);
    found.ok_or_else(|| {
        let names: Vec<&str> = all.iter().map(|one| name(*one)).collect();
        (
            "enum",
            format!("Input should be one of {}", names.join(", ")),
        )
    })
}

/// An object of texts, as text again.
struct Pairs(String);

impl<'de> Deserialize<'de> for Pairs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reads;

        impl<'de> Visitor<'de> for Reads {
            type Value = Pairs;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object of texts")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Pairs, A::Error> {
                let mut text = String::from("{");
                while let Some((name, value)) = map.next_entry::<String, String>()? {
                    let between = match text.len() {
                        1 => "",
                        _ => ",",
                    };
                    let [name, value] = [name, value].map(serde_json::Value::String);
                    text += &format!("{between}{name}:{value}");
                }
                text.push('}');
                Ok(Pairs(text))
            }
        }

        deserializer.deserialize_map(Reads)
    }
}
