//! A broker of one page: it notes what comes and answers as the test wants, also badly.

use futures_util::{SinkExt, StreamExt};
use protocol::mqtt::payloads::{TapPayload, parse_result, parse_tap};
use protocol::sync::entry::CommandResult;
use rumqttc::v5::mqttbytes::Error;
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{
    Codec, ConnAck, ConnectReturnCode, Filter, LastWill, Packet, PingResp, PubAck, PubAckReason,
    Publish, SubAck, Subscribe, SubscribeReasonCode,
};
use std::collections::HashSet;
use std::io::ErrorKind;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
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
    /// The topics of every SUBSCRIBE, with its connection.
    pub subscriptions: Vec<(usize, String)>,
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

/// Topic and payload.
type Said = (String, Vec<u8>);

struct Desk {
    log: Arc<Mutex<Log>>,
    password: Arc<Mutex<String>>,
    is_deaf: Arc<AtomicBool>,
    /// What the agent says unasked.
    says: tokio::sync::Mutex<mpsc::Receiver<Said>>,
    /// Topics that may not be subscribed.
    forbidden: Arc<Mutex<HashSet<String>>>,
}

type Decide = Box<dyn FnMut(&Publish) -> Answer + Send>;

/// The running broker; it is gone when it is dropped.
pub struct Broker {
    pub port: u16,
    pub log: Arc<Mutex<Log>>,
    pub password: Arc<Mutex<String>>,
    /// Answers no pings.
    pub is_deaf: Arc<AtomicBool>,
    /// Topics that may not be subscribed.
    pub forbidden: Arc<Mutex<HashSet<String>>>,
    say: mpsc::Sender<Said>,
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
        let forbidden = Arc::new(Mutex::new(HashSet::new()));
        let (say, says) = mpsc::channel(16);
        let desk = Desk {
            log: log.clone(),
            password: password.clone(),
            is_deaf: is_deaf.clone(),
            says: tokio::sync::Mutex::new(says),
            forbidden: forbidden.clone(),
        };
        let mut task = JoinSet::new();
        task.spawn(serve(listener, tls, desk, Box::new(decide)));
        Self { port, log, password, is_deaf, forbidden, say, _task: task }
    }

    /// Says something to a device, behind everything that was said before.
    pub async fn say(&self, topic: &str, payload: serde_json::Value) {
        let payload = payload.to_string().into_bytes();
        self.say.send((topic.to_owned(), payload)).await.unwrap();
    }

    /// Waits until a topic is subscribed.
    pub async fn hears(&self, topic: &str) {
        let is_there = || {
            let log = self.log.lock().unwrap();
            log.subscriptions.iter().any(|(at, known)| *at == log.connections && known == topic)
        };
        crate::until(topic, is_there).await;
    }

    /// The results of commands, in order of arrival.
    pub fn results(&self) -> Vec<CommandResult> {
        let log = self.log.lock().unwrap();
        let results = log.publishes.iter().filter(|publish| publish.topic.ends_with("/results"));
        results.map(|publish| parse_result(&publish.payload).unwrap()).collect()
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
    let Some(connection) = login(&mut client, desk).await? else { return Ok(()) };
    let mut says = desk.says.lock().await;
    loop {
        let packet = tokio::select! {
            packet = client.next() => packet,
            Some((topic, payload)) = says.recv() => {
                let publish = Publish::new(topic, QoS::AtMostOnce, payload, None);
                client.send(Packet::Publish(publish)).await?;
                continue;
            }
        };
        let answer = match packet {
            None => return Ok(()),
            // How this codec reads a DISCONNECT without a reason.
            Some(Err(Error::PayloadRequired) | Ok(Packet::Disconnect(_))) => {
                desk.log.lock().unwrap().clean_ends += 1;
                return Ok(());
            }
            Some(Ok(Packet::PingReq(_))) if desk.is_deaf.load(Ordering::Relaxed) => None,
            Some(Ok(Packet::PingReq(_))) => Some(Packet::PingResp(PingResp)),
            Some(Ok(Packet::Subscribe(subscribe))) => {
                let ack = Packet::SubAck(desk.admit(&subscribe));
                client.send(ack).await?;
                desk.note(connection, &subscribe);
                None
            }
            Some(Ok(Packet::Publish(publish))) => {
                match desk.receive(connection, &publish, decide)? {
                    Answer::Ack(reason) => {
                        let mut ack = PubAck::new(publish.pkid, None);
                        ack.reason = reason;
                        Some(Packet::PubAck(ack))
                    }
                    Answer::Nothing => None,
                    Answer::Cut => return Ok(()),
                }
            }
            Some(_) => None,
        };
        if let Some(answer) = answer {
            client.send(answer).await?;
        }
    }
}

/// CONNECT and CONNACK; the number of the connection if it may go on.
async fn login<S: AsyncRead + AsyncWrite + Unpin>(
    client: &mut Framed<S, Codec>,
    desk: &Desk,
) -> anyhow::Result<Option<usize>> {
    let Some(Ok(Packet::Connect(_, will, Some(login)))) = client.next().await else {
        return Ok(None);
    };
    let known = login.username == "bridge-1" && login.password == *desk.password.lock().unwrap();
    let code =
        if known { ConnectReturnCode::Success } else { ConnectReturnCode::BadUserNamePassword };
    client
        .send(Packet::ConnAck(ConnAck { session_present: false, code, properties: None }))
        .await?;
    if !known {
        return Ok(None);
    }
    let mut log = desk.log.lock().unwrap();
    log.will = will;
    log.connections += 1;
    Ok(Some(log.connections))
}

impl Desk {
    fn admit(&self, subscribe: &Subscribe) -> SubAck {
        let forbidden = self.forbidden.lock().unwrap();
        let answer = |filter: &Filter| {
            if forbidden.contains(&filter.path) {
                SubscribeReasonCode::NotAuthorized
            } else {
                SubscribeReasonCode::Success(QoS::AtMostOnce)
            }
        };
        let return_codes = subscribe.filters.iter().map(answer).collect();
        SubAck { pkid: subscribe.pkid, return_codes, properties: None }
    }

    fn note(&self, connection: usize, subscribe: &Subscribe) {
        let topics = subscribe.filters.iter().map(|filter| (connection, filter.path.clone()));
        self.log.lock().unwrap().subscriptions.extend(topics);
    }

    fn receive(
        &self,
        connection: usize,
        publish: &Publish,
        decide: &mut Decide,
    ) -> anyhow::Result<Answer> {
        let answer = decide(publish);
        self.log.lock().unwrap().publishes.push(Received {
            connection,
            topic: String::from_utf8(publish.topic.to_vec())?,
            payload: publish.payload.to_vec(),
            retain: publish.retain,
            dup: publish.dup,
        });
        Ok(answer)
    }
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
