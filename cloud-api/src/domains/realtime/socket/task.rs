//! One connection: reads what the client says and writes what could not be written at once.

use super::frame::{self, Decoder, Fault, Incoming};
use crate::app::App;
use crate::domains::accounts::{self, Verified};
use crate::domains::realtime::client::{Client, End, Who};
use crate::domains::realtime::frame::Frame;
use crate::domains::realtime::hub::Place;
use crate::domains::realtime::said::{self, Said};
use crate::domains::realtime::topic::Channel;
use crate::domains::realtime::{subscribe, sweep};
use crate::http::{Caller, ClientAddress, into_socket};
use axum::body::Bytes;
use hyper::upgrade::OnUpgrade;
use serde_json::json;
use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout, timeout_at};

/// What the request said.
pub struct Begin {
    pub channels: Vec<Channel>,
    pub last_event_id: Option<i64>,
    pub known: Option<crate::http::Result<(Verified, Caller)>>,
    pub from: Option<ClientAddress>,
}

/// Serves a connection to its end.
pub async fn run(app: App, upgrade: OnUpgrade, begin: Begin, place: Place) {
    // What only the beginning needs does not stay in memory.
    let opened = Box::pin(open(&app, upgrade, begin)).await;
    if let Some((client, mut decoder)) = opened {
        serve(&app, &client, &mut decoder).await;
        app.realtime.leave(&client);
        say_goodbye(&client).await;
    }
    drop(place);
}

async fn open(app: &App, upgrade: OnUpgrade, begin: Begin) -> Option<(Arc<Client>, Decoder)> {
    // A client that has gone meanwhile is none.
    let upgraded = upgrade.await.ok()?;
    let Some((socket, read_early)) = into_socket(upgraded) else {
        tracing::error!("a socket that is none of this server's");
        return None;
    };
    let mut decoder = Decoder::new(app.realtime.limits.max_frame_bytes);
    for bytes in read_early {
        decoder.push(&bytes);
    }
    let known = match begin.known {
        Some(known) => known.map_err(|error| End::Unauthorized(sweep::reason(&error))),
        None => first_frame(app, &socket, &mut decoder, begin.from).await,
    };
    let (token, caller) = match known {
        Ok(known) => known,
        Err(end) => {
            refuse(&socket, end).await;
            return None;
        }
    };
    app.realtime.following().await;
    let (number, most) = (app.realtime.next_number(), app.realtime.limits.max_waiting);
    let client = Arc::new(Client::new(number, Some(socket), Who { token, caller }, most));
    if !app.realtime.enter(&client) {
        client.end(End::TooMany);
        say_goodbye(&client).await;
        return None;
    }
    if let Err(error) = greet(app, &client, &begin.channels, begin.last_event_id).await {
        tracing::warn!(error = format!("{error:#}"), "a live client is not answered");
        client.end(End::Unavailable);
    }
    Some((client, decoder))
}

async fn greet(
    app: &App,
    client: &Arc<Client>,
    channels: &[Channel],
    last_event_id: Option<i64>,
) -> anyhow::Result<()> {
    client.answer(&ready(client)?);
    if channels.is_empty() {
        return Ok(());
    }
    subscribe::subscribe(app, client, channels, last_event_id).await
}

/// Says who is known, and until when.
pub fn ready(client: &Client) -> serde_json::Result<Frame> {
    let who = client.who();
    let data = json!({"user_id": who.caller.user, "expires_at": who.token.exp});
    Frame::about("ready", &data)
}

/// The frame with the token, which is waited for a while.
async fn first_frame(
    app: &App,
    socket: &TcpStream,
    decoder: &mut Decoder,
    from: Option<ClientAddress>,
) -> Result<(Verified, Caller), End> {
    let until = Instant::now() + Duration::from_secs(app.realtime.limits.auth_timeout_s);
    loop {
        match decoder.next().map_err(end_of)? {
            Some(Incoming::Text(text)) => {
                let Ok(Said::Auth(auth)) = said::read(&text) else {
                    return Err(End::Unauthorized("auth_expected"));
                };
                let known = accounts::sign_in(app, &auth.token, from).await;
                return known.map_err(|error| End::Unauthorized(sweep::reason(&error)));
            }
            Some(Incoming::Close) => return Err(End::Gone),
            Some(_) => continue,
            None => {}
        }
        match timeout_at(until, socket.readable()).await {
            Err(_) => return Err(End::Unauthorized("auth_timeout")),
            Ok(Err(_)) => return Err(End::Gone),
            Ok(Ok(())) => read(socket, decoder).map_err(|_| End::Gone)?,
        }
    }
}

