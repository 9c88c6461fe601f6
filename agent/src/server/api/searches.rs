//! Searches that are under way, so that all who ask about the same rows share one.
//!
//! A question that roll-ups cannot answer is searched for, a moment for each answer. Whoever asks to go on
//! from a place that the search has left behind takes what is there, so that all parts of a view are about
//! the same rows. Searches are bounded in number and memory, the least recently used goes; one whose
//! search has gone begins again.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::response::Response;
use jiff::Timestamp;
use tokio::sync::OwnedMutexGuard;

use super::logs::json_text;
use super::readers::Readers;
use super::refusal::Refusal;
use super::{Api, Inner};
use crate::store::{Question, ReadError, Search, SearchKey, Store};

/// Searches that are kept.
const MOST: usize = 64;
/// Bytes that they may take together, about.
const BYTES_MOST: usize = 96 << 20;
/// One that nobody asks for is kept for so long.
const IDLE: Duration = Duration::from_secs(60);
/// One that is complete answers those who ask anew for so long.
const FRESH: Duration = Duration::from_secs(3);

/// The searches of an API.
#[derive(Clone, Debug, Default)]
pub(super) struct Searches(Arc<Mutex<Kept>>);

#[derive(Debug, Default)]
struct Kept {
    searches: Vec<Arc<Shared>>,
    /// Somebody looks after those that nobody asks for.
    is_tended: bool,
}

#[derive(Debug)]
struct Shared {
    /// As it was asked for: the end may have been in the future, or any time.
    asked: SearchKey,
    /// As it goes on.
    pinned: SearchKey,
    begun: Instant,
    /// Whose turn it is to look farther, or to see what there is.
    turn: Arc<tokio::sync::Mutex<()>>,
    /// Held for long by whose turn it is, and by nobody else.
    search: Mutex<Search>,
    account: Mutex<Account>,
}

/// What is known of a search without waiting for it.
#[derive(Clone, Copy, Debug)]
struct Account {
    used: Instant,
    bytes: usize,
    is_complete: bool,
}

/// An answer, as JSON.
type Written = serde_json::Result<Vec<u8>>;

impl Api {
    /// As [`Searches::answer`], of what is shown as JSON.
    pub(super) async fn search(
        &self,
        question: Question,
        now: Timestamp,
        known: impl FnOnce(&Store, &Question) -> Result<Option<Written>, ReadError> + Send + 'static,
        found: impl FnOnce(&Store, &Search) -> Result<Written, ReadError> + Send + 'static,
    ) -> Result<Response, Refusal> {
        let Inner {
            searches, readers, ..
        } = &*self.0;
        let answer = searches.answer(readers, question, now, known, found);
        json_text(answer.await?)
    }
}

impl Searches {
    /// Answers by what is `known` without a search; else by a `view` of one that has come a moment farther.
    pub(super) async fn answer<T: Send + 'static>(
        &self,
        readers: &Readers,
        question: Question,
        now: Timestamp,
        known: impl FnOnce(&Store, &Question) -> Result<Option<T>, ReadError> + Send + 'static,
        view: impl FnOnce(&Store, &Search) -> Result<T, ReadError> + Send + 'static,
    ) -> Result<T, Refusal> {
        let found = readers.look(move |store| Ok((known(store, &question)?, question)));
        let question = match found.await? {
            (Some(answer), _) => return Ok(answer),
            (None, question) => question,
        };
        let shared = self.of(&question, now);
        let turn = readers.in_time(Arc::clone(&shared.turn).lock_owned());
        let turn: OwnedMutexGuard<()> = turn.await?;
        readers
            .look_farther(move |store| {
                // Until it is done, also where whoever asked has gone away.
                let _turn = turn;
                let mut search = shared.search();
                if !search.is_ahead_of(question.after) {
                    search.advance(store)?;
                    shared.came_farther(&search);
                }
                view(store, &search)
            })
            .await
    }

    /// The search for this, begun where there is none.
    fn of(&self, question: &Question, now: Timestamp) -> Arc<Shared> {
        let key = SearchKey::of(question);
        let mut kept = self.kept();
        kept.tidy();
        let is_for = |shared: &Arc<Shared>| [&shared.asked, &shared.pinned].contains(&&key);
        if let Some(place) = kept.searches.iter().position(is_for) {
            let shared = &kept.searches[place];
            let is_old = shared.begun.elapsed() >= FRESH && shared.account().is_complete;
            if question.after.is_some() || !is_old {
                shared.account().used = Instant::now();
                return Arc::clone(shared);
            }
            kept.searches.remove(place);
        }
        let search = Search::new(question, now);
        let shared = Arc::new(Shared {
            asked: key,
            pinned: search.key(),
            begun: Instant::now(),
            turn: Arc::default(),
            search: Mutex::new(search),
            account: Mutex::new(Account {
                used: Instant::now(),
                bytes: 0,
                is_complete: false,
            }),
        });
        kept.searches.push(Arc::clone(&shared));
        if !kept.is_tended {
            kept.is_tended = true;
            self.tend();
        }
        shared
    }

    /// Lets those go that nobody asks for, until there are none.
    fn tend(&self) {
        let kept = Arc::downgrade(&self.0);
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(IDLE / 2).await;
                let Some(kept) = kept.upgrade() else { return };
                let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
                kept.tidy();
                if kept.searches.is_empty() {
                    kept.is_tended = false;
                    return;
                }
            }
        });
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    /// Makes room for one more.
    fn tidy(&mut self) {
        let searches = &mut self.searches;
        searches.retain(|shared| shared.account().used.elapsed() < IDLE);
        searches.sort_by_key(|shared| std::cmp::Reverse(shared.account().used));
        searches.truncate(MOST - 1);
        let mut bytes = 0;
        searches.retain(|shared| {
            bytes += shared.account().bytes;
            bytes <= BYTES_MOST
        });
    }
}

