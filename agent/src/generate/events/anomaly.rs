//! Anomalies: what each is about, and the records that belong to it.

use rand_chacha::ChaCha8Rng;

use super::family::{Family, Issue, Level, Outage, Resource, Threat};
use super::fill::{Given, order, pick, pick_from, request_id, say, user};
use super::model::{Model, Place, Witnesses};
use super::normal::{asked_by_somebody, error, hundredths, sentence};
use super::record::{Damage, Label, Metadata, Record, User};
use super::sentence::Sentence;
use super::words;
use crate::generate::draw::{below, between, happens, unit};

/// An anomaly: records that belong together.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Episode {
    /// How bad it is, in hundredths.
    pub(super) severity: u32,
    /// Records that belong to it.
    pub(super) records: u32,
    about: About,
}

#[derive(Clone, Debug, PartialEq)]
enum About {
    ErrorSpike,
    /// Milliseconds before it began.
    Latency(f64),
    /// Somebody at an address, with the account of a user.
    Threat(Threat, u32, User),
    /// What, and how much of it was used up before, in percent.
    Exhaustion(Resource, f64),
    /// The source of the service, and its place there.
    Outage(Outage, usize, usize),
    Data(Issue),
}

impl Episode {
    /// Draws one.
    pub(super) fn new(
        model: &Model,
        stream: &mut ChaCha8Rng,
        family: Family,
        records: u32,
    ) -> Self {
        let about = match family {
            Family::ErrorSpike => About::ErrorSpike,
            Family::LatencyDegradation => About::Latency(uniform(stream, 100.0, 300.0)),
            Family::SecurityThreat => About::Threat(
                pick(stream, &model.threats),
                pick(stream, &model.addresses),
                user(model, stream),
            ),
            Family::ResourceExhaustion => {
                About::Exhaustion(pick(stream, &model.resources), uniform(stream, 70.0, 85.0))
            }
            Family::ServiceOutage => {
                let outage = pick(stream, &[Outage::Complete, Outage::Intermittent]);
                let source = pick(stream, &model.logins.sources);
                let services = model.sources[source].len() as u32;
                About::Outage(outage, source, below(stream, services) as usize)
            }
            Family::DataAnomaly => About::Data(pick(stream, &model.issues)),
        };
        Self {
            severity: between(stream, 60, 100),
            records,
            about,
        }
    }

    pub(super) fn family(&self) -> Family {
        match self.about {
            About::ErrorSpike => Family::ErrorSpike,
            About::Latency(_) => Family::LatencyDegradation,
            About::Threat(..) => Family::SecurityThreat,
            About::Exhaustion(..) => Family::ResourceExhaustion,
            About::Outage(..) => Family::ServiceOutage,
            About::Data(_) => Family::DataAnomaly,
        }
    }

    /// Fills in its record `number`, of which 0 is the first.
    pub(super) fn fill<'m>(
        &self,
        number: u32,
        model: &'m Model,
        stream: &mut ChaCha8Rng,
        record: &mut Record<'m>,
    ) {
        let progress = f64::from(number + 1) / f64::from(self.records.max(1));
        let mut score = self.severity;
        match &self.about {
            About::ErrorSpike => error_spike(model, stream, record),
            About::Latency(base) => {
                // From half of it on: what is marked should be told from what is not.
                score = (f64::from(self.severity) * (1.0 + progress) / 2.0).round() as u32;
                latency(*base, progress, model, stream, record);
            }
            About::Threat(threat, address, user) => {
                record.address = Some(*address);
                record.user = *user;
                security_threat(*threat, model, stream, record);
            }
            About::Exhaustion(resource, start) => {
                let usage = (start + (99.0 - start) * progress).min(99.0);
                let tenths = (usage * 10.0).round() as u32;
                score = (tenths + 5) / 10;
                exhaustion(*resource, tenths, model, stream, record);
            }
            About::Outage(outage, source, place) => {
                // It may outlive the model that it was drawn from.
                let services = &model.sources[source % model.sources.len()];
                service_outage(
                    *outage,
                    &services[place % services.len()].service,
                    model,
                    stream,
                    record,
                );
            }
            About::Data(issue) => data_anomaly(*issue, model, stream, record),
        }
        record.anomaly = Some(Label {
            family: self.family(),
            score: score.min(100),
        });
    }
}

