//! Those who listen live: `WebSockets` by an independent client, and an instance of the cloud in this process that serves them.

use anyhow::{Context as _, Result, bail};
use cloud_api::domains::realtime;
use cloud_api::http::server;
use cloud_api::{App, events};
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::{Error as SocketError, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, client_async};

/// Whoever waits longer waits in vain.
const HANG: Duration = Duration::from_secs(20);

/// An instance that serves on a port of loopback, with what keeps it up to date.
#[derive(Debug)]
pub struct Instance {
    /// Where it listens.
    pub address: SocketAddr,
    _tasks: JoinSet<Result<()>>,
}

impl Instance {
    /// Serves the app.
    pub async fn start(app: &App) -> Result<Self> {
        let listener = server::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await?;
        let address = listener.local_addr()?;
        let (router, config, stop) = (cloud_api::router(app), app.config.clone(), app.stop.clone());
        let mut tasks = JoinSet::new();
        tasks.spawn(async move { server::run(listener, router, &config.http, stop).await });
        tasks.spawn(events::run(app.bus.clone(), app.db.clone(), app.stop.clone()));
        tasks.spawn(app.relay.clone().run(app.stop.clone()));
        tasks.spawn(events::log::run(app.clone()));
        realtime::run(app, &mut tasks);
        Ok(Self { address, _tasks: tasks })
    }
}

/// A WebSocket.
#[derive(Debug)]
pub struct Socket(WebSocketStream<MaybeTlsStream<TcpStream>>);

/// What was heard.
#[derive(Debug, Clone, PartialEq)]
pub enum Heard {
    /// A frame.
    Frame(Value),
    /// The end, with its code and reason.
    End(u16, String),
}

impl Socket {
    /// Opens one at a path, with a bearer header if there is a token.
    pub async fn open(address: SocketAddr, path: &str, bearer: Option<&str>) -> Result<Self> {
        let mut request = format!("ws://{address}{path}").into_client_request()?;
        if let Some(token) = bearer {
            let value = HeaderValue::from_str(&format!("Bearer {token}"))?;
            request.headers_mut().insert("authorization", value);
        }
        let opened = async {
            let stream = TcpStream::connect(address).await?;
            stream.set_nodelay(true)?;
            anyhow::Ok(client_async(request, MaybeTlsStream::Plain(stream)).await?.0)
        };
        Ok(Self(timeout(HANG, opened).await.context("the handshake hangs")??))
    }

    /// Opens one and hears channels; gives the frames up to the last snapshot.
    pub async fn hear(
        address: SocketAddr,
        token: &str,
        channels: &[String],
    ) -> Result<(Self, Vec<Value>)> {
        let mut socket = Self::open(address, "/api/v1/ws", Some(token)).await?;
        socket.until("ready").await?;
        socket.say(&json!({"type": "subscribe", "channels": channels})).await?;
        socket.until("subscribed").await?;
        let mut snapshots = Vec::new();
        for _ in channels {
            snapshots.push(socket.until("snapshot").await?);
        }
        Ok((socket, snapshots))
    }

    /// Sends a frame.
    pub async fn say(&mut self, frame: &Value) -> Result<()> {
        self.say_text(&frame.to_string()).await
    }

    /// Sends any text.
    pub async fn say_text(&mut self, text: &str) -> Result<()> {
        Ok(self.0.send(Message::text(text)).await?)
    }

    /// Sends any message.
    pub async fn say_raw(&mut self, message: Message) -> Result<()> {
        Ok(self.0.send(message).await?)
    }

    /// What comes next.
    pub async fn next(&mut self) -> Result<Heard> {
        timeout(HANG, self.wait()).await.context("nothing is heard")?
    }

    async fn wait(&mut self) -> Result<Heard> {
        loop {
            match self.0.next().await {
                Some(Ok(Message::Text(text))) => {
                    return Ok(Heard::Frame(serde_json::from_str(&text)?));
                }
                Some(Ok(Message::Close(Some(end)))) => {
                    return Ok(Heard::End(end.code.into(), end.reason.to_string()));
                }
                Some(Ok(Message::Close(None))) | None => return Ok(Heard::End(0, String::new())),
                Some(Ok(_)) => {}
                Some(Err(SocketError::ConnectionClosed | SocketError::AlreadyClosed)) => {
                    return Ok(Heard::End(0, String::new()));
                }
                Some(Err(error)) => return Err(error.into()),
            }
        }
    }

    /// The next frame.
    pub async fn frame(&mut self) -> Result<Value> {
        match self.next().await? {
            Heard::Frame(frame) => Ok(frame),
            Heard::End(code, reason) => bail!("the socket ended: {code} {reason}"),
        }
    }

    /// The next frame of a kind; others are left out.
    pub async fn until(&mut self, kind: &str) -> Result<Value> {
        loop {
            let frame = self.frame().await?;
            if frame["type"] == kind {
                return Ok(frame);
            }
        }
    }

    /// How it ends.
    pub async fn end(&mut self) -> Result<(u16, String)> {
        loop {
            if let Heard::End(code, reason) = self.next().await? {
                return Ok((code, reason));
            }
        }
    }
}