impl Shared {
    fn search(&self) -> MutexGuard<'_, Search> {
        self.search.lock().unwrap_or_else(|poisoned| {
            // Whoever had it broke off in the middle.
            self.search.clear_poison();
            let mut search = poisoned.into_inner();
            search.begin_again();
            search
        })
    }

    fn account(&self) -> MutexGuard<'_, Account> {
        self.account.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn came_farther(&self, search: &Search) {
        let mut account = self.account();
        account.used = Instant::now();
        account.bytes = search.bytes();
        account.is_complete = search.is_complete();
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;
    use crate::store::{ExchangeFilter, Next};

    fn question(target: &str, to: Timestamp) -> Question {
        Question {
            filter: ExchangeFilter {
                target: Some(target.to_owned()),
                ..ExchangeFilter::default()
            },
            from: Timestamp::UNIX_EPOCH,
            to,
            after: None,
        }
    }

    /// The same question, asked with what its search says.
    fn going_on(question: &Question, shared: &Shared) -> Question {
        let Some(Next::Search(pinned)) = shared.search().covered().next else {
            panic!("it has not begun");
        };
        Question {
            from: pinned.from(),
            to: pinned.to(),
            after: Some(pinned),
            ..question.clone()
        }
    }

    #[tokio::test]
    async fn those_who_ask_the_same_share_a_search() {
        let searches = Searches::default();
        let now = Timestamp::now();
        let later = now + SignedDuration::from_secs(1);
        let asked = question("/a", now + SignedDuration::from_hours(1));
        let first = searches.of(&asked, now);
        assert!(Arc::ptr_eq(&first, &searches.of(&asked, later)));
        let goes_on = going_on(&asked, &first);
        assert!(Arc::ptr_eq(&first, &searches.of(&goes_on, later)));
        for other in [question("/b", asked.to), question("/a", later)] {
            assert!(!Arc::ptr_eq(&first, &searches.of(&other, later)));
        }
    }

    #[tokio::test]
    async fn they_are_bounded_and_one_that_went_begins_again() {
        let searches = Searches::default();
        let now = Timestamp::now();
        let asked = question("/first", now);
        let first = searches.of(&asked, now);
        let goes_on = going_on(&asked, &first);
        for number in 0..MOST * 2 {
            searches.of(&question(&format!("/{number}"), now), now);
            assert!(searches.kept().searches.len() <= MOST);
        }
        let again = searches.of(&goes_on, now);
        assert!(!Arc::ptr_eq(&first, &again));
        assert_eq!(first.pinned, again.pinned);
        // Those that take the most memory go too, the least recently used first.
        for shared in &searches.kept().searches {
            shared.account().bytes = BYTES_MOST / 4;
        }
        assert!(Arc::ptr_eq(&again, &searches.of(&goes_on, now)));
        assert!(searches.kept().searches.len() <= 4);
        let long_ago = Instant::now().checked_sub(IDLE).unwrap();
        again.account().used = long_ago;
        searches.kept().tidy();
        let is_there = |one: &Arc<Shared>| Arc::ptr_eq(one, &again);
        assert!(!searches.kept().searches.iter().any(is_there));
    }
}
