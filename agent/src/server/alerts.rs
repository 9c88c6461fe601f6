//! The rules of alerts, held against the numbers of the server every few seconds; and `GET /api/alerts`.

mod keeper;

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse as _, Response};
use jiff::Timestamp;
use tokio::sync::{Notify, mpsc};

use super::api::refusal::Refusal;
use super::hub::Hub;
use super::live::numbers::{counted, difference};
use crate::alerts::board::Message;
use crate::alerts::machine::Observed;
use crate::alerts::rule::{Metric, Rule, Side};
use crate::alerts::webhook::{QUEUE, Webhook, deliver};
use crate::store::Sums;
use keeper::Keeper;

/// The longest window of a rule, and a look more: what was counted is remembered for so long.
const REMEMBERED: Duration = Duration::from_secs(3600 + 60);

/// Looks that are remembered at most: no more than that many come in this time.
const LOOKS: usize = 3700;

/// Shows the rules and what became of them.
pub(super) async fn show(State(hub): State<Hub>) -> Result<Response, Refusal> {
    let json = hub.board().json();
    let json = json.map_err(|_unwritable| Refusal::Failed("It cannot be shown.".to_owned()))?;
    Ok(([(CONTENT_TYPE, "application/json")], Body::from(json)).into_response())
}

/// Watches, and tells, until the server stops. What fired when the program ended fires on.
pub(super) async fn run(hub: Hub, webhook: Option<Webhook>, every: Duration) {
    let (queue, messages) = mpsc::channel(QUEUE);
    let mut keeper = Keeper::new(&hub, webhook.is_some());
    for message in keeper.restore(&hub) {
        tell(&hub, &queue, message);
    }
    let board = hub.clone();
    let told = Notify::new();
    let delivering = async {
        if let Some(webhook) = webhook {
            let stopped = board.stopped();
            let became = |number, delivered| {
                board.board().delivered(number, delivered);
                told.notify_one();
            };
            deliver(webhook, messages, stopped, became).await;
        }
    };
    let mut stopped = hub.stopped();
    let somebody_told = &told;
    let watching = async move {
        tokio::select! {
            () = watch(&hub, &queue, &mut keeper, somebody_told, every) => {}
            _ = stopped.changed() => {}
        }
        // Its other end has nothing to wait for any more.
        drop(queue);
        (hub, keeper)
    };
    let ((), (hub, mut keeper)) = tokio::join!(delivering, watching);
    // What was delivered at the end counts too.
    keeper.keep(&hub).await;
}

async fn watch(
    hub: &Hub,
    queue: &mpsc::Sender<Message>,
    keeper: &mut Keeper,
    told: &Notify,
    every: Duration,
) {
    let rules: Vec<Rule> = hub.board().rules().cloned().collect();
    let mut looks = tokio::time::interval(every);
    looks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut past = Past::new(Instant::now());
    loop {
        tokio::select! {
            _ = looks.tick() => {}
            () = told.notified() => {
                keeper.keep(hub).await;
                continue;
            }
        }
        let observed = look(hub, &rules, &mut past).await;
        let messages =
            hub.board()
                .observe(Instant::now(), Timestamp::now(), &observed, hub.hostname());
        // Before it is told: what is told twice has one name, what is forgotten has no end.
        keeper.keep(hub).await;
        for message in messages {
            tell(hub, queue, message);
        }
    }
}

/// Says it in the diagnostics, and gives it to whoever delivers it.
fn tell(hub: &Hub, queue: &mpsc::Sender<Message>, message: Message) {
    let Message { rule, value, .. } = &message;
    match message.state {
        "firing" => tracing::warn!(alert = rule, value, "an alert is firing: {}", message.text),
        _ => tracing::info!(alert = rule, value, "an alert is over: {}", message.text),
    }
    let number = message.number;
    // Where nobody is to be told, nobody waits at the other end.
    if let Err(mpsc::error::TrySendError::Full(_)) = queue.try_send(message) {
        tracing::warn!("the word of an alert is not delivered: {QUEUE} others wait");
        hub.board().delivered(number, false);
    }
}

