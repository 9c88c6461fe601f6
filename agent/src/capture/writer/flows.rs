//! From a flow to the session that is made of it, and to the end of its exchanges.

use agent_common::flow::{FlowRecord, seen};

use super::{Exchanges, Writer};
use crate::capture::flows::{TakeFlow, Taken, When};
use crate::http::engine::Engine;
use crate::session::describe::describe;
use crate::session::table::Due;

impl TakeFlow for Writer {
    fn sent(&mut self, record: &FlowRecord, engine: &Engine) {
        self.end_exchanges(record, record.time_ns, engine);
        if let Some(sessions) = &mut self.sessions
            && let Some(due) = sessions.sent(record)
        {
            self.session(record, due);
        }
    }

    fn found(&mut self, record: &FlowRecord, _news: bool, when: When, engine: &Engine) -> Taken {
        if record.last_ns <= when.read_ns {
            self.end_exchanges(record, when.now_ns, engine);
        } else if record.state & seen::ENDED != 0 {
            // Heads of it are still in the ring, and what is taken as final may not come again: the next walk.
            return Taken::No;
        }
        let Some(sessions) = &mut self.sessions else {
            return Taken::No;
        };
        let (due, taken) = sessions.found(record, when.now_ns);
        if let Some(due) = due {
            self.session(record, due);
        }
        taken
    }

    fn counted_twice(&mut self, packets: u64) {
        if let Some(sessions) = &mut self.sessions {
            sessions.counted_twice(packets);
        }
    }

    fn walked(&mut self) {
        if let Some(sessions) = &mut self.sessions {
            sessions.walked();
        }
    }

    fn end(&mut self) {
        if let Some(sessions) = &mut self.sessions {
            sessions.end();
        }
    }
}

impl Writer {
    /// Hands on the exchanges that are over by what their flow says.
    fn end_exchanges(&mut self, flow: &FlowRecord, now_ns: u64, engine: &Engine) {
        let Some(Exchanges {
            pairing,
            records,
            tally,
        }) = &mut self.exchanges
        else {
            return;
        };
        let holds_back = |slot, generation| engine.holds_back(slot, generation);
        pairing.flow(flow, now_ns, holds_back, &mut |record| {
            tally.count(record);
            self.sink.write_exchange(record);
            records.push_exchange(record);
        });
    }

    fn session(&mut self, flow: &FlowRecord, due: Due) {
        let Self {
            sink,
            clock,
            interfaces,
            exchanges,
            ..
        } = self;
        let ifname = interfaces.get(&flow.ifindex).map_or("", String::as_str);
        let begin_ns = clock.wall(flow.first_ns);
        describe(flow, due, ifname, begin_ns, |record| {
            sink.write_session(record);
            if let Some(Exchanges { records, .. }) = exchanges {
                records.push_session(record);
            }
        });
    }
}
