//! What clients may send: a closed list, and what is answered to everything else.

use super::client::Client;
use super::frame::Frame;
use super::subscribe::{self, refuse};
use super::topic::Channel;
use super::{client, sweep};
use crate::app::App;
use crate::domains::accounts;
use crate::events::log::RESERVED_OF_CLIENTS;
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;
use utoipa::ToSchema;

/// Says who one is: as the first frame, or with a new token to go on.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Auth {
    /// An access token.
    pub token: String,
}

/// Asks for channels: `user`, `workouts`, `branch:ID`, `staff:ID`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Subscribe {
    #[schema(example = json!(["user", "branch:01932c07-209c-7a9a-a59c-0d2b1f6e5a11"]))]
    pub channels: Vec<String>,
    /// Of the last event that was heard; only with the first channels of a connection.
    #[schema(example = "4711")]
    pub last_event_id: Option<String>,
}

/// Does without channels.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Unsubscribe {
    #[schema(example = json!(["user"]))]
    pub channels: Vec<String>,
}

/// What is wrong with a frame.
pub struct Wrong {
    pub code: &'static str,
    pub field: String,
    pub message: String,
}

impl Wrong {
    fn new(code: &'static str, field: &str, message: impl Into<String>) -> Self {
        Self { code, field: field.to_owned(), message: message.into() }
    }
}

/// A frame that can be read.
pub enum Said {
    Auth(Auth),
    Subscribe(Vec<Channel>, Option<i64>),
    Unsubscribe(Vec<Channel>),
    Ping,
}

/// Reads a frame: `{"type": …}` with the fields of its type beside it.
pub fn read(text: &str) -> Result<Said, Wrong> {
    let value: Value = serde_json::from_str(text)
        .map_err(|error| Wrong::new("malformed", "", format!("is no JSON: {error}")))?;
    let Value::Object(mut fields) = value else {
        return Err(Wrong::new("malformed", "", "is no object"));
    };
    let Some(Value::String(kind)) = fields.remove("type") else {
        return Err(Wrong::new("malformed", "type", "has to be a text"));
    };
    let rest = Value::Object(fields);
    match kind.as_str() {
        "auth" => Ok(Said::Auth(fields_of("token", rest)?)),
        "subscribe" => {
            let asked: Subscribe = fields_of("channels", rest)?;
            let last = asked.last_event_id.as_deref().map(event_id).transpose()?;
            Ok(Said::Subscribe(channels(&asked.channels)?, last))
        }
        "unsubscribe" => {
            let asked: Unsubscribe = fields_of("channels", rest)?;
            Ok(Said::Unsubscribe(channels(&asked.channels)?))
        }
        "ping" => Ok(Said::Ping),
        kind if RESERVED_OF_CLIENTS.contains(&kind) => {
            Err(Wrong::new("not_available", "type", format!("{kind} is not taken yet")))
        }
        _ => Err(Wrong::new("unknown_type", "type", "is no type of frame")),
    }
}

fn fields_of<T: serde::de::DeserializeOwned>(main: &str, rest: Value) -> Result<T, Wrong> {
    serde_json::from_value(rest).map_err(|error| {
        let text = error.to_string();
        // Serde quotes the field where it knows it.
        let named = text.split('`').nth(1).filter(|name| {
            text.starts_with("missing field")
                || text.starts_with("unknown field") && !name.is_empty()
        });
        Wrong::new("invalid_field", named.unwrap_or(main), text.clone())
    })
}

/// Channels by their names.
pub fn channels<T: AsRef<str>>(names: &[T]) -> Result<Vec<Channel>, Wrong> {
    let read = names.iter().map(|name| {
        let read = name.as_ref().parse();
        read.map_err(|error: &str| Wrong::new("invalid_field", "channels", error))
    });
    read.collect()
}

/// Where to go on.
pub fn event_id(text: &str) -> Result<i64, Wrong> {
    let read = text.parse().ok().filter(|id| *id >= 0);
    read.ok_or_else(|| Wrong::new("invalid_field", "last_event_id", "is the id of no event"))
}

/// Does what a client that is known asks for.
pub async fn answer(app: &App, client: &Arc<Client>, text: &str) -> anyhow::Result<()> {
    match read(text) {
        Ok(Said::Auth(auth)) => go_on(app, client, &auth.token).await,
        Ok(Said::Subscribe(channels, last)) => {
            subscribe::subscribe(app, client, &channels, last).await
        }
        Ok(Said::Unsubscribe(channels)) => unsubscribe(app, client, &channels),
        Ok(Said::Ping) => {
            client.answer(&Frame::about("pong", &json!({}))?);
            Ok(())
        }
        Err(wrong) => refuse(client, wrong.code, &wrong.field, &wrong.message),
    }
}

fn unsubscribe(app: &App, client: &Client, channels: &[Channel]) -> anyhow::Result<()> {
    let user = client.who().caller.user;
    let topics: Vec<_> = channels.iter().map(|channel| channel.topic(user)).collect();
    app.realtime.unsubscribe(client, &topics);
    let names: Vec<_> = channels.iter().map(ToString::to_string).collect();
    client.answer(&Frame::about("unsubscribed", &json!({"channels": names}))?);
    Ok(())
}

/// A new token of the same user lets the connection go on.
async fn go_on(app: &App, client: &Arc<Client>, token: &str) -> anyhow::Result<()> {
    match accounts::sign_in(app, token, None).await {
        Ok((token, caller)) if caller.user == client.who().caller.user => {
            let data = json!({"expires_at": token.exp});
            client.set_who(client::Who { token, caller });
            client.answer(&Frame::about("authenticated", &data)?);
            subscribe::recheck(app, client).await
        }
        Ok(_) => refuse(client, "other_user", "token", "is somebody else's"),
        Err(error) => {
            client.end(client::End::Unauthorized(sweep::reason(&error)));
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(text: &str) -> (&'static str, String) {
        let wrong = read(text).err().unwrap();
        (wrong.code, wrong.field)
    }

    #[test]
    fn what_is_wrong_with_a_frame_is_told_with_its_field() {
        assert_eq!(wrong("{"), ("malformed", String::new()));
        assert_eq!(wrong("[]"), ("malformed", String::new()));
        assert_eq!(wrong("{}"), ("malformed", "type".to_owned()));
        assert_eq!(wrong(r#"{"type":"dance"}"#), ("unknown_type", "type".to_owned()));
        assert_eq!(wrong(r#"{"type":"auth"}"#), ("invalid_field", "token".to_owned()));
        assert_eq!(wrong(r#"{"type":"auth","token":7}"#), ("invalid_field", "token".to_owned()));
        let more = r#"{"type":"auth","token":"a","extra":1}"#;
        assert_eq!(wrong(more), ("invalid_field", "extra".to_owned()));
        let channel = r#"{"type":"subscribe","channels":["moon"]}"#;
        assert_eq!(wrong(channel), ("invalid_field", "channels".to_owned()));
        let last = r#"{"type":"subscribe","channels":["user"],"last_event_id":"x"}"#;
        assert_eq!(wrong(last), ("invalid_field", "last_event_id".to_owned()));
        assert_eq!(wrong(r#"{"type":"set:complete"}"#), ("not_available", "type".to_owned()));
    }
}
