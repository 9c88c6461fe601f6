//! The lines of the chosen format: which records have one, and what it is.

use jiff::tz::TimeZone;

use super::classic::Classic;
use super::combined::Combined;
use super::frame::Frame;
use super::json::Json;
use super::settings::{Format, LogSettings};
use super::{ecs, zeek};
use crate::http::exchange::record::ExchangeRecord;
use crate::http::head::Head;

/// The chosen format.
#[derive(Debug)]
pub(super) enum Lines {
    Classic(Classic),
    Json(Json),
    Combined(Combined),
    Ecs,
    Zeek(zeek::Depths),
}

impl Lines {
    pub(super) fn new(settings: &LogSettings, zone: &TimeZone) -> Self {
        match settings.format {
            Format::Classic => Self::Classic(Classic::new(zone.clone(), &settings.missing)),
            Format::Json => Self::Json(Json::new(&settings.headers)),
            Format::Combined => Self::Combined(Combined::new(zone.clone())),
            Format::Ecs => Self::Ecs,
            Format::Zeek => Self::Zeek(zeek::Depths::new()),
        }
    }

    pub(super) fn append(&mut self, head: &Head<'_>, out: &mut Vec<u8>) {
        match self {
            Self::Classic(lines) => lines.append(head, out),
            Self::Json(lines) => lines.append(head, out),
            Self::Combined(_) | Self::Ecs | Self::Zeek(_) => {}
        }
    }

    pub(super) fn takes_exchanges(&self) -> bool {
        matches!(self, Self::Combined(_) | Self::Ecs | Self::Zeek(_))
    }

    pub(super) fn append_exchange(&mut self, record: &ExchangeRecord<'_>, out: &mut Vec<u8>) {
        match self {
            Self::Combined(lines) => lines.write_exchange(record, out),
            Self::Ecs => ecs::write_exchange(record, out),
            Self::Zeek(depths) => {
                let depth = record.session_id.map(|session| depths.next(session));
                zeek::write_exchange(record, depth, out);
            }
            Self::Classic(_) | Self::Json(_) => {}
        }
    }
}

/// What stands around the lines of a file.
pub(super) fn frame(format: Format, zone: &TimeZone) -> Frame {
    match format {
        Format::Zeek => Frame::Zeek(zone.clone()),
        _ => Frame::None,
    }
}
