//! Answers that many ask for at once: whoever asks the same question within a second is given the same
//! bytes, and it is looked for once. A hundred pages that show the same thus cost about what one does.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::middleware::Next;
use axum::response::Response;
use tokio::sync::OnceCell;

use super::Api;
use super::refusal::Refusal;

/// The questions: what they are about changes by the second, whoever asks.
const PATHS: [&str; 4] = ["/api/stats", "/api/timeseries", "/api/top", "/api/slow"];

/// For so long an answer is given again.
const LASTS: Duration = Duration::from_secs(1);

/// Answers that are kept; another question is answered for itself.
const MOST: usize = 64;

/// Bytes of an answer at most: they are a few hundred kilobytes, however they are asked for.
const BYTES_MOST: usize = 8 << 20;

/// The answers of this second.
#[derive(Debug, Default)]
pub(super) struct Shared(Mutex<Vec<Kept>>);

/// The fields and the body of an answer, once there is one.
type Answer = Arc<OnceCell<(HeaderMap, Bytes)>>;

#[derive(Debug)]
struct Kept {
    question: String,
    begun: Instant,
    answer: Answer,
}

impl Shared {
    /// The place of the answer to this question; `None`: there is no room.
    fn place(&self, question: &str, now: Instant) -> Option<Answer> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|one| {
            let is_made = !one.answer.initialized() && Arc::strong_count(&one.answer) > 1;
            is_made || now.saturating_duration_since(one.begun) < LASTS
        });
        if let Some(known) = kept.iter().find(|one| one.question == question) {
            return Some(Arc::clone(&known.answer));
        }
        if kept.len() >= MOST {
            return None;
        }
        let answer = Answer::default();
        kept.push(Kept {
            question: question.to_owned(),
            begun: now,
            answer: Arc::clone(&answer),
        });
        Some(answer)
    }
}

/// Answers with what was found for another who asked the same, or has it found.
pub(super) async fn answer(
    State(api): State<Api>,
    request: Request,
    next: Next,
) -> Result<Response, Refusal> {
    let is_shared = request.method() == Method::GET && PATHS.contains(&request.uri().path());
    let question = request.uri().path_and_query().map(ToString::to_string);
    let place = question
        .filter(|_| is_shared)
        .and_then(|question| api.0.shared.place(&question, Instant::now()));
    let Some(place) = place else {
        return Ok(next.run(request).await);
    };
    let found = place.get_or_try_init(|| async {
        let answer = next.run(request).await;
        if answer.status() != StatusCode::OK {
            // It is of whoever asked alone.
            return Err(Ok(answer));
        }
        let (head, body) = answer.into_parts();
        let body = to_bytes(body, BYTES_MOST).await.map_err(|_too_long| {
            let sentence = "The answer is too long.";
            Err(Refusal::Failed(sentence.to_owned()))
        })?;
        Ok((head.headers, body))
    });
    match found.await {
        Ok((fields, body)) => {
            let mut answer = Response::new(Body::from(body.clone()));
            *answer.headers_mut() = fields.clone();
            Ok(answer)
        }
        Err(other) => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_has_one_place_for_a_second_and_places_are_bounded() {
        let shared = Shared::default();
        let now = Instant::now();
        let place = |question: &str, now| shared.place(question, now);
        let first = place("a", now).unwrap();
        first.set((HeaderMap::new(), Bytes::new())).unwrap();
        assert!(place("a", now + LASTS / 2).unwrap().initialized());
        assert!(!place("b", now).unwrap().initialized());
        // One that is still looked for is waited for, however long it takes.
        let slow = place("slow", now).unwrap();
        let later = now + 3 * LASTS;
        assert!(!place("a", later).unwrap().initialized());
        assert!(Arc::ptr_eq(&place("slow", later).unwrap(), &slow));
        for number in 0..MOST {
            place(&number.to_string(), later);
        }
        assert!(place("one more", later).is_none());
        // What nobody waits for any more makes room.
        drop(slow);
        assert!(place("one more", later + LASTS).is_some());
    }
}
