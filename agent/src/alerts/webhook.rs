//! Who is told of alerts: a POST with JSON for each message, in their order, tried again until it is
//! taken or too old. A small queue; the certificates and the token are those of the sink's client.

use std::fmt;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use super::board::Message;
use crate::sink::api::connection::{Failure, post_json};
use crate::sink::api::{Names, Target, TargetError};

/// Messages that wait at most.
pub const QUEUE: usize = 64;

/// The keys of the configuration, for what is said of them.
const NAMES: Names = Names {
    url: "alerts.webhook.url",
    token_file: "alerts.webhook.token_file",
    ca_file: "alerts.webhook.ca_file",
    gzip: "sinks.api.gzip",
};

/// How patient a delivery is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Patience {
    /// With one request.
    pub request: Duration,
    /// Before the second try; doubled for each one after it.
    pub first: Duration,
    /// Between two tries at most.
    pub most: Duration,
    /// With a message: then it is given up.
    pub message: Duration,
    /// With what still waits when the process ends.
    pub end: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            request: Duration::from_secs(10),
            first: Duration::from_secs(1),
            most: Duration::from_secs(60),
            message: Duration::from_secs(3600),
            end: Duration::from_secs(2),
        }
    }
}

/// Where messages go.
#[derive(Clone)]
pub struct Webhook {
    target: Target,
    /// What is asked for: path and query, which may hold a secret and are not shown.
    path: String,
    patience: Patience,
}

/// Why a message is not taken.
#[derive(Debug, thiserror::Error)]
enum NotTaken {
    #[error(transparent)]
    Failed(#[from] Failure),
    #[error("the webhook answered with {0}")]
    Answered(u16),
}

impl Webhook {
    /// At `url`, which may have a query. `token_file`: a file with a bearer token; `ca_file`: the
    /// certificates in PEM that its own is checked against, `None`: the system's. Reads these files.
    ///
    /// # Errors
    /// It is no address, or a file cannot be read.
    pub fn new(
        url: &str,
        token_file: Option<&Path>,
        ca_file: Option<&Path>,
    ) -> Result<Self, TargetError> {
        let (address, query) = split(url);
        let target = Target::named(NAMES, address, token_file, ca_file)?;
        // Whole, with a slash at its end if there is one.
        let path = address
            .split_once("://")
            .and_then(|(_, rest)| rest.find('/').map(|place| &rest[place..]));
        Ok(Self {
            target,
            path: format!("{}{query}", path.unwrap_or("/")),
            patience: Patience::default(),
        })
    }

    /// The same with another patience.
    #[must_use]
    pub fn with_patience(self, patience: Patience) -> Self {
        Self { patience, ..self }
    }

    /// Whether the token can be read on the way to another host.
    #[must_use]
    pub fn shows_token(&self) -> bool {
        self.target.shows_token()
    }

    async fn post(&self, body: Bytes) -> Result<(), NotTaken> {
        match post_json(&self.target, &self.path, body, self.patience.request).await? {
            200..300 => Ok(()),
            status => Err(NotTaken::Answered(status)),
        }
    }

    /// Tries until it is taken, or too old, or refused for good.
    async fn deliver(&self, message: &Message) -> bool {
        let Ok(body) = serde_json::to_vec(message) else {
            return false;
        };
        let body = Bytes::from(body);
        let begun = Instant::now();
        let mut wait = self.patience.first;
        loop {
            let Err(error) = self.post(body.clone()).await else {
                return true;
            };
            let is_over = begun.elapsed() + wait >= self.patience.message || error.is_final();
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                webhook = %self,
                alert = message.id,
                "{}",
                match is_over {
                    true => "the webhook does not take the word of an alert: it is given up",
                    false => "the webhook does not take the word of an alert: it is tried again",
                }
            );
            if is_over {
                return false;
            }
            tokio::time::sleep(wait).await;
            wait = (wait * 2).min(self.patience.most);
        }
    }
}

impl NotTaken {
    /// What it says of the message itself does not become better.
    fn is_final(&self) -> bool {
        matches!(
            self,
            Self::Answered(400 | 404 | 405 | 410 | 413 | 415 | 422)
        )
    }
}

impl fmt::Display for Webhook {
    /// Without the path: that may be a secret.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.target.authority())
    }
}

impl fmt::Debug for Webhook {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Webhook({self})")
    }
}

/// The address, and the query with its `?`.
pub(crate) fn split(url: &str) -> (&str, &str) {
    url.split_at(url.find('?').unwrap_or(url.len()))
}

/// Delivers messages one after the other and tells what became of each, until there are none any more;
/// what still waits when the server stops has a moment.
pub async fn deliver(
    webhook: Webhook,
    mut messages: mpsc::Receiver<Message>,
    mut stopped: watch::Receiver<()>,
    delivered: impl Fn(u64, bool),
) {
    let delivering = async {
        while let Some(message) = messages.recv().await {
            delivered(message.number, webhook.deliver(&message).await);
        }
    };
    tokio::pin!(delivering);
    tokio::select! {
        () = &mut delivering => return,
        _ = stopped.changed() => {}
    }
    drop(tokio::time::timeout(webhook.patience.end, delivering).await);
}

#[cfg(test)]
pub(crate) mod tests;
