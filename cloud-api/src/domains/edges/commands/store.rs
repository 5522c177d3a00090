//! SQL of commands.

use super::Order;
use crate::ids::{BranchId, CommandId, UserId};
use protocol::sync::commands::{Command, Target};
use protocol::sync::entry::DeviceKind;
use serde_json::{Map, Value};
use sqlx::{PgConnection, query, query_as, query_scalar};
use time::OffsetDateTime;
use uuid::Uuid;

/// An open command.
#[derive(Debug)]
pub struct Open {
    pub id: CommandId,
    pub target_kind: Option<String>,
    pub target_code: Option<String>,
    pub command: String,
    pub args: Value,
    pub created_at: OffsetDateTime,
    pub expires_at: OffsetDateTime,
}

impl Open {
    /// As it is told now.
    pub fn command(self, now: OffsetDateTime) -> anyhow::Result<Command> {
        let target = match (self.target_kind, self.target_code) {
            (Some(kind), Some(code)) => {
                let kind: DeviceKind = serde_json::from_value(Value::String(kind))?;
                Some(Target { kind, code: code.parse()? })
            }
            _ => None,
        };
        let args: Map<String, Value> = serde_json::from_value(self.args)?;
        let left_ms = (self.expires_at - now).whole_milliseconds();
        Ok(Command {
            id: self.id.into(),
            target,
            command: self.command,
            args,
            ttl_ms: u64::try_from(left_ms).unwrap_or(0),
        })
    }
}

pub async fn insert(
    db: &mut PgConnection,
    id: CommandId,
    order: &Order,
    now: OffsetDateTime,
) -> anyhow::Result<()> {
    let target = order.target.as_ref();
    let kind = target.map(|target| serde_json::to_value(target.kind)).transpose()?;
    query!(
        "WITH given AS (
             INSERT INTO commands
               (id, branch_id, target_kind, target_code, command, args, created_at, expires_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING branch_id
         )
         SELECT pg_notify('branch_commands', branch_id::text) FROM given",
        id.0,
        order.branch.0,
        kind.as_ref().and_then(Value::as_str),
        target.map(|target| target.code.as_str()),
        order.command,
        Value::Object(order.args.clone()),
        now,
        now + order.ttl,
    )
    .fetch_one(db)
    .await?;
    Ok(())
}

/// Open commands that this start of the agent was not told since a moment; they count as told now.
pub async fn tell(
    db: &mut PgConnection,
    branch: BranchId,
    boot: &str,
    now: OffsetDateTime,
    not_since: OffsetDateTime,
) -> sqlx::Result<Vec<Open>> {
    query_as!(
        Open,
        "UPDATE commands SET told_at = $3, told_boot = $2
         WHERE branch_id = $1 AND outcome IS NULL AND expires_at > $3
           AND (told_at IS NULL OR told_boot <> $2 OR told_at <= $4)
         RETURNING id, target_kind, target_code, command, args, created_at, expires_at",
        branch.0,
        boot,
        now,
        not_since,
    )
    .fetch_all(db)
    .await
}

/// A command that has ended; its subject, if somebody gave it over REST.
pub struct Ended {
    pub id: CommandId,
    pub branch: BranchId,
    pub subject: Option<Uuid>,
    pub is_to_device: bool,
    pub outcome: String,
    pub detail: Option<String>,
}

/// None if there is no such command that is open, or of which an end was only assumed.
pub async fn finish(
    db: &mut PgConnection,
    branch: BranchId,
    id: CommandId,
    outcome: &str,
    detail: Option<&str>,
    now: OffsetDateTime,
) -> sqlx::Result<Option<Ended>> {
    let detail = detail.map(|detail| detail.replace('\0', "\u{fffd}"));
    let done = query!(
        r#"WITH finished AS (
             UPDATE commands SET outcome = $3, detail = $4, finished_at = $5, is_assumed = false
             WHERE id = $2 AND branch_id = $1 AND (outcome IS NULL OR is_assumed)
             RETURNING branch_id, subject_id, target_kind
         )
         SELECT pg_notify('branch_answers', branch_id::text), subject_id,
                target_kind IS NOT NULL AS "is_to_device!" FROM finished"#,
        branch.0,
        id.0,
        outcome,
        detail,
        now,
    );
    let outcome = outcome.to_owned();
    Ok(done.fetch_optional(db).await?.map(|row| Ended {
        id,
        branch,
        subject: row.subject_id,
        is_to_device: row.is_to_device,
        outcome,
        detail,
    }))
}