async fn serve(app: &App, client: &Arc<Client>, decoder: &mut Decoder) {
    let Some(socket) = &client.socket else { return };
    loop {
        // What came with the last bytes first.
        match decoder.next() {
            Ok(Some(incoming)) => {
                client.set_alive();
                take(app, client, incoming).await;
                continue;
            }
            Ok(None) => {}
            Err(fault) => client.end(end_of(fault)),
        }
        if client.ended().is_some() {
            return;
        }
        tokio::select! {
            () = client.woken.notified() => {}
            ready = socket.readable() => {
                if ready.is_err() || read(socket, decoder).is_err() {
                    client.end(End::Gone);
                }
            }
            _ = socket.writable(), if client.has_waiting() => {
                client.flush();
            }
        }
    }
}

async fn take(app: &App, client: &Arc<Client>, incoming: Incoming) {
    match incoming {
        Incoming::Text(text) => {
            // Rare, and large while it lasts.
            if let Err(error) = Box::pin(said::answer(app, client, &text)).await {
                failed(client, &error);
            }
        }
        Incoming::Ping(payload) => client.send_raw(frame::pong(&payload)),
        Incoming::Pong => {}
        Incoming::Close => client.end(End::Gone),
    }
}

/// The database is away, say: the client hears of it and can ask again.
fn failed(client: &Client, error: &anyhow::Error) {
    tracing::warn!(error = format!("{error:#}"), "a live client is not answered");
    let _ = subscribe::refuse(client, "unavailable", "", "try again in a moment");
}

fn end_of(fault: Fault) -> End {
    match fault {
        Fault::Protocol(reason) => End::Protocol(reason),
        Fault::Binary => End::Binary,
        Fault::NotUtf8 => End::NotUtf8,
        Fault::TooLong => End::TooLong,
    }
}

/// Takes in what is there; an error is the end of it.
fn read(socket: &TcpStream, decoder: &mut Decoder) -> io::Result<()> {
    let mut bytes = [0; READ_BYTES];
    match socket.try_read(&mut bytes) {
        Ok(0) => Err(ErrorKind::UnexpectedEof.into()),
        Ok(len) => {
            decoder.push(&bytes[..len]);
            Ok(())
        }
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(()),
        Err(error) => Err(error),
    }
}

/// On the stack, and only while there is something to read.
const READ_BYTES: usize = 4096;

/// Writes the close frame, and waits a moment for the client to have it.
async fn say_goodbye(client: &Client) {
    let Some(socket) = &client.socket else { return };
    if let Some(end) = client.ended() {
        let (code, reason) = end.code();
        metrics::counter!("realtime_ended_total", "reason" => reason, "code" => code.to_string())
            .increment(1);
    }
    let written = async {
        while !client.flush() && client.has_waiting() && socket.writable().await.is_ok() {}
        gone(socket).await;
    };
    let _ = timeout(GOODBYE, written).await;
}

async fn refuse(socket: &TcpStream, end: End) {
    let (code, reason) = end.code();
    metrics::counter!("realtime_ended_total", "reason" => reason, "code" => code.to_string())
        .increment(1);
    let bytes: Bytes = frame::close(code, reason);
    let written = async {
        while socket.writable().await.is_ok() {
            match socket.try_write(&bytes) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                // So short a frame goes into an empty socket whole.
                _ => break,
            }
        }
        gone(socket).await;
    };
    let _ = timeout(GOODBYE, written).await;
}

/// Until the client has closed its side: what it sent unread would else take the reason away from it.
async fn gone(socket: &TcpStream) {
    let mut bytes = [0; 512];
    while socket.readable().await.is_ok() {
        match socket.try_read(&mut bytes) {
            Ok(0) => return,
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(_) => return,
        }
    }
}

const GOODBYE: Duration = Duration::from_secs(5);