fn uniform(stream: &mut ChaCha8Rng, least: f64, most: f64) -> f64 {
    least + (most - least) * unit(stream)
}

/// A service of those that can tell of something.
fn witness<'m>(witnesses: &Witnesses, model: &'m Model, stream: &mut ChaCha8Rng) -> &'m Place {
    let services = witnesses.draw(model, stream);
    pick_from(stream, services)
}

/// Sets method, endpoint and status, where there are requests.
fn ask_for_something(
    stream: &mut ChaCha8Rng,
    sentence: &Sentence,
    statuses: &[u16],
    record: &mut Record<'_>,
) {
    if !record.place.kind.answers() {
        return;
    }
    record.status = Some(pick(stream, statuses));
    let template = &sentence.template;
    record.endpoint = Some(pick(stream, words::ENDPOINTS));
    record.method = Some(
        template
            .method
            .unwrap_or_else(|| pick(stream, words::METHODS)),
    );
}

fn error_spike<'m>(model: &'m Model, stream: &mut ChaCha8Rng, record: &mut Record<'m>) {
    record.place = witness(&model.all, model, stream);
    let is_error = happens(stream, model.error_rate);
    record.level = match is_error {
        true if happens(stream, 0.8) => Level::Error,
        true => Level::Critical,
        false => Level::Warning,
    };
    let spoken = loop {
        let one = sentence(model, stream, record.place.kind, record.level);
        // What somebody else did wrong is no error of the server; what went well is no warning.
        let fitting = if is_error { 500..600 } else { 400..500 };
        let mut statuses = one.template.statuses.iter();
        if statuses.all(|status| fitting.contains(status)) {
            break one;
        }
    };
    let mut given = Given::default();
    if is_error {
        // Its status is one of a server's faults: being asked too often is none.
        given.error = error(stream, words::SERVER_FAULTS, &spoken.template, record);
    }
    let statuses = match (spoken.template.statuses, record.code) {
        ([], Some(code)) => words::statuses_of(code),
        ([], None) => words::CLIENT_ERRORS,
        (statuses, _) => statuses,
    };
    ask_for_something(stream, spoken, statuses, record);
    asked_by_somebody(model, stream, record);
    record.response_time = Some(hundredths(uniform(stream, 1000.0, 5000.0), spoken));
    say(model, stream, spoken, given, record);
}

fn latency<'m>(
    base: f64,
    progress: f64,
    model: &'m Model,
    stream: &mut ChaCha8Rng,
    record: &mut Record<'m>,
) {
    record.place = witness(&model.timed, model, stream);
    let times = 1.0 + (model.multiplier - 1.0) * progress;
    let milliseconds = base * times * uniform(stream, 0.8, 1.2);
    let mut statuses: &[u16] = &[200];
    let spoken = match milliseconds {
        2000.0.. => {
            record.level = Level::Error;
            statuses = &[504];
            record.code = Some(words::TIMEOUT);
            &model.timeout[0]
        }
        1000.0.. => {
            record.level = Level::Warning;
            &model.slow[0]
        }
        _ => {
            record.level = Level::Info;
            sentence(model, stream, record.place.kind, Level::Info)
        }
    };
    ask_for_something(stream, spoken, statuses, record);
    if !spoken.template.has_endpoint {
        record.endpoint = None;
    }
    asked_by_somebody(model, stream, record);
    record.response_time = Some(hundredths(milliseconds.min(1e7), spoken));
    say(model, stream, spoken, Given::default(), record);
}

fn security_threat<'m>(
    threat: Threat,
    model: &'m Model,
    stream: &mut ChaCha8Rng,
    record: &mut Record<'m>,
) {
    // Who looks at logins is an application or a database, at what is in a request who answers it.
    record.place = match threat {
        Threat::BruteForce => login(model, stream),
        Threat::SqlInjection | Threat::XssAttempt | Threat::UnauthorizedAccess => {
            witness(&model.requests, model, stream)
        }
    };
    record.level = match unit(stream) {
        0.5.. => Level::Error,
        0.2.. => Level::Warning,
        _ => Level::Critical,
    };
    let spoken = pick_from(stream, &model.threat_words[threat as usize]);
    if record.place.kind.answers() {
        record.status = Some(match spoken.template.statuses {
            [] => pick(stream, words::DENIALS),
            statuses => pick(stream, statuses),
        });
    }
    record.metadata = Metadata::Threat(threat);
    say(model, stream, spoken, Given::default(), record);
}

