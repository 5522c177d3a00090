//! Streams of server-sent events: a piece of a page again whenever what it shows has changed.

use super::app::Staff;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use page_kit::form::one_line;
use std::convert::Infallible;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};

/// A session that has ended by itself is noticed this soon.
const LOOK: Duration = Duration::from_secs(5);
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// A piece of a page that is told anew.
pub struct Piece<V, F> {
    /// Name of the event.
    pub event: &'static str,
    /// Changes when there is something new.
    pub changed: watch::Receiver<V>,
    /// Not more often than this.
    pub every: Duration,
    /// Its HTML; `None` when nothing is to be told.
    pub render: F,
}

struct Stream<V, F> {
    staff: Staff,
    session: [u8; 32],
    /// Sessions that end by an act of somebody are noticed at once.
    ended: watch::Receiver<u64>,
    piece: Piece<V, F>,
    is_due: bool,
    not_before: Instant,
    has_ended: bool,
}

/// Tells the piece at once and then whenever it changes, for as long as the session lasts.
pub fn stream<V, F>(staff: Staff, session: [u8; 32], piece: Piece<V, F>) -> Response
where
    V: Send + Sync + 'static,
    F: FnMut() -> Option<String> + Send + 'static,
{
    let not_before = Instant::now();
    let ended = staff.accounts.ended();
    let state = Stream { staff, session, ended, piece, is_due: true, not_before, has_ended: false };
    let events = futures_util::stream::unfold(state, |mut state| async move {
        let event = state.next().await?;
        Some((Ok::<_, Infallible>(event), state))
    });
    Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)).into_response()
}

impl<V, F> Stream<V, F>
where
    F: FnMut() -> Option<String>,
{
    async fn next(&mut self) -> Option<Event> {
        loop {
            if self.has_ended {
                return None;
            }
            if !self.staff.accounts.is_open(&self.session) {
                self.has_ended = true;
                return Some(Event::default().event("signed-out").data("signed out"));
            }
            if self.is_due {
                self.is_due = false;
                sleep_until(self.not_before).await;
                self.not_before = Instant::now() + self.piece.every;
                self.piece.changed.mark_unchanged();
                if let Some(html) = (self.piece.render)() {
                    return Some(Event::default().event(self.piece.event).data(one_line(&html)));
                }
            }
            tokio::select! {
                () = self.staff.stop.cancelled() => return None,
                changed = self.piece.changed.changed() => {
                    changed.ok()?;
                    self.is_due = true;
                }
                changed = self.ended.changed() => changed.ok()?,
                () = sleep(LOOK) => {}
            }
        }
    }
}
