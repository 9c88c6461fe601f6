//! The values of a row, in the order of its statement.

use rusqlite::types::Null;
use rusqlite::{Result, Statement, ToSql};

use super::roll_up::whole;
use super::text::Texts;
use crate::http::exchange::record::ExchangeRecord;
use crate::session::identifier::Identifier;
use crate::session::record::{SessionDetails, SessionRecord};

/// Binds all columns of a session.
pub(super) fn bind_session(
    statement: &mut Statement<'_>,
    id: i64,
    record: &SessionRecord<'_>,
    texts: &mut Texts,
) -> Result<()> {
    let SessionRecord {
        protocol,
        src_ip,
        src_port,
        dst_ip,
        dst_port,
        packets,
        bytes,
        cpu_id,
        timestamp,
        ref details,
    } = *record;
    let mut next = Next {
        statement,
        index: 0,
    };
    next.put(id)?;
    match details {
        Some(details) => {
            next.identifier(Some(details.session_id), texts)?;
            next.put(details.revision)?;
            next.put(details.interim)?;
        }
        None => next.nulls(3)?,
    }
    next.put(protocol.name())?;
    next.put(texts.address(src_ip))?;
    next.put(src_port)?;
    next.put(texts.address(dst_ip))?;
    next.put(dst_port)?;
    next.put(whole(packets))?;
    next.put(whole(bytes))?;
    next.put(cpu_id)?;
    next.put(timestamp.as_microsecond())?;
    let Some(details) = details else {
        return next.nulls(17);
    };
    let SessionDetails {
        session_id: _,
        revision: _,
        interim: _,
        ended_at,
        duration_us,
        packets_out,
        packets_in,
        bytes_out,
        bytes_in,
        orig_bytes,
        resp_bytes,
        missed_bytes,
        reply_cpu_id,
        conn_state,
        history,
        retransmits,
        rtt_us,
        http_requests,
        http_errors,
        ifname,
    } = *details;
    next.put(ended_at.as_microsecond())?;
    for number in [
        duration_us,
        packets_out,
        packets_in,
        bytes_out,
        bytes_in,
        orig_bytes,
        resp_bytes,
        missed_bytes,
    ] {
        next.put(whole(number))?;
    }
    next.put(reply_cpu_id)?;
    next.put(conn_state)?;
    next.put(history)?;
    next.put(whole(retransmits))?;
    next.put(rtt_us.map(whole))?;
    next.put(whole(http_requests))?;
    next.put(whole(http_errors))?;
    next.put((!ifname.is_empty()).then_some(ifname))
}

/// Binds all columns of an exchange.
pub(super) fn bind_exchange(
    statement: &mut Statement<'_>,
    id: i64,
    record: &ExchangeRecord<'_>,
    texts: &mut Texts,
) -> Result<()> {
    let ExchangeRecord {
        exchange_id,
        session_id,
        ts,
        role,
        outcome,
        src_ip,
        src_port,
        dst_ip,
        dst_port,
        method,
        target,
        version,
        host,
        user_agent,
        referer,
        status,
        content_type,
        ttfb_us,
        total_us,
        request_bytes,
        response_bytes,
        interim_status,
        traceparent,
        headers,
        partial,
        cpu_id,
        reply_cpu_id,
    } = *record;
    let mut next = Next {
        statement,
        index: 0,
    };
    next.put(id)?;
    next.identifier(Some(exchange_id), texts)?;
    next.identifier(session_id, texts)?;
    next.put(ts.as_microsecond())?;
    next.put(role.name())?;
    next.put(outcome.name())?;
    next.put(texts.address(src_ip))?;
    next.put(src_port)?;
    next.put(texts.address(dst_ip))?;
    next.put(dst_port)?;
    next.put(method)?;
    next.put(target)?;
    next.put(version)?;
    next.put(host)?;
    next.put(user_agent)?;
    next.put(referer)?;
    next.put(status)?;
    next.put(content_type)?;
    next.put(ttfb_us.map(whole))?;
    next.put(total_us.map(whole))?;
    next.put(request_bytes.map(whole))?;
    next.put(response_bytes.map(whole))?;
    next.put(interim_status)?;
    next.put(traceparent)?;
    next.put(headers.map(|headers| headers.get()))?;
    next.put(partial)?;
    next.put(cpu_id)?;
    next.put(reply_cpu_id)
}

/// Binds one value after the other.
struct Next<'s, 'c> {
    statement: &'s mut Statement<'c>,
    index: usize,
}

impl Next<'_, '_> {
    fn put(&mut self, value: impl ToSql) -> Result<()> {
        self.index += 1;
        self.statement.raw_bind_parameter(self.index, value)
    }

    fn identifier(&mut self, identifier: Option<Identifier>, texts: &Texts) -> Result<()> {
        match identifier {
            Some(identifier) => self.put(texts.identifier(identifier).as_str()),
            None => self.put(Null),
        }
    }

    fn nulls(&mut self, count: usize) -> Result<()> {
        (0..count).try_for_each(|_| self.put(Null))
    }
}
