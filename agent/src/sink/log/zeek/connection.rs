//! Lines of `conn.log`.

use super::value::{
    UNSET, append_count, append_ends, append_seconds, append_text, append_time, append_uid,
    append_unset, next,
};
use crate::session::record::{Protocol, SessionRecord};

pub(super) const COLUMNS: [(&str, &str); 22] = [
    ("ts", "time"),
    ("uid", "string"),
    ("id.orig_h", "addr"),
    ("id.orig_p", "port"),
    ("id.resp_h", "addr"),
    ("id.resp_p", "port"),
    ("proto", "enum"),
    ("service", "string"),
    ("duration", "interval"),
    ("orig_bytes", "count"),
    ("resp_bytes", "count"),
    ("conn_state", "string"),
    ("local_orig", "bool"),
    ("local_resp", "bool"),
    ("missed_bytes", "count"),
    ("history", "string"),
    ("orig_pkts", "count"),
    ("orig_ip_bytes", "count"),
    ("resp_pkts", "count"),
    ("resp_ip_bytes", "count"),
    ("tunnel_parents", "set[string]"),
    ("ip_proto", "count"),
];

/// Appends the line of a session, with its line end.
pub fn write_session(record: &SessionRecord<'_>, out: &mut Vec<u8>) {
    let details = record.details.as_ref();
    append_time(record.timestamp, out);
    append_uid(details.map(|details| details.session_id), out);
    let source = (record.src_ip, record.src_port);
    append_ends([source, (record.dst_ip, record.dst_port)], out);
    let is_ipv6 = record.src_ip.to_canonical().is_ipv6();
    let (proto, number) = match record.protocol {
        Protocol::Tcp => ("tcp", 6),
        Protocol::Udp => ("udp", 17),
        Protocol::Icmp => ("icmp", if is_ipv6 { 58 } else { 1 }),
    };
    append_text(Some(proto), out);
    let has_http = details.is_some_and(|details| details.http_requests > 0);
    append_text(has_http.then_some("http"), out);
    next(out);
    match details.filter(|_| record.packets > 1) {
        Some(details) => append_seconds(details.duration_us, out),
        None => out.extend_from_slice(UNSET),
    }
    append_count(details.map(|details| details.orig_bytes), out);
    append_count(details.map(|details| details.resp_bytes), out);
    append_text(details.map(|details| details.conn_state), out);
    append_unset(2, out);
    append_count(details.map(|details| details.missed_bytes), out);
    let history = details.map(|details| details.history);
    append_text(history.filter(|letters| !letters.is_empty()), out);
    append_count(details.map(|details| details.packets_out), out);
    append_count(details.map(|details| details.bytes_out), out);
    append_count(details.map(|details| details.packets_in), out);
    append_count(details.map(|details| details.bytes_in), out);
    append_unset(1, out);
    append_count(Some(number), out);
    out.push(b'\n');
}
