//! A flow of messages over one connection with a window of unacked ones, as fast as it goes or paced.

use super::connection::{Acked, Connection};
use anyhow::Result;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, sleep_until};

/// How fast messages are sent.
#[derive(Debug, Clone, Copy)]
pub enum Pace {
    /// Whenever the window has room.
    Flood,
    /// One every so often, from so long after the start on; what is late is sent at once.
    Every(Duration, Duration),
}

/// How many messages, how fast, with how many unacked at a time.
#[derive(Debug, Clone, Copy)]
pub struct Flow {
    /// Number of messages.
    pub count: u64,
    /// Most unacked ones at a time.
    pub window: usize,
    /// How fast.
    pub pace: Pace,
}

impl Flow {
    /// Publishes message 0, 1, 2 … of `make` until all are acked; `on_ack` may end the flow by saying `false`.
    pub async fn run<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        connection: &mut Connection<S>,
        mut make: impl FnMut(u64, &mut Connection<S>),
        mut on_ack: impl FnMut(Acked) -> bool,
    ) -> Result<()> {
        let start = Instant::now();
        let (mut queued, mut acked) = (0, 0);
        while acked < self.count {
            while queued < self.count && self.may_send(queued, connection.unacked(), start) {
                make(queued, connection);
                queued += 1;
            }
            connection.flush().await?;
            let due = match self.pace {
                Pace::Every(gap, first) if queued < self.count => {
                    Some(start + at(gap, first, queued))
                }
                _ => None,
            };
            let room = connection.unacked() < self.window;
            let acks = tokio::select! {
                acks = connection.acks() => acks?,
                () = sleep_until(due.unwrap_or(start)), if due.is_some() && room => continue,
            };
            for ack in acks {
                acked += 1;
                if !on_ack(ack) {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    fn may_send(&self, queued: u64, unacked: usize, start: Instant) -> bool {
        unacked < self.window
            && match self.pace {
                Pace::Flood => true,
                Pace::Every(gap, first) => start.elapsed() >= at(gap, first, queued),
            }
    }
}

/// When a message is due.
fn at(gap: Duration, first: Duration, number: u64) -> Duration {
    first + gap * u32::try_from(number).unwrap_or(u32::MAX)
}
