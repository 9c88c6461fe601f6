//! Who reads the store for the API: a few readers that are kept, each used by one search at a time.
//!
//! Reading waits for the disk, so it is done by threads that may wait.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;

use super::refusal::Refusal;
use crate::store::{ReadError, Store};

/// Reads the databases of a folder.
#[derive(Debug)]
pub(super) struct Readers {
    directory: PathBuf,
    turns: Arc<Semaphore>,
    idle: Arc<Mutex<Vec<Store>>>,
    time: Duration,
}

impl Readers {
    /// The folder of the databases.
    pub(super) fn directory(&self) -> &Path {
        &self.directory
    }

    /// So many searches at a time, each of which may take so long.
    pub(super) fn new(directory: PathBuf, searches: usize, time: Duration) -> Self {
        Self {
            directory,
            turns: Arc::new(Semaphore::new(searches)),
            idle: Arc::default(),
            time,
        }
    }

    /// Whether the folder is there to be read.
    pub(super) fn can_read(&self) -> bool {
        std::fs::read_dir(&self.directory).is_ok()
    }

    /// Searches the store as it is now, when it is its turn. The time to wait for it counts too.
    pub(super) async fn search<T: Send + 'static>(
        &self,
        search: impl FnOnce(&Store) -> Result<T, ReadError> + Send + 'static,
    ) -> Result<T, Refusal> {
        let deadline = Instant::now() + self.time;
        let turn = Arc::clone(&self.turns).acquire_owned();
        let Ok(turn) = tokio::time::timeout_at(deadline.into(), turn).await else {
            return Err(Refusal::Busy("Too many searches are under way."));
        };
        let directory = self.directory.clone();
        let idle = Arc::clone(&self.idle);
        let searching = tokio::task::spawn_blocking(move || {
            // Held until the search is over, also when whoever asked has gone away.
            let _turn = turn;
            let kept = idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let mut store = match kept {
                Some(mut store) => {
                    store.refresh()?;
                    store
                }
                None => Store::open(&directory)?,
            };
            store.set_deadline(Some(deadline));
            let found = search(&store)?;
            // One that failed is not kept.
            idle.lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(store);
            Ok(found)
        });
        match searching.await {
            Ok(Ok(found)) => Ok(found),
            Ok(Err(error @ ReadError::TooLong)) => Err(Refusal::Unavailable(format!(
                "The search takes longer than {} s: {error}.",
                self.time.as_secs()
            ))),
            Ok(Err(error)) => {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "the store cannot be read"
                );
                Err(unreadable())
            }
            Err(_panicked) => Err(unreadable()),
        }
    }
}

fn unreadable() -> Refusal {
    Refusal::Failed("The store cannot be read; the diagnostics say why.".to_owned())
}
