//! Keeps what fires in the data folder, where there is a store.

use std::path::PathBuf;
use std::time::Instant;

use crate::alerts::board::Message;
use crate::alerts::keep::{self, Kept};
use crate::server::hub::Hub;

/// What is kept, and where.
#[derive(Debug)]
pub(super) struct Keeper {
    /// `None`: nothing is stored, so nothing is kept.
    folder: Option<PathBuf>,
    has_webhook: bool,
    /// As it was written last; `None`: that is not known.
    last: Option<Vec<Kept>>,
}

impl Keeper {
    /// `has_webhook`: somebody is told.
    pub(super) fn new(hub: &Hub, has_webhook: bool) -> Self {
        Self {
            folder: hub.api().map(|api| api.directory().to_owned()),
            has_webhook,
            last: None,
        }
    }

    /// Takes what was kept, and gives what is still to be told.
    pub(super) fn restore(&mut self, hub: &Hub) -> Vec<Message> {
        let Some(folder) = &self.folder else {
            return Vec::new();
        };
        let kept = match keep::read(folder) {
            Ok(kept) => kept,
            Err(error) => {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "what fired before is not known"
                );
                return Vec::new();
            }
        };
        self.last = Some(kept.clone());
        let restored = hub.board().restore(kept, Instant::now(), hub.hostname());
        for alert in restored.gone {
            tracing::info!(
                alert,
                "an alert fired when the program ended, and has no rule any more"
            );
        }
        match self.has_webhook {
            true => restored.messages,
            false => Vec::new(),
        }
    }

    /// Writes what has changed.
    pub(super) async fn keep(&mut self, hub: &Hub) {
        let Some(folder) = &self.folder else {
            return;
        };
        let kept = hub.board().kept(self.has_webhook);
        if self.last.as_ref() == Some(&kept) || (self.last.is_none() && kept.is_empty()) {
            return;
        }
        let (folder, fresh) = (folder.clone(), kept.clone());
        let written = tokio::task::spawn_blocking(move || keep::write(&folder, &fresh)).await;
        match written {
            Ok(Err(error)) => {
                // It is tried again with the next look.
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "what fires cannot be kept"
                );
            }
            _ => self.last = Some(kept),
        }
    }
}
