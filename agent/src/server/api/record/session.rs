//! Sessions. The eight fields that every program knows must be there; `timestamp` (else the time of
//! this host) and `cpu_id` (else 0) may be. With `session_id` the record is one of Tapline's own, and
//! all of its fields must be there; without, the others are passed over.

use super::values::{Answer, text};
use super::{Checked, required};
use crate::session::identifier::Identifier;
use crate::session::record::{SessionDetails, SessionRecord};

/// Zeek's words for how a connection ended.
pub(in crate::server::api) const STATES: [&str; 13] = [
    "S0", "S1", "SF", "REJ", "S2", "S3", "RSTO", "RSTR", "RSTOS0", "RSTRH", "SH", "SHR", "OTH",
];
const HISTORY_MOST: usize = 64;
/// Bytes of an interface's name, as the kernel has it.
const INTERFACE_MOST: usize = 15;

unread! {
    protocol, src_ip, src_port, dst_ip, dst_port, packets, bytes, cpu_id, timestamp, session_id,
    revision, interim, ended_at, duration_us, packets_out, packets_in, bytes_out, bytes_in,
    orig_bytes, resp_bytes, missed_bytes, reply_cpu_id, conn_state, history, retransmits, rtt_us,
    http_requests, http_errors, ifname
}

impl Checked<'_> {
    /// Takes a session.
    ///
    /// # Errors
    /// It is no object.
    pub(super) fn session(&mut self, json: &str) -> serde_json::Result<()> {
        let raw = serde_json::from_str(json)?;
        self.session_of(&raw);
        Ok(())
    }

    fn session_of(&mut self, raw: &Raw<'_>) {
        let before = self.wrong.len();
        let protocol = self.needed("protocol", raw.protocol, Self::protocol);
        let src_ip = self.needed("src_ip", raw.src_ip, Self::address);
        let src_port = self.needed("src_port", raw.src_port, Self::port);
        let dst_ip = self.needed("dst_ip", raw.dst_ip, Self::address);
        let dst_port = self.needed("dst_port", raw.dst_port, Self::port);
        let packets = self.needed("packets", raw.packets, Self::count);
        let bytes = self.needed("bytes", raw.bytes, Self::count);
        let cpu_id = self.optional("cpu_id", raw.cpu_id, Self::number32);
        let is_ours = raw.session_id.is_some();
        let timestamp = self.optional("timestamp", raw.timestamp, |checked, json| {
            checked.start(json, is_ours)
        });
        let session_id = self.optional("session_id", raw.session_id, Self::identifier);
        let mut texts = Texts::default();
        let details = session_id.and_then(|session_id| self.details(session_id, raw, &mut texts));
        if self.wrong.len() > before {
            return;
        }
        let (Some(protocol), Some(src_ip), Some(src_port)) = (protocol, src_ip, src_port) else {
            return;
        };
        let (Some(dst_ip), Some(dst_port)) = (dst_ip, dst_port) else {
            return;
        };
        let (Some(packets), Some(bytes)) = (packets, bytes) else {
            return;
        };
        let record = SessionRecord {
            protocol,
            src_ip,
            src_port,
            dst_ip,
            dst_port,
            packets,
            bytes,
            cpu_id: cpu_id.unwrap_or(0),
            timestamp: timestamp.unwrap_or(self.rules.now),
            details: details.map(|details| SessionDetails {
                conn_state: &texts.conn_state,
                history: &texts.history,
                ifname: &texts.ifname,
                ..details
            }),
        };
        if self.batch.push_session(&record).is_err() {
            self.too_long();
        }
    }

    /// Without its texts, which are put into `texts`.
    fn details(
        &mut self,
        session_id: Identifier,
        raw: &Raw<'_>,
        texts: &mut Texts,
    ) -> Option<SessionDetails<'static>> {
        let before = self.wrong.len();
        let mut count = |name, value| self.needed(name, value, Self::count).unwrap_or(0);
        let details = SessionDetails {
            session_id,
            duration_us: count("duration_us", raw.duration_us),
            packets_out: count("packets_out", raw.packets_out),
            packets_in: count("packets_in", raw.packets_in),
            bytes_out: count("bytes_out", raw.bytes_out),
            bytes_in: count("bytes_in", raw.bytes_in),
            orig_bytes: count("orig_bytes", raw.orig_bytes),
            resp_bytes: count("resp_bytes", raw.resp_bytes),
            missed_bytes: count("missed_bytes", raw.missed_bytes),
            retransmits: count("retransmits", raw.retransmits),
            http_requests: count("http_requests", raw.http_requests),
            http_errors: count("http_errors", raw.http_errors),
            revision: self
                .needed("revision", raw.revision, Self::number32)
                .unwrap_or(0),
            interim: self
                .optional("interim", raw.interim, Self::truth)
                .unwrap_or(false),
            ended_at: self
                .needed("ended_at", raw.ended_at, Self::moment)
                .unwrap_or_default(),
            reply_cpu_id: self.optional("reply_cpu_id", raw.reply_cpu_id, Self::number32),
            rtt_us: self.optional("rtt_us", raw.rtt_us, Self::count),
            conn_state: "",
            history: "",
            ifname: "",
        };
        // Times that are given are needed: the record goes to the day of its start.
        if raw.timestamp.is_none() {
            self.refuse("missing", Some("timestamp"), required(), None);
        }
        texts.conn_state = self
            .needed("conn_state", raw.conn_state, Self::state)
            .unwrap_or_default();
        texts.history = self
            .needed("history", raw.history, Self::history)
            .unwrap_or_default();
        texts.ifname = self
            .optional("ifname", raw.ifname, Self::interface)
            .unwrap_or_default();
        (self.wrong.len() == before).then_some(details)
    }

    fn state(&mut self, json: &str) -> Answer<String> {
        let text = text(json)?;
        match STATES.contains(&&*text) {
            true => Ok(text.into_owned()),
            false => Err((
                "enum",
                format!("Input should be one of {}", STATES.join(", ")),
            )),
        }
    }

    fn history(&mut self, json: &str) -> Answer<String> {
        let text = text(json)?;
        let is_history = text.len() <= HISTORY_MOST
            && text
                .bytes()
                .all(|byte| byte.is_ascii_alphabetic() || byte == b'^');
        match is_history {
            true => Ok(text.into_owned()),
            false => Err((
                "string_pattern_mismatch",
                format!("Input should be up to {HISTORY_MOST} letters"),
            )),
        }
    }

    fn interface(&mut self, json: &str) -> Answer<String> {
        let text = text(json)?;
        match text.len() <= INTERFACE_MOST && !text.chars().any(char::is_control) {
            true => Ok(text.into_owned()),
            false => Err((
                "string_pattern_mismatch",
                format!("Input should be a name of up to {INTERFACE_MOST} bytes"),
            )),
        }
    }
}

/// The texts of a record of Tapline's own.
#[derive(Default)]
struct Texts {
    conn_state: String,
    history: String,
    ifname: String,
}
