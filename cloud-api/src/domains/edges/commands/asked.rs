//! Commands that people give over REST, and what comes of them: the same for machines, readers and edges.

use super::store::{self, Given};
use super::{Order, give_command};
use crate::app::App;
use crate::audit::{self, Entry};
use crate::http::{Caller, Error, Once, Origin, Page, PageQuery, Result};
use crate::ids::{BranchId, CommandId, UserId};
use garde::Validate;
use protocol::sync::commands::Target;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sqlx::{PgConnection, Postgres, Transaction};
use time::{Duration, OffsetDateTime};
use utoipa::ToSchema;
use uuid::Uuid;

/// What can be ordered. Not everybody knows everything: machines `lock`, `unlock`, `reset`, `display`; readers `open`,
/// `hold_open`, `lock`, `display`; edges `restart`, `update`, `diag`, `rotate_key`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CommandName {
    Lock,
    Unlock,
    Reset,
    Display,
    Open,
    HoldOpen,
    Restart,
    Update,
    Diag,
    RotateKey,
}

/// An order.
#[derive(Debug, Deserialize, ToSchema, Validate)]
#[serde(deny_unknown_fields)]
pub struct NewCommand {
    #[garde(skip)]
    #[schema(inline)]
    pub command: CommandName,
    /// What `display` shows.
    #[garde(
        length(chars, min = 1, max = 200),
        inner(custom(crate::domains::accounts::plain_text))
    )]
    #[schema(min_length = 1, max_length = 200, example = "Please hand back the towel")]
    pub text: Option<String>,
    /// Where `update` finds the release; left out, where the edge's configuration says.
    #[garde(
        length(bytes, min = 8, max = 500),
        inner(custom(crate::domains::accounts::plain_text))
    )]
    #[schema(
        min_length = 8,
        max_length = 500,
        example = "https://releases.example/gymwire-0.2.0.json"
    )]
    pub url: Option<String>,
    /// It is void after so many seconds. By default 30; an edge has an hour.
    #[garde(range(min = 1, max = 86_400))]
    #[schema(minimum = 1, maximum = 86_400, example = 30)]
    pub ttl_s: Option<i64>,
}

/// How far it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CommandStatus {
    /// The branch does not know it yet.
    Sent,
    /// The branch knows it.
    Delivered,
    Done,
    /// It could not be done, or is not known there: `detail` says why.
    Refused,
    /// Nobody did it in time.
    Expired,
}

/// An order, and what came of it.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct CommandRecord {
    pub id: CommandId,
    pub branch_id: BranchId,
    /// The machine, reader or edge.
    pub subject_id: Uuid,
    #[schema(example = "lock")]
    pub command: String,
    #[schema(inline)]
    pub status: CommandStatus,
    /// In the words of the branch or the device.
    #[schema(example = "the door is held open")]
    pub detail: Option<String>,
    /// Who gave it; null if they have left.
    pub asked_by: Option<UserId>,
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    /// When the branch was told.
    #[serde(with = "time::serde::rfc3339::option")]
    pub delivered_at: Option<OffsetDateTime>,
    /// When the result was known.
    #[serde(with = "time::serde::rfc3339::option")]
    pub finished_at: Option<OffsetDateTime>,
    #[serde(with = "time::serde::rfc3339")]
    pub expires_at: OffsetDateTime,
}

/// Whom an order is for, and what they know.
pub struct Subject {
    pub id: Uuid,
    pub branch: BranchId,
    /// The edge itself if there is none.
    pub target: Option<Target>,
    pub knows: &'static [CommandName],
    pub ttl: Duration,
}

pub const MACHINES_KNOW: &[CommandName] =
    &[CommandName::Lock, CommandName::Unlock, CommandName::Reset, CommandName::Display];
pub const READERS_KNOW: &[CommandName] =
    &[CommandName::Open, CommandName::HoldOpen, CommandName::Lock, CommandName::Display];
pub const EDGES_KNOW: &[CommandName] =
    &[CommandName::Restart, CommandName::Update, CommandName::Diag, CommandName::RotateKey];
