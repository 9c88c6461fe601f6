//! One record by its identifier, and what stands around it.

use std::ops::RangeInclusive;

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
    /// The time was over before all was looked at: it does not stand before this place, where to go on.
    NotYet(Cursor),
}

impl Store {
    /// The exchange of this identifier. `near`: about when it began, which makes it quick to find.
    /// `after`: go on where an answer stopped.
    ///
    /// # Errors
    /// A database cannot be read.
    pub fn exchange_of(
        &self,
        identifier: Identifier,
        near: Option<Timestamp>,
        after: Option<Cursor>,
    ) -> Result<Found, ReadError> {
        let query = Query::of_exchange(identifier);
        let mut places: Vec<_> = near.map(around_time).into_iter().collect();
        if near.is_none() && after.is_none() {
            places = self.probable_places(identifier)?;
        }
        self.one(&query, &places, after)
    }

    /// The session of this identifier. `near`: a time at which it was open, or about when it began.
    /// `after`: go on where an answer stopped.
    ///
    /// # Errors
    /// A database cannot be read.
    pub fn session_of(
        &self,
        identifier: Identifier,
        near: Option<Timestamp>,
        after: Option<Cursor>,
    ) -> Result<Found, ReadError> {
        let mut filter = SessionFilter::default();
        filter.common.session_id = Some(identifier);
        let places: Vec<_> = near.map(around_time).into_iter().collect();
        self.one(&filter.query(), &places, after)
    }

    /// Looks into these stretches of keys first, then everywhere.
    fn one(
        &self,
        query: &Query,
        places: &[RangeInclusive<i64>],
        after: Option<Cursor>,
    ) -> Result<Found, ReadError> {
        for place in places {
            let mut close = query.clone();
            (close.first_id, close.last_id) = (*place.start(), *place.end());
            let page = self.page(&close, Order::Newest, None, 1)?;
            if !page.is_empty() {
                return Ok(Found::Record(page));
            }
        }
        let page = self.page(query, Order::Newest, after, 1)?;
        Ok(match page.stopped() {
            _ if !page.is_empty() => Found::Record(page),
            Some(stopped) => Found::NotYet(stopped),
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

fn around_time(time: Timestamp) -> RangeInclusive<i64> {
    let time = time.as_microsecond();
    home(time.saturating_sub(NEAR_US))..=home(time.saturating_add(1_000_000)).saturating_add(DRIFT)
}
