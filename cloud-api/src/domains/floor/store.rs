//! SQL of the domain: reads of what `sessions` folded.

use super::history::HistoryFilter;
use super::model::{PastSession, PresentSession, Queue, Totals, UsedMachine};
use super::present::PresentFilter;
use crate::domains::sessions::OpenSession;
use crate::http::auth::Scope;
use crate::ids::{BranchId, DeviceId, MemberId, OrganizationId};
use sqlx::{PgConnection, query, query_as, query_scalar};
use time::OffsetDateTime;
use uuid::Uuid;

/// Where a page ended.
type Before = Option<(OffsetDateTime, Uuid)>;

/// The open stay of a member.
pub async fn open(db: &mut PgConnection, member: MemberId) -> sqlx::Result<Option<OpenSession>> {
    query_as!(
        OpenSession,
        r#"SELECT id, member_id AS "member_id: MemberId", branch_id AS "branch_id: BranchId", started_at
         FROM gym_sessions WHERE member_id = $1 AND ended_at IS NULL"#,
        member.0,
    )
    .fetch_optional(db)
    .await
}

/// The machine that a member has, with its branch.
pub struct Lent {
    pub id: Uuid,
    pub machine_id: DeviceId,
    pub branch_id: BranchId,
}

pub async fn lent(db: &mut PgConnection, member: MemberId) -> sqlx::Result<Option<Lent>> {
    query_as!(
        Lent,
        r#"SELECT id, machine_id AS "machine_id: DeviceId", branch_id AS "branch_id: BranchId"
         FROM links WHERE member_id = $1 AND ended_at IS NULL"#,
        member.0,
    )
    .fetch_optional(db)
    .await
}

/// What a member took since a moment, the first first.
pub async fn machines(
    db: &mut PgConnection,
    member: MemberId,
    since: OffsetDateTime,
) -> sqlx::Result<Vec<UsedMachine>> {
    query_as!(
        UsedMachine,
        r#"SELECT links.id AS link_id, machine_id AS "machine_id: DeviceId", name, started_at, ended_at
         FROM links JOIN devices ON devices.id = machine_id
         WHERE member_id = $1 AND started_at >= $2 AND end_reason IS DISTINCT FROM 'rejected'
         ORDER BY started_at, links.id"#,
        member.0,
        since,
    )
    .fetch_all(db)
    .await
}

pub async fn past(
    db: &mut PgConnection,
    member: Option<MemberId>,
    filter: &HistoryFilter,
    before: Before,
    rows: i64,
) -> sqlx::Result<Vec<PastSession>> {
    let (at, id) = before.unzip();
    query_as!(
        PastSession,
        r#"SELECT id, branch_id AS "branch_id: BranchId", started_at, ended_at AS "ended_at!",
                  end_reason AS "end_reason!",
                  extract(epoch FROM ended_at - started_at)::bigint AS "duration_s!",
                  (SELECT count(DISTINCT machine_id) FROM links
                   WHERE links.member_id = stays.member_id AND links.started_at >= stays.started_at
                     AND links.started_at < stays.ended_at
                     AND links.end_reason IS DISTINCT FROM 'rejected') AS "machines!",
                  (SELECT count(*) FROM finished_sets
                   WHERE finished_sets.member_id = stays.member_id AND at >= stays.started_at
                     AND at < stays.ended_at) AS "sets!"
         FROM gym_sessions AS stays
         WHERE member_id = $1 AND ended_at IS NOT NULL AND end_reason <> 'rejected'
             AND ($2::timestamptz IS NULL OR started_at >= $2)
             AND ($3::timestamptz IS NULL OR started_at < $3)
             AND ($4::uuid IS NULL OR branch_id = $4)
             AND ($5::timestamptz IS NULL OR (started_at, id) < ($5, $6::uuid))
         ORDER BY started_at DESC, id DESC LIMIT $7"#,
        member.map(|id| id.0),
        filter.from,
        filter.to,
        filter.branch_id.map(|id| id.0),
        at,
        id,
        rows,
    )
    .fetch_all(db)
    .await
}

