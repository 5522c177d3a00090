//! SQL of the log.

use super::{Audience, Event};
use crate::ids::{BranchId, UserId};
use sqlx::{PgConnection, query, query_scalar};
use time::OffsetDateTime;
use uuid::Uuid;

/// Where an event is heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Stream {
    User(UserId),
    Branch(BranchId),
    Staff(BranchId),
}

/// An event with its place in the log.
#[derive(Debug)]
pub struct Logged {
    /// Grows in the order in which events became visible.
    pub id: i64,
    /// The transaction that wrote it.
    pub transaction: u64,
    pub at: OffsetDateTime,
    pub stream: Stream,
    pub kind: String,
    /// JSON.
    pub data: String,
}

/// What the log holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// From the one after this on nothing is missing.
    pub forgotten: i64,
    pub last: i64,
}

impl Stream {
    fn read(audience: &str, id: Uuid) -> Option<Self> {
        match audience {
            "user" => Some(Self::User(id.into())),
            "branch" => Some(Self::Branch(id.into())),
            "staff" => Some(Self::Staff(id.into())),
            _ => None,
        }
    }

    fn parts(self) -> (&'static str, Uuid) {
        match self {
            Self::User(id) => ("user", id.0),
            Self::Branch(id) => ("branch", id.0),
            Self::Staff(id) => ("staff", id.0),
        }
    }
}

fn parts(audience: Audience) -> (&'static str, Uuid) {
    match audience {
        Audience::User(id) => Stream::User(id).parts(),
        Audience::Branch(id) => Stream::Branch(id).parts(),
        Audience::Staff(id) => Stream::Staff(id).parts(),
        Audience::Member(id) => ("member", id.0),
    }
}

