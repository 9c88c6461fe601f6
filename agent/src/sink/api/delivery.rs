//! Brings one body to the target: until it has every record, or has refused it for good.

use std::ops::Range;
use std::rc::Rc;

use serde_json::value::RawValue;

use super::bisect::Plan;
use super::body::{Body, Form, reduced};
use super::connection::{Connection, Failure};
use super::settings::Mode;
use super::verdict::{Refusal, Verdict};
use super::work::{Item, Work};
use crate::sink::counts::LossReason;

/// A target that answers 500 so often may be all right but for what it was sent: halves of it are tried,
const BREAKS: u32 = 4;
/// and a record that is alone is given up after so many, if the target takes others meanwhile.
const BREAKS_ALONE: u32 = 3;
/// While the record at fault is looked for the target is asked often, so many times.
const HASTY_TRIES: u32 = 24;
/// Letters of a refused record that are quoted.
const QUOTED: usize = 300;

/// One body on its way.
pub(super) struct Delivery<'w> {
    work: &'w Work,
    item: Rc<Item>,
    plan: Plan,
    /// The records, where the body had to be taken apart.
    parts: Option<Parts>,
    /// The target answered 500 to it time and again.
    is_suspect: bool,
    /// How often it was tried since.
    suspect_tries: u32,
    /// Requests that the target had stored when this one began.
    stored_before: u64,
}

struct Parts {
    form: Form,
    records: Vec<Box<RawValue>>,
}

/// What became of a request.
enum Sent {
    Stored,
    Refused(Refusal),
    /// The target breaks over it.
    Breaks(Refusal),
    /// Nothing more is to be sent.
    Ended,
}

impl<'w> Delivery<'w> {
    pub(super) fn new(work: &'w Work, item: &Rc<Item>) -> Self {
        Self {
            work,
            item: Rc::clone(item),
            plan: Plan::whole(item.body.records as usize),
            parts: None,
            is_suspect: false,
            suspect_tries: 0,
            stored_before: work.gate.stored(),
        }
    }

    pub(super) async fn run(mut self, connection: &mut Connection) {
        if !self.suit_the_target() {
            self.work.finish(&self.item);
            return;
        }
        while let Some(range) = self.plan.next() {
            let records = range.len() as u64;
            let body = self.body(&range);
            match self.send(&body, connection).await {
                Sent::Stored => {
                    self.plan.settle();
                    self.work.store(&self.item, records);
                }
                Sent::Breaks(refusal) if records == 1 => {
                    // Is it the record, or the target?
                    if self.work.gate.stored() != self.stored_before {
                        self.plan.settle();
                        self.refused(&range, &refusal);
                    } else {
                        self.plan.defer();
                    }
                }
                Sent::Breaks(_) => {
                    self.is_suspect = self.take_apart();
                    if self.is_suspect {
                        self.plan.split();
                    }
                }
                Sent::Refused(refusal) if records == 1 => {
                    self.plan.settle();
                    self.refused(&range, &refusal);
                }
                Sent::Refused(refusal) => {
                    if !self.take_apart() {
                        self.plan.settle();
                        self.refused(&range, &refusal);
                        continue;
                    }
                    self.plan.split();
                }
                Sent::Ended => {
                    let rest = self.rest();
                    self.work.put_down(&self.item, rest);
                    return;
                }
            }
        }
        self.work.finish(&self.item);
    }

    /// A body of an earlier run may be of another form than is sent now. Whether there is something to
    /// send.
    fn suit_the_target(&mut self) -> bool {
        let form = match (self.item.body.form, self.work.settings.mode) {
            (Form::Sessions, Mode::Single) => Form::Session,
            (Form::Session, Mode::Array) => Form::Sessions,
            _ => return true,
        };
        if !self.take_apart() {
            let left = self.item.body.records;
            self.work
                .lose(&self.item, LossReason::Damaged, u64::from(left));
            return false;
        }
        let Some(parts) = &mut self.parts else {
            return true;
        };
        parts.form = form;
        if form == Form::Session {
            let before = parts.records.len();
            parts.records = parts
                .records
                .iter()
                .filter_map(|record| reduced(record))
                .collect();
            // A later record takes the place of an interim one: there is nothing to send for it.
            let interim = (before - parts.records.len()) as u64;
            if interim > 0 {
                self.work.lose(&self.item, LossReason::Refused, interim);
            }
            self.plan = Plan::singles(parts.records.len());
        }
        true
    }

