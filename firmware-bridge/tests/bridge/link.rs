//! The network between agent and bridge: it can hold back what the agent sends, in order and without loss.

use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// A running link; it is cut when it is dropped.
pub struct Link {
    pub port: u16,
    is_held: watch::Sender<bool>,
    held: Arc<Mutex<Vec<u8>>>,
    _task: JoinSet<()>,
}

impl Link {
    /// Forwards connections to `agent_port`.
    pub async fn start(agent_port: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let is_held = watch::Sender::new(false);
        let held = Arc::new(Mutex::new(Vec::new()));
        let mut task = JoinSet::new();
        let (watched, buffer) = (is_held.subscribe(), held.clone());
        task.spawn(async move {
            loop {
                let (bridge, _) = listener.accept().await.unwrap();
                let agent = TcpStream::connect(("127.0.0.1", agent_port)).await;
                let Ok(agent) = agent else { continue };
                // A connection that ends badly is its ends' affair.
                let _ = forward(bridge, agent, watched.clone(), &buffer).await;
            }
        });
        Self { port, is_held, held, _task: task }
    }

    /// From now on nothing of what the agent sends arrives.
    pub fn hold(&self) {
        self.is_held.send_replace(true);
    }

    /// What was held back arrives, and what comes after it.
    pub fn release(&self) {
        self.is_held.send_replace(false);
    }

    /// Whether some bytes are held back.
    pub fn holds(&self, bytes: &[u8]) -> bool {
        self.held.lock().unwrap().windows(bytes.len()).any(|part| part == bytes)
    }
}

async fn forward(
    bridge: TcpStream,
    agent: TcpStream,
    mut is_held: watch::Receiver<bool>,
    held: &Mutex<Vec<u8>>,
) -> anyhow::Result<()> {
    let (mut from_bridge, mut to_bridge) = bridge.into_split();
    let (mut from_agent, mut to_agent) = agent.into_split();
    let up = async { Ok(copy(&mut from_bridge, &mut to_agent).await.map(drop)?) };
    let down = async {
        let mut buffer = [0; 4096];
        held.lock().unwrap().clear();
        loop {
            tokio::select! {
                read = from_agent.read(&mut buffer) => match read? {
                    0 => return Ok(()),
                    length => held.lock().unwrap().extend_from_slice(&buffer[..length]),
                },
                changed = is_held.changed() => changed?,
            }
            if !*is_held.borrow_and_update() {
                let bytes = std::mem::take(&mut *held.lock().unwrap());
                to_bridge.write_all(&bytes).await?;
            }
        }
    };
    tokio::select! {
        ended = up => ended,
        ended = down => ended,
    }
}
