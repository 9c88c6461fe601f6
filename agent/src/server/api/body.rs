//! The bytes of a body: what they may be, and how many.

use std::io::Read as _;
use std::sync::Arc;

use axum::body::Body;
use axum::http::HeaderMap;
use axum::http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use flate2::read::MultiGzDecoder;
use futures_util::StreamExt as _;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::Bounds;
use super::refusal::Refusal;

/// Bytes of a body that is too large that are still taken, so that its sender comes to read the
/// answer: in units of the largest body.
const DRAINED: usize = 2;

/// Bytes of all bodies that are held at the same time.
#[derive(Debug)]
pub(super) struct Budget(Arc<Semaphore>);

/// A body, whole and unpacked.
#[derive(Debug)]
pub(super) struct Whole {
    pub(super) bytes: Vec<u8>,
    /// What it says that it is.
    pub(super) media: Media,
    /// Given back when this is dropped.
    _held: Held,
}

/// What a body says that it is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Media {
    /// One JSON value; several in lines are taken for what they are.
    Json,
    /// A JSON value a line.
    Lines,
}

/// A part of the budget.
#[derive(Debug)]
struct Held(Option<OwnedSemaphorePermit>);

impl Budget {
    pub(super) fn new(bytes: usize) -> Self {
        Self(Arc::new(Semaphore::new(bytes)))
    }

    /// Reads a body as its fields describe it.
    pub(super) async fn read(
        &self,
        fields: &HeaderMap,
        body: Body,
        bounds: &Bounds,
    ) -> Result<Whole, Refusal> {
        let media = media(fields)?;
        let is_packed = is_packed(fields)?;
        let mut held = Held(None);
        let mut bytes = match tokio::time::timeout(
            bounds.body_time,
            self.receive(fields, body, bounds.body_bytes, &mut held),
        )
        .await
        {
            Ok(received) => received?,
            Err(_elapsed) => return Err(Refusal::TooSlow),
        };
        if is_packed {
            bytes = self.unpack(&bytes, bounds.body_bytes, &mut held)?;
        }
        Ok(Whole {
            bytes,
            media,
            _held: held,
        })
    }

    async fn receive(
        &self,
        fields: &HeaderMap,
        body: Body,
        most: usize,
        held: &mut Held,
    ) -> Result<Vec<u8>, Refusal> {
        let told: Option<u64> = fields
            .get(CONTENT_LENGTH)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.parse().ok());
        // One that is far too large is not even begun with.
        if told.is_some_and(|told| told > (most as u64).saturating_mul(DRAINED as u64)) {
            return Err(too_large(most));
        }
        let mut bytes = Vec::new();
        let mut taken: usize = 0;
        let mut chunks = body.into_data_stream();
        while let Some(chunk) = chunks.next().await {
            let chunk = chunk.map_err(|_broken| Refusal::Broken("The body is broken off."))?;
            taken = taken.saturating_add(chunk.len());
            if taken > most {
                // What is held so far is of no use.
                bytes = Vec::new();
                *held = Held(None);
                if taken > most.saturating_mul(DRAINED) {
                    break;
                }
                continue;
            }
            self.hold(chunk.len(), held)?;
            bytes.extend_from_slice(&chunk);
        }
        match taken > most {
            true => Err(too_large(most)),
            false => Ok(bytes),
        }
    }

    /// Stops at the first byte that is too many, so that a small body cannot become a huge one.
    fn unpack(&self, packed: &[u8], most: usize, held: &mut Held) -> Result<Vec<u8>, Refusal> {
        const BLOCK: usize = 64 << 10;
        let mut bytes = Vec::new();
        let mut decoder = MultiGzDecoder::new(packed);
        let mut block = vec![0; BLOCK];
        loop {
            let length = decoder
                .read(&mut block)
                .map_err(|_broken| Refusal::Broken("The body is not what gzip makes."))?;
            if length == 0 {
                return Ok(bytes);
            }
            if bytes.len() + length > most {
                return Err(too_large(most));
            }
            self.hold(length, held)?;
            bytes.extend_from_slice(&block[..length]);
        }
    }

    fn hold(&self, bytes: usize, held: &mut Held) -> Result<(), Refusal> {
        let busy = || Refusal::Busy("Too many bodies are under way.");
        let number = u32::try_from(bytes).map_err(|_too_many| busy())?;
        let more = Arc::clone(&self.0)
            .try_acquire_many_owned(number)
            .map_err(|_none| busy())?;
        match &mut held.0 {
            Some(held) => held.merge(more),
            None => held.0 = Some(more),
        }
        Ok(())
    }
}

fn too_large(most: usize) -> Refusal {
    Refusal::TooLarge(format!(
        "A body may have {most} bytes, also when it is unpacked."
    ))
}

/// A web page can send bodies of other types, or of none, to this host without asking it first; so
/// those are not taken.
fn media(fields: &HeaderMap) -> Result<Media, Refusal> {
    let given = fields
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let name = given.split(';').next().unwrap_or_default().trim();
    let is = |names: &[&str]| names.iter().any(|one| name.eq_ignore_ascii_case(one));
    if is(&["application/json"]) {
        return Ok(Media::Json);
    }
    if is(&[
        "application/x-ndjson",
        "application/ndjson",
        "application/jsonl",
        "application/x-jsonlines",
    ]) {
        return Ok(Media::Lines);
    }
    Err(Refusal::MediaType(
        "The Content-Type must be application/json, or application/x-ndjson for an object a line.",
    ))
}

fn is_packed(fields: &HeaderMap) -> Result<bool, Refusal> {
    let mut values = fields.get_all(CONTENT_ENCODING).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return match fields.contains_key(CONTENT_ENCODING) {
            true => Err(Refusal::Encoding),
            false => Ok(false),
        };
    };
    let name = value.to_str().unwrap_or("?").trim().to_ascii_lowercase();
    match name.as_str() {
        "" | "identity" => Ok(false),
        "gzip" | "x-gzip" => Ok(true),
        _ => Err(Refusal::Encoding),
    }
}
