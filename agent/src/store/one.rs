//! One record by its identifier, and what stands around it.

use jiff::Timestamp;

use super::filter::Query;
use super::{Cursor, ExchangeFilter, Order, Page, ReadError, SessionFilter, Store};
use crate::session::identifier::Identifier;
use crate::sink::sqlite::rows::{DRIFT, home};

/// How far before the time that is named a record is looked for first.
const NEAR_US: i64 = 60_000_000;

/// What was found of one record.
#[derive(Debug)]
pub enum Found {
    /// The record, alone in a page.
    Record(Page),
    /// It is not there.
    Nothing,
    /// The time was over before all was looked at: there is nothing from this time on.
    NotFrom(Timestamp),
}

impl Store {
    /// The exchange of this identifier. `near`: about when it began, which makes it quick to find.
    ///
    /// # Errors
    /// A database cannot be read.
    pub fn exchange_of(
        &self,
        identifier: Identifier,
        near: Option<Timestamp>,
    ) -> Result<Found, ReadError> {
        self.one(&Query::of_exchange(identifier), near)
    }

    /// The session of this identifier. `near`: a time at which it was open, or about when it began.
    ///
    /// # Errors
    /// A database cannot be read.
    pub fn session_of(
        &self,
        identifier: Identifier,
        near: Option<Timestamp>,
    ) -> Result<Found, ReadError> {
        let mut filter = SessionFilter::default();
        filter.common.session_id = Some(identifier);
        self.one(&filter.query(), near)
    }

    fn one(&self, query: &Query, near: Option<Timestamp>) -> Result<Found, ReadError> {
        if let Some(near) = near {
            let mut close = query.clone();
            let near = near.as_microsecond();
            close.first_id = home(near.saturating_sub(NEAR_US));
            close.last_id = home(near.saturating_add(1_000_000)).saturating_add(DRIFT);
            let page = self.page(&close, Order::Newest, None, 1)?;
            if !page.is_empty() {
                return Ok(Found::Record(page));
            }
        }
        let page = self.page(query, Order::Newest, None, 1)?;
        Ok(match page.stopped() {
            _ if !page.is_empty() => Found::Record(page),
            Some(stopped) => Found::NotFrom(stopped.time()),
            None => Found::Nothing,
        })
    }

    /// The exchanges before and behind a place, at most so many each, the oldest first.
    ///
    /// # Errors
    /// A database cannot be read.
    pub fn around(&self, place: Cursor, limit: usize) -> Result<(Page, Page), ReadError> {
        let all = ExchangeFilter::default();
        let mut before = self.exchanges(&all, Order::Newest, Some(place), limit)?;
        before.reverse();
        let behind = self.exchanges(&all, Order::Oldest, Some(place), limit)?;
        Ok((before, behind))
    }
}