/// The service that looks at passwords, if there is one.
fn login<'m>(model: &'m Model, stream: &mut ChaCha8Rng) -> &'m Place {
    let named = |place: &&Place| place.service.contains("auth");
    let services = model.logins.draw(model, stream);
    let found = services.iter().find(named);
    found.unwrap_or_else(|| pick_from(stream, services))
}

fn exhaustion<'m>(
    resource: Resource,
    tenths: u32,
    model: &'m Model,
    stream: &mut ChaCha8Rng,
    record: &mut Record<'m>,
) {
    record.place = witness(&model.resourceful, model, stream);
    record.level = match tenths {
        951.. => Level::Critical,
        901.. => Level::Error,
        _ => Level::Warning,
    };
    let all = &model.resource_words[resource as usize];
    let spoken = loop {
        let one = pick_from(stream, all);
        if one.template.from_percent * 10 <= tenths {
            break one;
        }
    };
    let given = Given {
        usage: tenths,
        ..Given::default()
    };
    record.metadata = Metadata::Exhaustion(resource, tenths);
    say(model, stream, spoken, given, record);
}

fn service_outage<'m>(
    outage: Outage,
    affected: &'m str,
    model: &'m Model,
    stream: &mut ChaCha8Rng,
    record: &mut Record<'m>,
) {
    record.place = neighbour(affected, model, stream);
    record.level = match outage {
        Outage::Complete => Level::Critical,
        Outage::Intermittent => pick(stream, &[Level::Error, Level::Warning]),
    };
    record.status = record.place.kind.answers().then_some(503);
    record.code = Some(words::UNAVAILABLE);
    record.metadata = Metadata::Outage(affected, outage);
    let given = Given {
        affected,
        ..Given::default()
    };
    let spoken = pick_from(stream, &model.outage_words[outage as usize]);
    say(model, stream, spoken, given, record);
}

/// Who needs the service notices: what answers requests, or what else there is; where there is only
/// the one service, itself.
fn neighbour<'m>(affected: &str, model: &'m Model, stream: &mut ChaCha8Rng) -> &'m Place {
    let drawn = [
        model.requests.draw(model, stream),
        model.all.draw(model, stream),
    ];
    let others = model.requests.sources.iter().chain(&model.all.sources);
    let all = drawn
        .into_iter()
        .chain(others.map(|source| &model.sources[*source][..]));
    for services in all {
        let start = below(stream, services.len() as u32) as usize;
        let (before, after) = services.split_at(start);
        let other = |place: &&Place| place.service != affected;
        if let Some(found) = after.iter().chain(before).find(other) {
            return found;
        }
    }
    witness(&model.all, model, stream)
}

fn data_anomaly<'m>(
    issue: Issue,
    model: &'m Model,
    stream: &mut ChaCha8Rng,
    record: &mut Record<'m>,
) {
    const DAY: i64 = 86_400_000_000;
    let damage = pick(stream, Damage::of(issue));
    let witnesses = match damage {
        Damage::BrokenBody => &model.requests,
        _ => &model.logins,
    };
    record.place = witness(witnesses, model, stream);
    record.level = Level::Error;
    record.code = Some(words::VALIDATION);
    record.request_id = Some(request_id(stream));
    record.user = user(model, stream);
    record.address = Some(pick(stream, &model.addresses));
    if record.place.kind.answers() {
        record.endpoint = Some(pick(stream, words::ENDPOINTS));
    }
    let mut order = order(model, stream, record.time);
    order.damage = Some((issue, damage));
    record.metadata = Metadata::Order(order);
    record
        .message
        .extend_from_slice(damage.message().as_bytes());
    match damage {
        Damage::NullUser => record.user = User::Null,
        Damage::FutureTime => record.time += i64::from(between(stream, 30, 3650)) * DAY,
        // The rest is in the order.
        _ => {}
    }
}
