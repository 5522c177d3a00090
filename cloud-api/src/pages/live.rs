//! Streams of server-sent events: pieces of a page again when what they show has changed, at most once a second. A stream
//! ends with the login of who listens.

use super::Pages;
use super::guard::Who;
use crate::domains::accounts::browser;
use crate::http::{Caller, Error};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::future::BoxFuture;
use page_kit::form::one_line;
use page_kit::told::{Piece, Told};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Interval, MissedTickBehavior, interval};

/// Whatever changed meanwhile is told at once.
const EVERY: Duration = Duration::from_secs(1);
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// What a page shows now, to somebody as they are now.
pub type Render =
    Box<dyn Fn(Caller) -> BoxFuture<'static, Result<Vec<Piece>, Error>> + Send + Sync>;

struct Stream {
    pages: Pages,
    who: Who,
    render: Arc<Render>,
    told: Told,
    ticks: Interval,
    has_ended: bool,
}

/// Tells the pieces at once, and again whenever they change, for as long as the login lasts.
pub fn stream(pages: Pages, who: Who, render: Render) -> Response {
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (render, told) = (Arc::new(render), Told::default());
    let state = Stream { pages, who, render, told, ticks, has_ended: false };
    let events = futures_util::stream::unfold(state, |mut state| async move {
        let event = state.next().await?;
        Some((Ok::<_, Infallible>(event), state))
    });
    Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)).into_response()
}

impl Stream {
    async fn next(&mut self) -> Option<Event> {
        loop {
            if self.has_ended {
                return None;
            }
            tokio::select! {
                () = self.pages.app.stop.cancelled() => return None,
                _ = self.ticks.tick() => {}
            }
            match self.look().await {
                Ok(Some(html)) => {
                    return Some(Event::default().event("patch").data(one_line(&html)));
                }
                Ok(None) => {}
                Err(Ended) => {
                    self.has_ended = true;
                    return Some(Event::default().event("signed-out").data("signed out"));
                }
            }
        }
    }

    async fn look(&mut self) -> Result<Option<String>, Ended> {
        let Caller { user, login, .. } = self.who.caller;
        let caller = match browser::still(&self.pages.app, user, login).await {
            Ok(Some(caller)) if caller.role.works() => caller,
            Ok(_) | Err(Error::Barred(_)) => return Err(Ended),
            // The database is away; it is asked again.
            Err(_) => return Ok(None),
        };
        match (self.render)(caller).await {
            Ok(pieces) => Ok(self.told.changed(&pieces)),
            Err(Error::NotFound) => Err(Ended),
            Err(error) => {
                tracing::debug!(%error, "a page is not told what is new");
                Ok(None)
            }
        }
    }
}

/// The login is over, or what the page shows is not theirs to see any more.
struct Ended;
