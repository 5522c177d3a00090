//! A client that can also do what no client should.

use super::{secret, soon};
use bytes::{Buf as _, BufMut as _, BytesMut};
use std::net::SocketAddr;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

/// A connection.
pub struct Client {
    io: Box<dyn Stream>,
    level: u8,
    buffer: BytesMut,
}

/// A packet of the server: its first byte and what follows the length.
pub type Packet = (u8, Vec<u8>);

/// What goes into a CONNECT.
#[derive(Clone)]
pub struct Login<'a> {
    pub level: u8,
    pub client_id: &'a [u8],
    pub user: Option<&'a str>,
    pub password: Option<&'a str>,
    pub keep_alive_s: u16,
    pub will: Option<(&'a str, &'a str)>,
}

impl<'a> Login<'a> {
    pub fn new(level: u8, user: &'a str, password: &'a str) -> Self {
        let (user, password) = (Some(user), Some(password));
        Self { level, client_id: b"any", user, password, keep_alive_s: 60, will: None }
    }

    pub fn packet(&self) -> Vec<u8> {
        let mut flags = 0x02;
        let mut payload = text(self.client_id);
        if let Some((topic, message)) = self.will {
            flags |= 0x04 | 0x20;
            if self.level == 5 {
                payload.push(0);
            }
            payload.extend(text(topic.as_bytes()));
            payload.extend(text(message.as_bytes()));
        }
        if let Some(user) = self.user {
            flags |= 0x80;
            payload.extend(text(user.as_bytes()));
        }
        if let Some(password) = self.password {
            flags |= 0x40;
            payload.extend(text(password.as_bytes()));
        }
        let mut body = text(b"MQTT");
        body.extend([self.level, flags]);
        body.put_u16(self.keep_alive_s);
        if self.level == 5 {
            body.push(0);
        }
        body.extend(payload);
        packet(0x10, &body)
    }
}

impl Client {
    pub fn over(io: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, level: u8) -> Self {
        Self { io: Box::new(io), level, buffer: BytesMut::new() }
    }

    pub async fn open(address: SocketAddr, level: u8) -> Self {
        Self::over(TcpStream::connect(address).await.unwrap(), level)
    }

    /// Connects as a device of the test's branch.
    pub async fn log_in(address: SocketAddr, level: u8, code: &str) -> Self {
        let secret = secret(code);
        let (client, answer) = Self::connect(address, &Login::new(level, code, &secret)).await;
        assert_eq!(
            answer.map(|(first, body)| (first, body[1])),
            Some((0x20, 0)),
            "login of {code}"
        );
        client
    }

    /// Connects, and gives the CONNACK if there is one.
    pub async fn connect(address: SocketAddr, login: &Login<'_>) -> (Self, Option<Packet>) {
        let mut client = Self::open(address, login.level).await;
        client.send(&login.packet()).await;
        let answer = client.receive().await;
        (client, answer)
    }

    pub async fn send(&mut self, bytes: &[u8]) {
        self.io.write_all(bytes).await.unwrap();
    }

    /// The next packet; `None`: the server closed.
    pub async fn receive(&mut self) -> Option<Packet> {
        soon(async {
            loop {
                if let Some(packet) = cut(&mut self.buffer) {
                    return Some(packet);
                }
                if !matches!(self.io.read_buf(&mut self.buffer).await, Ok(1..)) {
                    return None;
                }
            }
        })
        .await
    }

    /// Whether nothing more comes before the server closes.
    pub async fn is_closed(&mut self) -> bool {
        self.receive().await.is_none()
    }

    /// Publishes with QoS 1.
    pub async fn publish(&mut self, id: u16, topic: &str, payload: &[u8]) {
        self.send(&self.publish_packet(0x32, id, topic, payload)).await;
    }

    /// A PUBLISH with these flags.
    pub fn publish_packet(&self, first: u8, id: u16, topic: &str, payload: &[u8]) -> Vec<u8> {
        let mut body = text(topic.as_bytes());
        if first & 0x06 != 0 {
            body.put_u16(id);
        }
        if self.level == 5 {
            body.push(0);
        }
        body.extend(payload);
        packet(first, &body)
    }

    /// Publishes and waits for the answer: its reason code, 0 in 3.1.1; `None`: the server closed.
    pub async fn ask(&mut self, id: u16, topic: &str, payload: &[u8]) -> Option<u8> {
        self.publish(id, topic, payload).await;
        let (first, body) = self.receive().await?;
        assert_eq!((first, &body[..2]), (0x40, &id.to_be_bytes()[..]), "no PUBACK");
        Some(body.get(2).copied().unwrap_or(0))
    }

    /// Subscribes and gives the answers to the filters.
    pub async fn subscribe(&mut self, filters: &[&str]) -> Vec<u8> {
        let mut body = vec![0, 7];
        if self.level == 5 {
            body.push(0);
        }
        for filter in filters {
            body.extend(text(filter.as_bytes()));
            body.push(1);
        }
        self.send(&packet(0x82, &body)).await;
        let (first, body) = self.receive().await.expect("no SUBACK");
        assert_eq!((first, &body[..2]), (0x90, &[0, 7][..]));
        body[if self.level == 5 { 3 } else { 2 }..].to_vec()
    }

    /// The next message: first byte, topic, payload. It is acked if it wants to be.
    pub async fn message(&mut self) -> (u8, String, Vec<u8>) {
        let (first, body) = self.receive().await.expect("no message");
        assert_eq!(first & 0xF0, 0x30, "no PUBLISH but {first:x} {body:?}");
        let mut body = &body[..];
        let len = usize::from(body.get_u16());
        let topic = String::from_utf8(body[..len].to_vec()).unwrap();
        body.advance(len);
        if first & 0x06 != 0 {
            let id = body.get_u16().to_be_bytes();
            self.send(&[0x40, 2, id[0], id[1]]).await;
        }
        if self.level == 5 {
            body.advance(1);
        }
        (first, topic, body.to_vec())
    }

    pub async fn ping(&mut self) {
        self.send(&[0xC0, 0]).await;
        assert_eq!(self.receive().await, Some((0xD0, Vec::new())));
    }
}

fn cut(buffer: &mut BytesMut) -> Option<Packet> {
    let mut len = 0;
    for (i, byte) in buffer.iter().skip(1).take(4).enumerate() {
        len |= usize::from(byte & 0x7F) << (7 * i);
        if byte & 0x80 == 0 {
            if buffer.len() < i + 2 + len {
                return None;
            }
            let first = buffer[0];
            buffer.advance(i + 2);
            return Some((first, buffer.split_to(len).to_vec()));
        }
    }
    None
}

pub fn packet(first: u8, body: &[u8]) -> Vec<u8> {
    let mut packet = vec![first];
    let mut len = body.len();
    loop {
        let byte = u8::try_from(len & 0x7F).unwrap();
        len >>= 7;
        packet.push(if len > 0 { byte | 0x80 } else { byte });
        if len == 0 {
            break;
        }
    }
    packet.extend(body);
    packet
}

pub fn text(text: &[u8]) -> Vec<u8> {
    let mut bytes = u16::try_from(text.len()).unwrap().to_be_bytes().to_vec();
    bytes.extend(text);
    bytes
}