/// Nothing old moves a door.
pub const OF_DEVICES: Duration = Duration::seconds(30);
pub const OF_EDGES: Duration = Duration::HOUR;

/// Who gives an order.
pub struct Asking<'a> {
    pub app: &'a App,
    pub caller: &'a Caller,
    pub origin: &'a Origin,
}

/// Gives an order, once per `Idempotency-Key`.
pub async fn ask(
    asking: Asking<'_>,
    mut tx: Transaction<'_, Postgres>,
    subject: Subject,
    new: NewCommand,
    once: Once,
) -> Result<CommandRecord> {
    let Asking { app, caller, origin } = asking;
    let ttl = new.ttl_s.map_or(subject.ttl, Duration::seconds);
    let order = Order {
        branch: subject.branch,
        command: checked(&subject, &new)?,
        args: args(&new),
        target: subject.target,
        ttl,
    };
    let id = give_command(&mut tx, &order, &app.clock).await?;
    store::mark_asked(&mut tx, id, subject.id, caller.user).await?;
    let entry = Entry::asked("command.given", caller, origin).on(subject.id);
    let entry = entry.detail(serde_json::json!({ "command": order.command, "command_id": id }));
    audit::record(&mut tx, &entry, app.clock.now()).await?;
    let made = one(&mut tx, subject.id, id).await?;
    once.commit(tx).await?;
    Ok(made)
}

/// The name of a command that its subject knows and that has what it needs.
fn checked(subject: &Subject, new: &NewCommand) -> Result<String> {
    let wrong =
        |field, code, message: &str| Err(Error::Field { field, code, message: message.to_owned() });
    if !subject.knows.contains(&new.command) {
        return wrong("command", "unknown", "is not known there");
    }
    if new.text.is_some() != (new.command == CommandName::Display) {
        return wrong("text", "invalid", "is said with `display`, and only with it");
    }
    if new.url.is_some() && new.command != CommandName::Update {
        return wrong("url", "invalid", "is said with `update` only");
    }
    let name = serde_json::to_value(new.command).map_err(anyhow::Error::from)?;
    Ok(name.as_str().unwrap_or_default().to_owned())
}

fn args(new: &NewCommand) -> Map<String, Value> {
    let said = [("text", &new.text), ("url", &new.url)];
    let said = said.into_iter().filter_map(|(key, value)| Some((key, value.as_ref()?)));
    said.map(|(key, value)| (key.to_owned(), Value::from(value.as_str()))).collect()
}

/// One of a subject's.
pub async fn one(db: &mut PgConnection, subject: Uuid, id: CommandId) -> Result<CommandRecord> {
    let found = store::asked(db, subject, Some(id), None, 1).await?.pop();
    found.map(Given::record).ok_or(Error::NotFound)
}

/// Those of a subject, the newest first.
pub async fn page(
    db: &mut PgConnection,
    subject: Uuid,
    page: &PageQuery,
) -> Result<Page<CommandRecord>> {
    let found = store::asked(db, subject, None, page.after()?, page.rows()).await?;
    let found: Vec<_> = found.into_iter().map(Given::record).collect();
    Ok(Page::cut(found, page, |one| (one.created_at, one.id)))
}

impl Given {
    fn record(self) -> CommandRecord {
        let status = match (self.outcome.as_deref(), self.told_at) {
            (Some("done"), _) => CommandStatus::Done,
            (Some("expired"), _) => CommandStatus::Expired,
            (Some(_), _) => CommandStatus::Refused,
            (None, Some(_)) => CommandStatus::Delivered,
            (None, None) => CommandStatus::Sent,
        };
        CommandRecord {
            id: self.id,
            branch_id: self.branch_id,
            subject_id: self.subject_id,
            command: self.command,
            status,
            detail: self.detail,
            asked_by: self.asked_by,
            created_at: self.created_at,
            delivered_at: self.told_at,
            finished_at: self.finished_at,
            expires_at: self.expires_at,
        }
    }
}
