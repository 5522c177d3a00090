//! The full check of the file, in the background and on a connection of its own: what it finds sets the file aside.

use super::connection;
use super::handle::Order;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::sync::mpsc::WeakSender;

/// How often it is seen whether the journal is still open.
const LOOK: Duration = Duration::from_secs(1);

/// Starts it, unless there is to be none. `generation` is that of the file, see [`super::reader::Reader`].
pub fn start(
    path: PathBuf,
    generation: u64,
    after: Option<Duration>,
    orders: WeakSender<Order>,
) -> std::io::Result<()> {
    let Some(after) = after else { return Ok(()) };
    std::thread::Builder::new().name("journal-check".to_owned()).spawn(move || {
        let mut waited = Duration::ZERO;
        while waited < after {
            let step = LOOK.min(after.saturating_sub(waited));
            std::thread::park_timeout(step);
            waited += step;
            if orders.upgrade().is_none() {
                return;
            }
        }
        // A file that has replaced it since is new and needs no check.
        if let Some(damage) = damage(&path)
            && let Some(orders) = orders.upgrade()
        {
            let _ = orders.blocking_send(Order::SetAside(generation, damage));
        }
    })?;
    Ok(())
}

/// What is wrong with a file, if anything.
pub fn damage(path: &Path) -> Option<String> {
    let found = connection::reading(path).and_then(|connection| {
        connection.query_row("PRAGMA quick_check(1)", [], |row| row.get::<_, String>(0))
    });
    match found {
        Ok(answer) if answer == "ok" => None,
        Ok(answer) => Some(answer),
        Err(error) if super::salvage::is_damage_of(&error) => Some(error.to_string()),
        Err(error) => {
            tracing::warn!(%error, "the journal could not be checked");
            None
        }
    }
}