pub async fn totals(
    db: &mut PgConnection,
    member: Option<MemberId>,
    filter: &HistoryFilter,
) -> sqlx::Result<Totals> {
    query_as!(
        Totals,
        r#"SELECT count(*) AS "sessions!",
                  COALESCE(sum(extract(epoch FROM ended_at - started_at)), 0)::bigint AS "duration_s!",
                  COALESCE(avg(extract(epoch FROM ended_at - started_at)), 0)::bigint
                      AS "average_duration_s!"
         FROM gym_sessions
         WHERE member_id = $1 AND ended_at IS NOT NULL AND end_reason <> 'rejected'
             AND ($2::timestamptz IS NULL OR started_at >= $2)
             AND ($3::timestamptz IS NULL OR started_at < $3)
             AND ($4::uuid IS NULL OR branch_id = $4)"#,
        member.map(|id| id.0),
        filter.from,
        filter.to,
        filter.branch_id.map(|id| id.0),
    )
    .fetch_one(db)
    .await
}

pub async fn present(
    db: &mut PgConnection,
    scope: Scope<'_>,
    filter: &PresentFilter,
    before: Before,
    rows: i64,
) -> sqlx::Result<Vec<PresentSession>> {
    let (organization, branches) = scope.parameters();
    let (at, id) = before.unzip();
    query_as!(
        PresentSession,
        r#"SELECT stays.id, stays.branch_id AS "branch_id: BranchId",
                  stays.member_id AS "member_id: MemberId", display_name, stays.started_at,
                  stays.ended_at,
                  CASE WHEN stays.ended_at IS NULL THEN links.machine_id END AS "machine_id: DeviceId"
         FROM gym_sessions AS stays
         JOIN members ON members.id = stays.member_id
         JOIN branches ON branches.id = stays.branch_id
         LEFT JOIN links ON links.member_id = stays.member_id AND links.ended_at IS NULL
         WHERE (branches.organization_id = $1 OR stays.branch_id = ANY($2))
             AND stays.end_reason IS DISTINCT FROM 'rejected'
             AND ($3::uuid IS NULL OR stays.branch_id = $3)
             AND ($4::uuid IS NULL OR stays.member_id = $4)
             AND ($5::boolean IS NULL OR (stays.ended_at IS NULL) = $5)
             AND ($6::timestamptz IS NULL OR (stays.started_at, stays.id) < ($6, $7::uuid))
         ORDER BY stays.started_at DESC, stays.id DESC LIMIT $8"#,
        organization,
        &branches,
        filter.branch_id.map(|id| id.0),
        filter.member_id.map(|id| id.0),
        filter.open,
        at,
        id,
        rows,
    )
    .fetch_all(db)
    .await
}

/// Where a machine of an organization is.
pub async fn branch_of(
    db: &mut PgConnection,
    organization: OrganizationId,
    machine: DeviceId,
) -> sqlx::Result<Option<BranchId>> {
    query_scalar!(
        r#"SELECT branch_id AS "id: BranchId" FROM devices JOIN branches ON branches.id = branch_id
         WHERE devices.id = $2 AND kind = 'machine' AND removed_at IS NULL AND organization_id = $1"#,
        organization.0,
        machine.0,
    )
    .fetch_optional(db)
    .await
}

/// Of so many last links the median is taken.
const LAST_LINKS: i64 = 50;

/// Who waits for a machine, as a member sees it.
pub async fn queue(
    db: &mut PgConnection,
    machine: DeviceId,
    member: Option<MemberId>,
) -> sqlx::Result<Queue> {
    let row = query!(
        r#"SELECT (SELECT count(*) FROM queue_entries WHERE machine_id = $1 AND place > 0)
                      AS "length!",
                  own.place AS "place?", own.offered_until,
                  (SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY took)::bigint FROM (
                      SELECT extract(epoch FROM ended_at - started_at) AS took FROM links
                      WHERE machine_id = $1 AND ended_at IS NOT NULL AND end_reason <> 'rejected'
                      ORDER BY started_at DESC LIMIT $3) AS last_links) AS median_s
         FROM (SELECT) AS one
         LEFT JOIN queue_entries AS own ON own.machine_id = $1 AND own.member_id = $2"#,
        machine.0,
        member.map(|id| id.0),
        LAST_LINKS,
    )
    .fetch_one(db)
    .await?;
    let before = row.place.map_or(row.length, |place| i64::from(place) - 1).max(0);
    let turns = if row.place == Some(0) { 0 } else { before + 1 };
    Ok(Queue {
        machine_id: machine,
        length: row.length,
        position: row.place,
        offered_until: row.offered_until,
        estimated_wait_s: row.median_s.map(|median_s| median_s * turns),
    })
}
