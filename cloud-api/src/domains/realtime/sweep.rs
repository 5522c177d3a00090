//! Looks after who listens: whether they are there, and whether they still may.

use super::client::{Client, End, Who};
use super::hub::{SHARDS, SHARDS_U32};
use super::{socket, subscribe, workouts};
use crate::app::App;
use crate::domains::accounts;
use crate::events::Signal;
use crate::http::Error;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::{MissedTickBehavior, interval};

/// Asks clients, shard by shard, and ends those whose token is over, until `stop`.
pub async fn run(app: App) -> anyhow::Result<()> {
    let mut ticks = interval(Duration::from_secs(app.realtime.limits.ping_s) / SHARDS_U32);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut shards = (0..SHARDS).cycle();
    let mut follows = interval(workouts::TELL_EVERY);
    follows.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = app.stop.cancelled() => break,
            _ = ticks.tick() => {
                end_expired(&app);
                ask(&app, shards.next());
            }
            _ = follows.tick() => {
                if let Err(error) = workouts::follow_again(&app).await {
                    tracing::warn!(error = format!("{error:#}"), "who follows what is not told");
                }
            }
        }
    }
    app.realtime.end_all(End::GoingAway);
    app.realtime.tasks.close();
    // Clients that do not read are left behind.
    let _ = tokio::time::timeout(GOODBYE, app.realtime.tasks.wait()).await;
    Ok(())
}

const GOODBYE: Duration = Duration::from_secs(2);

fn end_expired(app: &App) {
    let now = app.clock.now().unix_timestamp();
    for client in app.realtime.clients(None) {
        if client.who().token.exp <= now {
            client.end(End::Unauthorized("token_expired"));
        }
    }
}

fn ask(app: &App, shard: Option<usize>) {
    for client in app.realtime.clients(shard) {
        if client.socket.is_none() {
            // A comment keeps proxies from closing what is silent; one that is gone is noticed by writing.
            if !client.has_waiting() {
                client.send_raw(": here\n\n".into());
            }
        } else if client.was_alive() {
            client.send_raw(socket::frame::ping());
        } else {
            client.end(End::Dead);
        }
    }
}

/// Looks again at those who have changed, until `stop`.
pub async fn follow_rights(app: App) -> anyhow::Result<()> {
    let mut signals = app.bus.subscribe();
    loop {
        let changed = tokio::select! {
            () = app.stop.cancelled() => return Ok(()),
            signal = signals.recv() => match signal {
                Ok(Signal::User(user)) => app.realtime.of_user(user),
                Ok(Signal::Any) | Err(RecvError::Lagged(_)) => app.realtime.clients(None),
                Ok(_) => continue,
                Err(RecvError::Closed) => return Ok(()),
            },
        };
        for client in changed {
            if let Err(error) = look_again(&app, &client).await {
                tracing::warn!(error = format!("{error:#}"), "rights are not looked at again");
            }
        }
    }
}

async fn look_again(app: &App, client: &Arc<Client>) -> anyhow::Result<()> {
    let who = client.who();
    match accounts::still(app, who.token).await {
        Ok(caller) => {
            client.set_who(Who { token: who.token, caller });
            subscribe::recheck(app, client).await
        }
        Err(Error::Internal(error)) => Err(error),
        Err(error) => {
            client.end(End::Unauthorized(reason(&error)));
            Ok(())
        }
    }
}

/// Why a token is not good.
pub fn reason(error: &Error) -> &'static str {
    match error {
        Error::Unauthorized(reason) | Error::Barred(reason) => reason,
        _ => "invalid_token",
    }
}