    /// Takes the records out of the body. Whether they could be.
    fn take_apart(&mut self) -> bool {
        if self.parts.is_some() {
            return true;
        }
        let body = &self.item.body;
        match body.take_apart() {
            Ok(records) if records.len() == body.records as usize => {
                self.parts = Some(Parts {
                    form: body.form,
                    records,
                });
                true
            }
            Ok(records) => {
                let (found, said) = (records.len(), body.records);
                tracing::error!(found, said, "a body is not what it was said to be");
                false
            }
            Err(error) => {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "a body cannot be taken apart"
                );
                false
            }
        }
    }

    /// The body of these records.
    fn body(&self, range: &Range<usize>) -> Body {
        match &self.parts {
            Some(parts) => {
                let records = parts.records.get(range.clone()).unwrap_or_default();
                Body::of(parts.form, records)
            }
            None => self.item.body.clone(),
        }
    }

    /// What is left, where that is not the body as it was.
    fn rest(&self) -> Option<Body> {
        let parts = self.parts.as_ref()?;
        let left: Vec<Box<RawValue>> = self
            .plan
            .left()
            .filter_map(|index| parts.records.get(index).cloned())
            .collect();
        match parts.form {
            // Single objects in one frame of the spool are an array: it is taken apart again.
            Form::Session => Some(Body::of(Form::Sessions, &left)),
            form => Some(Body::of(form, &left)),
        }
    }

    /// Sends until there is an answer that settles it.
    async fn send(&mut self, body: &Body, connection: &mut Connection) -> Sent {
        let Work { settings, gate, .. } = self.work;
        let mut breaks = 0;
        loop {
            let ask = async {
                let permit = gate.pass().await;
                let answer = connection
                    .post(&settings.target, body, settings.timeout)
                    .await;
                (answer, permit)
            };
            let (answer, permit) = tokio::select! {
                biased;
                () = self.work.ended() => return Sent::Ended,
                answer = ask => answer,
            };
            let failure = match answer {
                Ok(Verdict::Stored) => {
                    gate.answered(&settings.target);
                    gate.count_stored();
                    return Sent::Stored;
                }
                Ok(Verdict::Refused(refusal)) => {
                    gate.answered(&settings.target);
                    return Sent::Refused(refusal);
                }
                Ok(Verdict::Failed(answered)) => answered.into(),
                Err(failure) => failure,
            };
            // Before the next one may try.
            if self.is_suspect {
                self.suspect_tries = self.suspect_tries.saturating_add(1);
            }
            if self.is_suspect && self.suspect_tries <= HASTY_TRIES {
                gate.be_hasty();
            }
            self.failed(&failure, permit.is_some());
            drop(permit);
            if let Some(refusal) = failure.as_refusal() {
                breaks += 1;
                let is_at_fault = match (body.records, self.is_suspect) {
                    (1, _) => breaks >= BREAKS_ALONE,
                    (_, true) => true,
                    (_, false) => breaks >= BREAKS,
                };
                if is_at_fault {
                    return Sent::Breaks(refusal);
                }
            }
        }
    }

    fn failed(&self, failure: &Failure, was_try: bool) {
        if failure.is_denied() {
            self.work.settings.target.read_token_again();
        }
        let random = self.work.random();
        let Work { settings, gate, .. } = self.work;
        gate.failed(&settings.target, failure, was_try, random);
        self.work.target_fails();
    }

    fn refused(&self, range: &Range<usize>, refusal: &Refusal) {
        let reason = match refusal.is_too_large() {
            true => LossReason::TooLarge,
            false => LossReason::Refused,
        };
        self.work.lose(&self.item, reason, range.len() as u64);
        let body = self.body(range);
        let text = String::from_utf8_lossy(&body.bytes);
        let record: String = text.chars().take(QUOTED).collect();
        tracing::warn!(
            url = %self.work.settings.target,
            error = refusal as &dyn std::error::Error,
            record = %record,
            "the target refuses a record; it is counted as lost"
        );
    }
}
