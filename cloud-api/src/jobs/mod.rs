//! Work that is done later, once, by whichever instance is free: a queue in Postgres.
//!
//! A job may run again after a crash in the middle of it, so running one twice does what running it once does.

mod queue;
mod runner;

pub use queue::{FailedJob, enqueue, failed, retry};
pub use runner::{run, run_due_jobs};

use crate::app::App;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// A piece of work and what it needs to know.
pub trait Job: Serialize + DeserializeOwned + Send {
    /// Its name in the queue; never changes.
    const KIND: &'static str;

    fn run(self, app: &App) -> impl Future<Output = anyhow::Result<()>> + Send;
}
