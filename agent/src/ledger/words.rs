//! The account in words, as whoever started the program reads it when it ends.

use std::collections::BTreeMap;

use super::Ledger;

impl Ledger {
    /// The account in a few lines.
    #[must_use]
    pub(crate) fn text(&self) -> String {
        let Self {
            seconds,
            packets,
            ignored,
            retransmitted,
            evicted,
            records,
            heads,
            lines,
            sessions,
            ..
        } = self;
        let mut otherwise = records.lost.clone();
        let in_ring = otherwise.remove("ring").unwrap_or(0);
        let mut text = format!(
            "tapline saw {} in {seconds:.1} s and wrote {} ({} partial) in {}\n\
             records: {} numbered = {} received + {in_ring} lost in the ring; lost otherwise: {}; \
             lines lost: {}; segments seen before: {retransmitted}; connections evicted: {evicted}\n",
            many(*packets, "packet"),
            many(heads.found, "head"),
            heads.partial,
            many(lines.stored, "line"),
            records.numbered,
            records.received,
            lost(&otherwise),
            lost(&lines.lost_by),
        );
        if let Some(sessions) = sessions {
            text.push_str(&format!(
                "sessions: {} in {} with {}; evicted: {}; left out: {}\n",
                sessions.begun,
                many(sessions.records, "record"),
                many(sessions.packets, "packet"),
                sessions.evicted,
                many(sessions.packets_left_out, "packet"),
            ));
        }
        for (name, sink) in &self.sinks {
            text.push_str(&format!(
                "{name}: {} = {} stored + {} spooled + {} lost{}\n",
                many(sink.accepted, "record"),
                sink.stored,
                sink.spooled,
                sink.lost,
                because(&sink.lost_by),
            ));
        }
        if !ignored.is_empty() {
            text.push_str(&format!("ignored: {}\n", in_words(ignored)));
        }
        text
    }
}

/// How many were lost, and why.
fn lost(by: &BTreeMap<&'static str, u64>) -> String {
    format!("{}{}", by.values().sum::<u64>(), because(by))
}

/// ` (slot 1, cut 2)`; nothing where there is no reason.
fn because(counts: &BTreeMap<&'static str, u64>) -> String {
    match counts.is_empty() {
        true => String::new(),
        false => format!(" ({})", in_words(counts)),
    }
}

/// `truncated 3, tls 1`; nothing where there is nothing to say.
pub(crate) fn in_words(counts: &BTreeMap<&'static str, u64>) -> String {
    let words = counts.iter().map(|(name, count)| format!("{name} {count}"));
    words.collect::<Vec<String>>().join(", ")
}

/// `1 line`, `2 lines`.
pub(crate) fn many(count: u64, of_what: &str) -> String {
    let ending = if count == 1 { "" } else { "s" };
    format!("{count} {of_what}{ending}")
}