/// What came of a command, and what was said of it.
pub async fn answer(
    db: &mut PgConnection,
    id: CommandId,
) -> sqlx::Result<Option<(String, Option<String>)>> {
    let row = query!("SELECT outcome, detail FROM commands WHERE id = $1", id.0);
    let row = row.fetch_optional(db).await?;
    Ok(row.and_then(|row| Some((row.outcome?, row.detail))))
}

pub async fn exists(db: &mut PgConnection, branch: BranchId, id: CommandId) -> sqlx::Result<bool> {
    let found = query_scalar!(
        r#"SELECT EXISTS (SELECT 1 FROM commands WHERE id = $2 AND branch_id = $1) AS "exists!""#,
        branch.0,
        id.0,
    );
    found.fetch_one(db).await
}

pub async fn expire(
    db: &mut PgConnection,
    expired_before: OffsetDateTime,
    now: OffsetDateTime,
) -> sqlx::Result<Vec<Ended>> {
    let ended = query!(
        r#"UPDATE commands SET outcome = 'expired', finished_at = $2, is_assumed = true
         WHERE outcome IS NULL AND expires_at < $1
         RETURNING id, branch_id, subject_id, target_kind IS NOT NULL AS "is_to_device!""#,
        expired_before,
        now,
    );
    let ended = ended.fetch_all(db).await?.into_iter().map(|row| Ended {
        id: row.id,
        branch: row.branch_id,
        subject: row.subject_id,
        is_to_device: row.is_to_device,
        outcome: "expired".to_owned(),
        detail: None,
    });
    Ok(ended.collect())
}

/// Notes who gave a command over REST, and to what.
pub async fn mark_asked(
    db: &mut PgConnection,
    id: CommandId,
    subject: Uuid,
    by: UserId,
) -> sqlx::Result<()> {
    query!("UPDATE commands SET subject_id = $2, asked_by = $3 WHERE id = $1", id.0, subject, by.0)
        .execute(db)
        .await?;
    Ok(())
}

/// A command that somebody gave over REST.
pub struct Given {
    pub id: CommandId,
    pub branch_id: BranchId,
    pub subject_id: Uuid,
    pub command: String,
    pub outcome: Option<String>,
    pub detail: Option<String>,
    pub asked_by: Option<UserId>,
    pub created_at: OffsetDateTime,
    pub told_at: Option<OffsetDateTime>,
    pub finished_at: Option<OffsetDateTime>,
    pub expires_at: OffsetDateTime,
}

/// Those of a subject, the newest first.
pub async fn asked(
    db: &mut PgConnection,
    subject: Uuid,
    only: Option<CommandId>,
    before: Option<(OffsetDateTime, CommandId)>,
    rows: i64,
) -> sqlx::Result<Vec<Given>> {
    let (at, id) = before.unzip();
    query_as!(
        Given,
        r#"SELECT id, branch_id, subject_id AS "subject_id!", command, outcome, detail,
                  asked_by AS "asked_by: UserId", created_at, told_at, finished_at, expires_at
         FROM commands
         WHERE subject_id = $1 AND ($2::uuid IS NULL OR id = $2)
             AND ($3::timestamptz IS NULL OR (created_at, id) < ($3, $4::uuid))
         ORDER BY created_at DESC, id DESC LIMIT $5"#,
        subject,
        only.map(|id| id.0),
        at,
        id.map(|id| id.0),
        rows,
    )
    .fetch_all(db)
    .await
}