/// What each rule's metric is now.
async fn look(hub: &Hub, rules: &[Rule], past: &mut Past) -> Vec<Observed> {
    let end = Timestamp::now().as_second();
    let mut windows: Vec<i64> = rules.iter().map(|rule| seconds(rule.window)).collect();
    windows.sort_unstable();
    windows.dedup();
    let stored = match hub.api() {
        Some(_) => {
            let read = hub.read(move |store| {
                let sums = windows
                    .into_iter()
                    .map(|window| Ok((window, store.sums_between(end - window, end)?)));
                sums.collect::<Result<BTreeMap<i64, Sums>, _>>()
            });
            Stored::Read(read.await)
        }
        None => Stored::Nowhere,
    };
    let now = Instant::now();
    if let Ok(snapshot) = hub.snapshot().await {
        past.add(now, snapshot.lost(), counted(&snapshot));
    }
    let observe = |rule: &Rule| {
        if rule.metric == Metric::Lost {
            return match past.before(now, rule.window) {
                Some((_, lost, _)) => Observed::Value((past.lost() - lost) as f64),
                None => Observed::Unknown,
            };
        }
        // What there was before this process is not known to be all.
        if rule.side == Side::Below && past.age(now) < rule.window {
            return Observed::Unknown;
        }
        match &stored {
            Stored::Read(None) => Observed::Unknown,
            Stored::Read(Some(windows)) => match windows.get(&seconds(rule.window)) {
                Some(sums) => of(rule.metric, sums, rule.window),
                None => Observed::Unknown,
            },
            Stored::Nowhere if rule.metric == Metric::P99 => Observed::Unknown,
            Stored::Nowhere => match past.before(now, rule.window) {
                Some((then, _, before)) => {
                    let sums = difference(past.counted(), before);
                    of(rule.metric, &sums, now - then)
                }
                None => Observed::Unknown,
            },
        }
    };
    rules.iter().map(observe).collect()
}

/// The sums of the store.
enum Stored {
    /// By the length of the window; `None`: it cannot be read.
    Read(Option<BTreeMap<i64, Sums>>),
    /// There is no store.
    Nowhere,
}

fn seconds(time: Duration) -> i64 {
    i64::try_from(time.as_secs()).unwrap_or(i64::MAX)
}

/// What a metric is over these sums of so much time.
fn of(metric: Metric, sums: &Sums, time: Duration) -> Observed {
    let value = match metric {
        Metric::ErrorRate => {
            let answered = sums.answered();
            (answered > 0).then(|| 100.0 * sums.errors as f64 / answered as f64)
        }
        Metric::P99 => sums.percentile_us(0.99).map(|us| us as f64 / 1000.0),
        Metric::RequestsPerSecond => {
            let time = time.as_secs_f64();
            (time > 0.0).then(|| sums.exchanges as f64 / time)
        }
        Metric::Lost => None,
    };
    value.map_or(Observed::Nothing, Observed::Value)
}

/// What was counted at each look.
#[derive(Debug)]
struct Past {
    begun: Instant,
    looks: VecDeque<(Instant, u64, Sums)>,
    last: (u64, Sums),
}

impl Past {
    fn new(begun: Instant) -> Self {
        Self {
            begun,
            looks: VecDeque::new(),
            last: Default::default(),
        }
    }

    fn add(&mut self, now: Instant, lost: u64, counted: Sums) {
        while self.looks.len() >= LOOKS
            || self
                .looks
                .front()
                .is_some_and(|(then, ..)| now.saturating_duration_since(*then) > REMEMBERED)
        {
            self.looks.pop_front();
        }
        self.looks.push_back((now, lost, counted.clone()));
        self.last = (lost, counted);
    }

    fn age(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.begun)
    }

    /// The first look within the window.
    fn before(&self, now: Instant, window: Duration) -> Option<(Instant, u64, &Sums)> {
        let within = |then: &Instant| now.saturating_duration_since(*then) <= window;
        let place = self.looks.partition_point(|(then, ..)| !within(then));
        // One look more, so that nothing between two windows goes by.
        let (then, lost, counted) = self.looks.get(place.saturating_sub(1))?;
        Some((*then, *lost, counted))
    }

    fn lost(&self) -> u64 {
        self.last.0
    }

    fn counted(&self) -> &Sums {
        &self.last.1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_counted_is_remembered_for_the_longest_window() {
        let start = Instant::now();
        let mut past = Past::new(start);
        for look in 0..2_000_u64 {
            let now = start + Duration::from_secs(5 * look);
            past.add(now, look, Sums::default());
            let (then, lost, _) = past.before(now, Duration::from_secs(60)).unwrap();
            assert_eq!(lost, look.saturating_sub(13), "{look}");
            assert!(now - then <= Duration::from_secs(65));
        }
        assert!(past.looks.len() < 740, "{}", past.looks.len());
        assert_eq!(past.lost(), 1_999);
    }

    #[test]
    fn metrics_of_nothing_have_no_value() {
        let none = Sums::default();
        let time = Duration::from_secs(10);
        assert_eq!(of(Metric::ErrorRate, &none, time), Observed::Nothing);
        assert_eq!(of(Metric::P99, &none, time), Observed::Nothing);
        assert_eq!(
            of(Metric::RequestsPerSecond, &none, time),
            Observed::Value(0.0)
        );
        let sums = Sums {
            exchanges: 30,
            statuses: [0, 6, 0, 1, 1, 0],
            errors: 2,
            latencies: [(2_000, 99), (60_000, 1)].into(),
            ..Sums::default()
        };
        assert_eq!(of(Metric::ErrorRate, &sums, time), Observed::Value(25.0));
        assert_eq!(
            of(Metric::RequestsPerSecond, &sums, time),
            Observed::Value(3.0)
        );
        let Observed::Value(p99) = of(Metric::P99, &sums, time) else {
            panic!("it was timed");
        };
        assert!((2.0..2.26).contains(&p99), "{p99}");
    }
}
