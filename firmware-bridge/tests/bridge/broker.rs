//! A broker of one page: it notes what comes and answers as the test wants, also badly.

use futures_util::{SinkExt, StreamExt};
use protocol::mqtt::payloads::{TapPayload, parse_tap};
use rumqttc::v5::mqttbytes::Error;
use rumqttc::v5::mqttbytes::v5::{
    Codec, ConnAck, ConnectReturnCode, LastWill, Packet, PingResp, PubAck, PubAckReason, Publish,
};
use std::io::ErrorKind;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinSet, yield_now};
use tokio_rustls::TlsAcceptor;
use tokio_util::codec::Framed;

/// What to do about a publish.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    Ack(PubAckReason),
    /// The ack gets lost.
    Nothing,
    /// The connection breaks before the ack.
    Cut,
}

pub const OK: Answer = Answer::Ack(PubAckReason::Success);

/// A publish as it came.
#[derive(Debug, Clone)]
pub struct Received {
    pub connection: usize,
    pub topic: String,
    pub payload: Vec<u8>,
    pub retain: bool,
    pub dup: bool,
}

/// Everything that happened.
#[derive(Debug, Default)]
pub struct Log {
    pub connections: usize,
    pub will: Option<LastWill>,
    pub publishes: Vec<Received>,
    pub clean_ends: usize,
}

impl Log {
    /// The taps in order of arrival, each as often as it came.
    pub fn taps(&self) -> Vec<(Received, TapPayload)> {
        let taps = self.publishes.iter().filter(|publish| publish.topic.ends_with("/tap"));
        taps.map(|publish| (publish.clone(), parse_tap(&publish.payload).unwrap())).collect()
    }

    /// What is retained for a topic now.
    pub fn retained(&self, topic: &str) -> Option<serde_json::Value> {
        let last =
            self.publishes.iter().rfind(|publish| publish.retain && publish.topic == topic)?;
        serde_json::from_slice(&last.payload).ok()
    }
}

struct Desk {
    log: Arc<Mutex<Log>>,
    password: Arc<Mutex<String>>,
    is_deaf: Arc<AtomicBool>,
}

type Decide = Box<dyn FnMut(&Publish) -> Answer + Send>;

/// The running broker; it is gone when it is dropped.
pub struct Broker {
    pub port: u16,
    pub log: Arc<Mutex<Log>>,
    pub password: Arc<Mutex<String>>,
    /// Answers no pings.
    pub is_deaf: Arc<AtomicBool>,
    _task: JoinSet<()>,
}

impl Broker {
    pub async fn start(decide: impl FnMut(&Publish) -> Answer + Send + 'static) -> Self {
        Self::start_at(0, None, decide).await
    }

    pub async fn start_at(
        port: u16,
        tls: Option<TlsAcceptor>,
        decide: impl FnMut(&Publish) -> Answer + Send + 'static,
    ) -> Self {
        let listener = listen(port).await;
        let port = listener.local_addr().unwrap().port();
        let log = Arc::new(Mutex::new(Log::default()));
        let password = Arc::new(Mutex::new("s3cret".to_owned()));
        let is_deaf = Arc::new(AtomicBool::new(false));
        let desk = Desk { log: log.clone(), password: password.clone(), is_deaf: is_deaf.clone() };
        let mut task = JoinSet::new();
        task.spawn(serve(listener, tls, desk, Box::new(decide)));
        Self { port, log, password, is_deaf, _task: task }
    }

    pub fn taps(&self) -> Vec<(Received, TapPayload)> {
        self.log.lock().unwrap().taps()
    }

    pub fn retained(&self, topic: &str) -> Option<serde_json::Value> {
        self.log.lock().unwrap().retained(topic)
    }
}

/// A broker that was just dropped lets its port go a moment later.
async fn listen(port: u16) -> TcpListener {
    let mut listener = TcpListener::bind(("127.0.0.1", port)).await;
    while listener.as_ref().is_err_and(|error| error.kind() == ErrorKind::AddrInUse) {
        yield_now().await;
        listener = TcpListener::bind(("127.0.0.1", port)).await;
    }
    listener.unwrap()
}

async fn serve(listener: TcpListener, tls: Option<TlsAcceptor>, desk: Desk, mut decide: Decide) {
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        // A connection that ends badly is the client's affair.
        let _ = match &tls {
            None => converse(stream, &desk, &mut decide).await,
            Some(tls) => match tls.accept(stream).await {
                Ok(stream) => converse(stream, &desk, &mut decide).await,
                Err(_) => Ok(()),
            },
        };
    }
}

async fn converse<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    desk: &Desk,
    decide: &mut Decide,
) -> anyhow::Result<()> {
    let codec = Codec { max_incoming_size: Some(1 << 20), max_outgoing_size: None };
    let mut client = Framed::new(stream, codec);
    let Some(Ok(Packet::Connect(_, will, Some(login)))) = client.next().await else {
        return Ok(());
    };
    let known = login.username == "bridge-1" && login.password == *desk.password.lock().unwrap();
    let code =
        if known { ConnectReturnCode::Success } else { ConnectReturnCode::BadUserNamePassword };
    client
        .send(Packet::ConnAck(ConnAck { session_present: false, code, properties: None }))
        .await?;
    if !known {
        return Ok(());
    }
    let connection = {
        let mut log = desk.log.lock().unwrap();
        log.will = will;
        log.connections += 1;
        log.connections
    };
    while let Some(packet) = client.next().await {
        match packet {
            // How this codec reads a DISCONNECT without a reason.
            Err(Error::PayloadRequired) | Ok(Packet::Disconnect(_)) => {
                desk.log.lock().unwrap().clean_ends += 1;
                return Ok(());
            }
            Ok(Packet::PingReq(_)) if desk.is_deaf.load(Ordering::Relaxed) => {}
            Ok(Packet::PingReq(_)) => client.send(Packet::PingResp(PingResp)).await?,
            Ok(Packet::Publish(publish)) => {
                let answer = decide(&publish);
                desk.log.lock().unwrap().publishes.push(Received {
                    connection,
                    topic: String::from_utf8(publish.topic.to_vec())?,
                    payload: publish.payload.to_vec(),
                    retain: publish.retain,
                    dup: publish.dup,
                });
                match answer {
                    Answer::Ack(reason) => {
                        let mut ack = PubAck::new(publish.pkid, None);
                        ack.reason = reason;
                        client.send(Packet::PubAck(ack)).await?;
                    }
                    Answer::Nothing => {}
                    Answer::Cut => return Ok(()),
                }
            }
            _ => {}
        }
    }
    Ok(())
}

/// A port where nobody listens.
pub async fn unused_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    listener.local_addr().unwrap().port()
}

/// Whether a publish is a tap.
pub fn is_tap(publish: &Publish) -> bool {
    publish.topic.ends_with(b"/tap")
}

/// A connection that says nothing and hears nothing.
pub async fn silent_agent() -> (u16, JoinSet<Vec<TcpStream>>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut task = JoinSet::new();
    task.spawn(async move {
        let mut held = Vec::new();
        while let Ok((stream, _)) = listener.accept().await {
            held.push(stream);
        }
        held
    });
    (port, task)
}
