//! To the agent by MQTT 5: everything in the queue, in order, until it is acked; and the statuses. What the agent
//! says goes to the inbox.
//!
//! rumqttc gives the codec. Its event loop is not used: it hides which message an ack belongs to, keeps unacked
//! messages in memory only, and its TLS feature brings a second, older set of certificate crates.

mod backoff;
mod hearing;
mod login;
mod session;
mod transport;
mod window;

pub(crate) use backoff::Backoff;
pub use transport::Stream;

use crate::config::AgentConfig;
use crate::desk::Desk;
use login::Ended;
use session::Session;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

/// How patient the publisher is. Tests are less so.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// An ack that is out for longer makes the connection a dead one. The agent acks within 0.8 s.
    pub ack: Duration,
    /// Connecting and login.
    pub connect: Duration,
    /// First pause after a lost connection; doubles up to `longest_pause`.
    pub first_pause: Duration,
    /// Longest pause between two tries.
    pub longest_pause: Duration,
    /// A message that the agent refuses is offered again after this time: the reader may be assigned by then.
    pub refused: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            ack: Duration::from_secs(10),
            connect: Duration::from_secs(10),
            first_pause: Duration::from_millis(200),
            longest_pause: Duration::from_secs(5),
            refused: Duration::from_mins(1),
        }
    }
}

/// Publishes what the queue has and how the devices are, and hears the agent.
#[derive(Debug)]
pub struct Publisher {
    /// Where the agent is and who we are.
    pub agent: AgentConfig,
    /// What the drivers say, and where their mail goes.
    pub desk: Desk,
    /// How long to wait for what.
    pub patience: Patience,
}

/// What outlives a connection.
#[derive(Debug)]
struct Memory {
    /// How often the agent refused a message.
    refusals: BTreeMap<u64, u32>,
    /// Messages up to here may have been sent before; what an earlier run left counts as sent.
    sent_up_to: u64,
}

impl Publisher {
    /// Runs until it is stopped; a connection that fails is made anew, whatever the reason.
    pub async fn run(self, stop: CancellationToken) -> anyhow::Result<()> {
        let mut backoff = Backoff::new(self.patience.first_pause, self.patience.longest_pause);
        let sent_up_to = self.desk.outbox.state().borrow().newest;
        let mut memory = Memory { refusals: BTreeMap::new(), sent_up_to };
        let mut told = String::new();
        while !stop.is_cancelled() {
            let ended = self.connection(&mut memory, &mut backoff, &mut told, &stop).await;
            let Err(reason) = ended else { return Ok(()) };
            let reason = format!("{reason:#}");
            if reason == told {
                debug!(reason, "agent still cannot be reached");
            } else {
                warn!(
                    host = self.agent.host,
                    port = self.agent.port(),
                    reason,
                    "agent is away: taps are kept"
                );
                told = reason;
            }
            tokio::select! {
                () = stop.cancelled() => {}
                () = sleep(backoff.pause()) => {}
            }
        }
        Ok(())
    }

    async fn connection(
        &self,
        memory: &mut Memory,
        backoff: &mut Backoff,
        told: &mut String,
        stop: &CancellationToken,
    ) -> Result<(), Ended> {
        let login = async {
            let stream = transport::connect(&self.agent).await?;
            login::login(stream, &self.agent, &self.desk.clock).await
        };
        let login = tokio::select! {
            () = stop.cancelled() => return Ok(()),
            login = tokio::time::timeout(self.patience.connect, login) => login,
        };
        let login = login.map_err(|_| Ended::Silent("login"))?;
        if let Err(Ended::Login(_)) = login {
            backoff.stretch();
        }
        let (network, terms) = login?;
        info!(host = self.agent.host, port = self.agent.port(), "agent is there");
        told.clear();
        backoff.reset();
        let session = Session::new(self, network, terms, memory);
        let ended = session.run(stop).await;
        if let Err(Ended::TakenOver) = ended {
            backoff.stretch();
        }
        ended
    }
}
