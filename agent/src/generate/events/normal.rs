//! Records of a day on which nothing happens.

use rand_chacha::ChaCha8Rng;

use super::config::level;
use super::family::Level;
use super::fill::{Given, pick, pick_from, request_id, say, user};
use super::model::{Kind, Model, Place};
use super::record::Record;
use super::sentence::Sentence;
use super::words::{self, Template};
use crate::generate::draw::{happens, normal};

/// Fills in a record that is no anomaly.
pub(super) fn fill<'m>(model: &'m Model, stream: &mut ChaCha8Rng, record: &mut Record<'m>) {
    record.place = place(model, stream);
    record.level = level(model.level_weights.draw(stream));
    let kind = record.place.kind;
    let sentence = sentence(model, stream, kind, record.level);
    let template = &sentence.template;
    let mut given = Given::default();
    if matches!(record.level, Level::Error | Level::Critical) {
        let errors = match sentence.tells_server_error() {
            true => words::SERVER_FAULTS,
            false => words::ERRORS,
        };
        given.error = error(stream, errors, template, record);
    }
    if kind == Kind::Web {
        let method = template
            .method
            .unwrap_or_else(|| pick(stream, words::METHODS));
        record.method = Some(method);
        record.status = Some(status(stream, template, record, method));
    }
    if matches!(kind, Kind::Web | Kind::Application) && template.has_endpoint {
        record.endpoint = Some(pick(stream, words::ENDPOINTS));
    }
    asked_by_somebody(model, stream, record);
    record.response_time = Some(response_time(model, stream, sentence, record.level));
    say(model, stream, sentence, given, record);
}

/// A service, by the weights of sources.
fn place<'m>(model: &'m Model, stream: &mut ChaCha8Rng) -> &'m Place {
    let source = model.source_weights.draw(stream);
    pick_from(stream, &model.sources[source])
}

/// What a source says at a level.
pub(super) fn sentence<'m>(
    model: &'m Model,
    stream: &mut ChaCha8Rng,
    kind: Kind,
    level: Level,
) -> &'m Sentence {
    let vocabulary = model.vocabulary(kind);
    let sentences = match level {
        Level::Debug | Level::Info => &vocabulary.info,
        Level::Warning => &vocabulary.warning,
        Level::Error => &vocabulary.error,
        Level::Critical => &vocabulary.critical,
    };
    pick_from(stream, sentences)
}

/// Draws what went wrong, and sets the code that goes with it.
pub(super) fn error(
    stream: &mut ChaCha8Rng,
    errors: &[(&'static str, &'static str)],
    template: &Template,
    record: &mut Record<'_>,
) -> &'static str {
    let (text, code) = pick(stream, errors);
    record.code = Some(template.code.unwrap_or(code));
    text
}

/// A status that goes with level, sentence, code and method.
fn status(stream: &mut ChaCha8Rng, template: &Template, record: &Record<'_>, method: &str) -> u16 {
    if !template.statuses.is_empty() {
        return pick(stream, template.statuses);
    }
    let all = match record.level {
        Level::Error | Level::Critical => {
            words::statuses_of(record.code.unwrap_or(words::INTERNAL))
        }
        Level::Warning => words::CLIENT_ERRORS,
        Level::Debug | Level::Info => words::successes(method),
    };
    pick(stream, all)
}

/// Sets who asked, as far as that is known.
pub(super) fn asked_by_somebody(model: &Model, stream: &mut ChaCha8Rng, record: &mut Record<'_>) {
    record.request_id = Some(request_id(stream));
    if happens(stream, 0.5) {
        record.user = user(model, stream);
    }
    if happens(stream, 0.7) {
        record.address = Some(pick(stream, &model.addresses));
    }
}

/// Hundredths of milliseconds. What a sentence tells is a whole number of milliseconds, and what it
/// complains about is long.
fn response_time(model: &Model, stream: &mut ChaCha8Rng, sentence: &Sentence, level: Level) -> u32 {
    let limits = model.response_time;
    let drawn = limits.mean + limits.std * normal(stream);
    let is_long = sentence.tells_time() && !matches!(level, Level::Debug | Level::Info);
    let milliseconds = match is_long {
        // Of the uppermost three tenths.
        true => limits.max - (limits.max - limits.min) * 0.3 * crate::generate::draw::unit(stream),
        false => drawn,
    };
    hundredths(milliseconds.clamp(limits.min, limits.max), sentence)
}

/// Milliseconds in hundredths; a whole number of milliseconds where the sentence tells them.
pub(super) fn hundredths(milliseconds: f64, sentence: &Sentence) -> u32 {
    match sentence.tells_time() {
        // Far below the largest number.
        true => (milliseconds.round() as u32).saturating_mul(100),
        false => (milliseconds * 100.0).round() as u32,
    }
}
