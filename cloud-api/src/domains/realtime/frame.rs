//! What is told to clients: made once, as the bytes of a WebSocket's frame and of a server-sent event.

use super::socket::frame;
use crate::events::log::Logged;
use axum::body::Bytes;
use serde::Serialize;
use serde_json::value::RawValue;
use std::fmt::Write as _;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Something that is told.
#[derive(Debug)]
pub struct Frame {
    /// Its number; 0 is none.
    pub id: i64,
    /// The transaction that wrote it.
    pub transaction: u64,
    socket: Bytes,
    events: Bytes,
}

#[derive(Serialize)]
struct Told<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    at: Option<String>,
    data: &'a RawValue,
}

impl Frame {
    /// An event of the log.
    pub fn of(logged: &Logged) -> serde_json::Result<Self> {
        let data = RawValue::from_string(logged.data.clone())?;
        let mut frame = Self::make(&logged.kind, Some(logged.id), Some(logged.at), &data)?;
        frame.transaction = logged.transaction;
        Ok(frame)
    }

    /// Something of now, which nobody goes on from.
    pub fn now(kind: &str, at: OffsetDateTime, data: &impl Serialize) -> serde_json::Result<Self> {
        Self::make(kind, None, Some(at), &serde_json::value::to_raw_value(data)?)
    }

    /// Something about the connection itself.
    pub fn about(kind: &str, data: &impl Serialize) -> serde_json::Result<Self> {
        Self::make(kind, None, None, &serde_json::value::to_raw_value(data)?)
    }

    /// The same with the number from which to go on.
    pub fn about_from(kind: &str, id: i64, data: &impl Serialize) -> serde_json::Result<Self> {
        Self::make(kind, Some(id), None, &serde_json::value::to_raw_value(data)?)
    }

    fn make(
        kind: &str,
        id: Option<i64>,
        at: Option<OffsetDateTime>,
        data: &RawValue,
    ) -> serde_json::Result<Self> {
        let at = at.and_then(|at| at.format(&Rfc3339).ok());
        let told = Told { kind, id: id.map(|id| id.to_string()), at, data };
        let text = serde_json::to_string(&told)?;
        let mut event = String::with_capacity(text.len() + 64);
        if let Some(id) = id {
            let _ = writeln!(event, "id: {id}");
        }
        let _ = write!(event, "event: {kind}\ndata: {text}\n\n");
        Ok(Self {
            id: id.unwrap_or(0),
            transaction: 0,
            socket: frame::text(&text),
            events: event.into(),
        })
    }

    /// As it is sent.
    pub fn bytes(&self, is_socket: bool) -> Bytes {
        if is_socket { self.socket.clone() } else { self.events.clone() }
    }
}

/// The last server-sent event. Browsers come again by themselves; the wait keeps them from doing it at once.
pub fn closing(code: u16, reason: &str) -> Bytes {
    format!("event: closing\nretry: 5000\ndata: {{\"type\":\"closing\",\"data\":{{\"code\":{code},\"reason\":\"{reason}\"}}}}\n\n").into()
}
