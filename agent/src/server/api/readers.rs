//! Who reads the store for the API: a few readers that are kept, each used by one search at a time.
//!
//! Reading waits for the disk, so it is done by threads that may wait.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::Bounds;
use super::refusal::Refusal;
use crate::store::{ReadError, Store};

/// Files that are given at the same time.
const EXPORTS: usize = 2;

/// Reads the databases of a folder.
#[derive(Clone, Debug)]
pub(super) struct Readers {
    directory: PathBuf,
    turns: Arc<Semaphore>,
    exports: Arc<Semaphore>,
    idle: Arc<Mutex<Vec<Store>>>,
    /// How long a search may wait and take.
    time: Duration,
    /// How long rows are looked at for one answer.
    look: Duration,
}

impl Readers {
    /// The folder of the databases.
    pub(super) fn directory(&self) -> &Path {
        &self.directory
    }

    /// As many searches at a time as the bounds say, each of which may take so long.
    pub(super) fn new(directory: PathBuf, bounds: &Bounds) -> Self {
        Self {
            directory,
            turns: Arc::new(Semaphore::new(bounds.searches)),
            exports: Arc::new(Semaphore::new(EXPORTS)),
            idle: Arc::default(),
            time: bounds.search_time,
            look: bounds.look_time,
        }
    }

    /// A turn to give a file.
    pub(super) async fn export(&self) -> Result<OwnedSemaphorePermit, Refusal> {
        let turn = Arc::clone(&self.exports).try_acquire_owned();
        turn.map_err(|_taken| {
            Refusal::Busy("Other files are being given; try again when they are.")
        })
    }

    /// Looks into the store as it is now, when it is its turn, and gives what is found in a moment.
    pub(super) async fn look<T: Send + 'static>(
        &self,
        look: impl FnOnce(&Store) -> Result<T, ReadError> + Send + 'static,
    ) -> Result<T, Refusal> {
        self.search_for(Some(self.look), look).await
    }

    /// As [`look`](Self::look), where others may wait for what is found: it takes less of their time.
    pub(super) async fn look_farther<T: Send + 'static>(
        &self,
        look: impl FnOnce(&Store) -> Result<T, ReadError> + Send + 'static,
    ) -> Result<T, Refusal> {
        self.search_for(Some(self.look * 2 / 3), look).await
    }

    /// Waits for this as long as a search may take.
    pub(super) async fn in_time<T>(&self, wait: impl Future<Output = T>) -> Result<T, Refusal> {
        let waited = tokio::time::timeout(self.time, wait).await;
        waited.map_err(|_late| Refusal::Busy("Too many searches are under way."))
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
        self.search_for(None, search).await
    }

    async fn search_for<T: Send + 'static>(
        &self,
        time: Option<Duration>,
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
            store.set_deadline(Some(time.map_or(deadline, |time| Instant::now() + time)));
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