pub async fn insert(
    db: &mut PgConnection,
    events: &[(Audience, Event)],
    now: OffsetDateTime,
) -> anyhow::Result<()> {
    let (audiences, ids): (Vec<_>, Vec<_>) =
        events.iter().map(|(audience, _)| parts(*audience)).unzip();
    let audiences: Vec<String> = audiences.into_iter().map(str::to_owned).collect();
    let kinds: Vec<String> = events.iter().map(|(_, event)| event.kind().to_owned()).collect();
    let data = events.iter().map(|(_, event)| serde_json::to_string(event));
    let data: Vec<String> = data.collect::<Result<_, _>>()?;
    query!(
        "INSERT INTO events_arrived (at, audience, audience_id, kind, data)
         SELECT $1, CASE told.audience WHEN 'member' THEN 'user' ELSE told.audience END,
                COALESCE(members.user_id, told.id), told.kind, told.data::json
         FROM UNNEST($2::text[], $3::uuid[], $4::text[], $5::text[]) WITH ORDINALITY
              AS told (audience, id, kind, data, place)
         LEFT JOIN members ON told.audience = 'member' AND members.id = told.id
                              AND removed_at IS NULL
         WHERE told.audience <> 'member' OR members.user_id IS NOT NULL
         ORDER BY told.place",
        now,
        &audiences,
        &ids,
        &kinds,
        &data,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Whether nobody else is numbering; until the transaction ends.
pub async fn lock(db: &mut PgConnection) -> sqlx::Result<bool> {
    query_scalar!(r#"SELECT pg_try_advisory_xact_lock($1) AS "locked!""#, NUMBERING)
        .fetch_one(db)
        .await
}

/// Any number, the same in all instances.
const NUMBERING: i64 = 0x6779_6d77_6972_6507;

/// Moves on what has arrived; how many, and the number of the last.
pub async fn number(db: &mut PgConnection, rows: i64) -> sqlx::Result<(i64, Option<i64>)> {
    let moved = query!(
        r#"WITH moved AS (
               DELETE FROM events_arrived WHERE arrival = ANY (ARRAY(
                   SELECT arrival FROM events_arrived ORDER BY arrival LIMIT $1))
               RETURNING *
           ), numbered AS (
               INSERT INTO events (transaction, at, audience, audience_id, kind, data)
               SELECT transaction, at, audience, audience_id, kind, data FROM moved
               ORDER BY arrival
               RETURNING id
           )
           SELECT count(*) AS "count!", max(id) AS last FROM numbered"#,
        rows,
    )
    .fetch_one(db)
    .await?;
    Ok((moved.count, moved.last))
}

macro_rules! logged {
    ($rows:expr) => {
        $rows
            .into_iter()
            .filter_map(|row| {
                Some(Logged {
                    id: row.id,
                    transaction: row.transaction.parse().ok()?,
                    at: row.at,
                    stream: Stream::read(&row.audience, row.audience_id)?,
                    kind: row.kind,
                    data: row.data,
                })
            })
            .collect()
    };
}

/// What comes after an event, in order.
pub async fn after(db: &mut PgConnection, id: i64, rows: i64) -> sqlx::Result<Vec<Logged>> {
    let rows = query!(
        r#"SELECT id, transaction::text AS "transaction!", at, audience, audience_id, kind,
                  data::text AS "data!"
           FROM events WHERE id > $1 ORDER BY id LIMIT $2"#,
        id,
        rows,
    )
    .fetch_all(db)
    .await?;
    Ok(logged!(rows))
}

/// What some streams told after an event and up to another, in order.
pub async fn of_streams(
    db: &mut PgConnection,
    streams: &[Stream],
    (after, until): (i64, i64),
    rows: i64,
) -> sqlx::Result<Vec<Logged>> {
    let (audiences, ids): (Vec<_>, Vec<_>) = streams.iter().map(|stream| stream.parts()).unzip();
    let audiences: Vec<String> = audiences.into_iter().map(str::to_owned).collect();
    let rows = query!(
        r#"SELECT events.id, transaction::text AS "transaction!", at, events.audience, audience_id, kind,
                  data::text AS "data!"
           FROM events JOIN UNNEST($1::text[], $2::uuid[]) AS wanted (audience, id)
                ON audience_id = wanted.id AND events.audience = wanted.audience
           WHERE events.id > $3 AND events.id <= $4 ORDER BY events.id LIMIT $5"#,
        &audiences,
        &ids,
        after,
        until,
        rows,
    )
    .fetch_all(db)
    .await?;
    Ok(logged!(rows))
}

/// What the log holds at this moment.
pub async fn bounds(db: &mut PgConnection) -> sqlx::Result<Bounds> {
    let row = query!(
        r#"SELECT (SELECT min(id) FROM events) AS first,
                  CASE WHEN is_called THEN last_value ELSE 0 END AS "last!"
           FROM events_id_seq"#
    )
    .fetch_one(db)
    .await?;
    Ok(Bounds { forgotten: row.first.map_or(row.last, |first| first - 1), last: row.last })
}

pub async fn forget(db: &mut PgConnection, before: OffsetDateTime) -> sqlx::Result<()> {
    // Without holes: from what is kept on, nothing is missing.
    query!("DELETE FROM events WHERE id <= (SELECT max(id) FROM events WHERE at < $1)", before)
        .execute(db)
        .await?;
    Ok(())
}

/// What was told to a user is told to nobody any more. The rows stay: the log has no holes.
pub async fn forget_user(db: &mut PgConnection, user: UserId) -> sqlx::Result<()> {
    let nobody = Uuid::nil();
    query!(
        "UPDATE events_arrived SET audience_id = $2, data = '{}'
         WHERE audience = 'user' AND audience_id = $1",
        user.0,
        nobody,
    )
    .execute(&mut *db)
    .await?;
    query!(
        "UPDATE events SET audience_id = $2, data = '{}' WHERE audience = 'user' AND audience_id = $1",
        user.0,
        nobody,
    )
    .execute(db)
    .await?;
    Ok(())
}
