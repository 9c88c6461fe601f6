//! Whether a record is one that a filter finds: what its SQL says, said of a record in memory.

use super::{Common, ExchangeFilter};
use crate::analysis::template;
use crate::http::exchange::record::ExchangeRecord;

impl ExchangeFilter {
    /// Whether this exchange would be found.
    #[must_use]
    pub fn matches(&self, record: &ExchangeRecord<'_>) -> bool {
        let Self {
            common:
                Common {
                    since,
                    until,
                    ip,
                    port,
                    src_ip,
                    dst_ip,
                    session_id,
                },
            method,
            host,
            target,
            status,
            outcome,
            role,
            min_latency_us,
            endpoint,
            user_agent,
        } = self;
        let ports = [record.src_port, record.dst_port];
        let ips = [record.src_ip, record.dst_ip];
        let is = |wanted: &Option<String>, text: Option<&str>| {
            wanted.is_none() || wanted.as_deref() == text
        };
        let holds = |wanted: &Option<String>, text: Option<&str>| {
            let Some(wanted) = wanted else { return true };
            text.is_some_and(|text| text.contains(wanted.as_str()))
        };
        since.is_none_or(|since| record.ts >= since)
            && until.is_none_or(|until| record.ts < until)
            && ip.is_none_or(|ip| ips.contains(&ip))
            && port.is_none_or(|port| ports.contains(&port))
            && src_ip.is_none_or(|ip| ip == record.src_ip)
            && dst_ip.is_none_or(|ip| ip == record.dst_ip)
            && session_id.is_none_or(|session| Some(session) == record.session_id)
            && is(method, record.method)
            && host.as_deref().is_none_or(|host| {
                record
                    .host
                    .is_some_and(|text| text.eq_ignore_ascii_case(host))
            })
            && holds(target, record.target)
            && holds(user_agent, record.user_agent)
            && endpoint
                .as_deref()
                .is_none_or(|endpoint| is_of(endpoint, record))
            && status
                .as_ref()
                .is_none_or(|range| record.status.is_some_and(|status| range.contains(&status)))
            && outcome.is_none_or(|outcome| outcome == record.outcome)
            && role.is_none_or(|role| role == record.role)
            && min_latency_us.is_none_or(|least| record.ttfb_us.is_some_and(|us| us >= least))
    }
}
/// Whether it is one of this endpoint: a method and a template.
fn is_of(endpoint: &str, record: &ExchangeRecord<'_>) -> bool {
    let (method, template) = endpoint.split_once(' ').unwrap_or((endpoint, ""));
    record.method == Some(method)
        && record
            .target
            .is_some_and(|target| template::is_of(target.as_bytes(), template.as_bytes()))
}
