//! Anomalies: what each is about, and the records that belong to it.

use rand_chacha::ChaCha8Rng;

use super::family::{Family, Issue, Level, Outage, Resource, Threat};
use super::fill::{Given, order, pick, pick_from, request_id, say, user};
use super::model::{Model, Place};
use super::normal::{asked_by_somebody, error, hundredths, sentence};
use super::record::{Damage, Label, Metadata, Record, User};
use super::sentence::Sentence;
use super::words;
use crate::generate::draw::{between, happens, unit};

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
    /// The place of the service in the list of applications.
    Outage(Outage, usize),
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
            Family::ServiceOutage => About::Outage(
                pick(stream, &[Outage::Complete, Outage::Intermittent]),
                between(stream, 0, model.application.len() as u32 - 1) as usize,
            ),
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
            About::Outage(outage, affected) => {
                service_outage(
                    *outage,
                    &model.application[*affected].service,
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

/// What answers requests: a web server in three cases of five, or an application.
fn answering<'m>(model: &'m Model, stream: &mut ChaCha8Rng) -> &'m Place {
    match happens(stream, 0.6) {
        true => pick_from(stream, &model.web),
        false => pick_from(stream, &model.application),
    }
}

fn ask_for_something(stream: &mut ChaCha8Rng, sentence: &Sentence, record: &mut Record<'_>) {
    let template = &sentence.template;
    record.endpoint = Some(pick(stream, words::ENDPOINTS));
    record.method = Some(
        template
            .method
            .unwrap_or_else(|| pick(stream, words::METHODS)),
    );
}

fn error_spike<'m>(model: &'m Model, stream: &mut ChaCha8Rng, record: &mut Record<'m>) {
    record.place = answering(model, stream);
    let is_error = happens(stream, model.error_rate);
    record.level = match is_error {
        true if happens(stream, 0.8) => Level::Error,
        true => Level::Critical,
        false => Level::Warning,
    };
    let spoken = loop {
        let one = sentence(model, stream, record.place.kind, record.level);
        // What somebody else did wrong is no error of the server.
        if !is_error || one.template.statuses.iter().all(|status| *status >= 500) {
            break one;
        }
    };
    let mut given = Given::default();
    if is_error {
        given.error = error(stream, &spoken.template, record);
    }
    let statuses = match (spoken.template.statuses, record.code) {
        ([], Some(code)) => words::statuses_of(code),
        ([], None) => words::CLIENT_ERRORS,
        (statuses, _) => statuses,
    };
    record.status = Some(pick(stream, statuses));
    ask_for_something(stream, spoken, record);
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
    record.place = answering(model, stream);
    let times = 1.0 + (model.multiplier - 1.0) * progress;
    let milliseconds = base * times * uniform(stream, 0.8, 1.2);
    let spoken = match milliseconds {
        2000.0.. => {
            record.level = Level::Error;
            record.status = Some(504);
            record.code = Some(words::TIMEOUT);
            &model.timeout[0]
        }
        1000.0.. => {
            record.level = Level::Warning;
            record.status = Some(200);
            &model.slow[0]
        }
        _ => {
            record.level = Level::Info;
            record.status = Some(200);
            sentence(model, stream, record.place.kind, Level::Info)
        }
    };
    ask_for_something(stream, spoken, record);
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
    // Who looks at logins is the application, at what is in a request the web server.
    record.place = match threat {
        Threat::SqlInjection | Threat::XssAttempt => pick_from(stream, &model.web),
        Threat::BruteForce => login(model, stream),
        Threat::UnauthorizedAccess => answering(model, stream),
    };
    record.level = match unit(stream) {
        0.5.. => Level::Error,
        0.2.. => Level::Warning,
        _ => Level::Critical,
    };
    let spoken = pick_from(stream, &model.threat_words[threat as usize]);
    record.status = Some(match spoken.template.statuses {
        [] => pick(stream, words::DENIALS),
        statuses => pick(stream, statuses),
    });
    record.metadata = Metadata::Threat(threat);
    say(model, stream, spoken, Given::default(), record);
}

/// The service that looks at passwords, if there is one.
fn login<'m>(model: &'m Model, stream: &mut ChaCha8Rng) -> &'m Place {
    let named = |place: &&Place| place.service.contains("auth");
    let found = model.application.iter().find(named);
    found.unwrap_or_else(|| pick_from(stream, &model.application))
}

fn exhaustion<'m>(
    resource: Resource,
    tenths: u32,
    model: &'m Model,
    stream: &mut ChaCha8Rng,
    record: &mut Record<'m>,
) {
    record.place = pick_from(stream, &model.infrastructure);
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
    // Who needs the service notices: a web server before it, or another application.
    let other = pick_from(stream, &model.application);
    record.place = match other.service != affected && happens(stream, 0.4) {
        true => other,
        false => pick_from(stream, &model.web),
    };
    record.level = match outage {
        Outage::Complete => Level::Critical,
        Outage::Intermittent => pick(stream, &[Level::Error, Level::Warning]),
    };
    record.status = Some(503);
    record.code = Some(words::UNAVAILABLE);
    record.metadata = Metadata::Outage(affected, outage);
    let given = Given {
        affected,
        ..Given::default()
    };
    let spoken = pick_from(stream, &model.outage_words[outage as usize]);
    say(model, stream, spoken, given, record);
}

fn data_anomaly<'m>(
    issue: Issue,
    model: &'m Model,
    stream: &mut ChaCha8Rng,
    record: &mut Record<'m>,
) {
    const DAY: i64 = 86_400_000_000;
    let damage = pick(stream, Damage::of(issue));
    record.place = pick_from(stream, &model.application);
    record.level = Level::Error;
    record.code = Some(words::VALIDATION);
    record.request_id = Some(request_id(stream));
    record.user = user(model, stream);
    record.address = Some(pick(stream, &model.addresses));
    record.endpoint = Some(pick(stream, words::ENDPOINTS));
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
