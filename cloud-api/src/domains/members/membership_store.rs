//! SQL of memberships.

use super::model::{Membership, Source, Terms};
use super::value::Reason;
use super::window::AccessWindow;
use crate::ids::{BranchId, MemberId, MembershipId, OrganizationId};
use sqlx::types::Json;
use sqlx::{PgConnection, query, query_as, query_scalar};
use time::OffsetDateTime;

pub async fn insert(
    db: &mut PgConnection,
    member: MemberId,
    terms: &Terms,
    source: Source,
    now: OffsetDateTime,
) -> sqlx::Result<MembershipId> {
    let id = MembershipId::new();
    query!(
        "INSERT INTO memberships (id, member_id, is_everywhere, valid_from, valid_until, windows,
             source, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8)",
        id.0,
        member.0,
        terms.branches.is_none(),
        terms.valid_from,
        terms.valid_until,
        Json(&terms.windows) as _,
        source.name(),
        now,
    )
    .execute(&mut *db)
    .await?;
    place(db, id, terms.branches.as_deref().unwrap_or_default()).await?;
    Ok(id)
}

pub async fn update(
    db: &mut PgConnection,
    id: MembershipId,
    terms: &Terms,
    now: OffsetDateTime,
) -> sqlx::Result<()> {
    query!(
        "UPDATE memberships SET is_everywhere = $2, valid_from = $3, valid_until = $4,
             windows = $5, updated_at = $6
         WHERE id = $1",
        id.0,
        terms.branches.is_none(),
        terms.valid_from,
        terms.valid_until,
        Json(&terms.windows) as _,
        now,
    )
    .execute(&mut *db)
    .await?;
    query!("DELETE FROM membership_branches WHERE membership_id = $1", id.0)
        .execute(&mut *db)
        .await?;
    place(db, id, terms.branches.as_deref().unwrap_or_default()).await
}

async fn place(db: &mut PgConnection, id: MembershipId, branches: &[BranchId]) -> sqlx::Result<()> {
    let branches: Vec<_> = branches.iter().map(|branch| branch.0).collect();
    query!(
        "INSERT INTO membership_branches (membership_id, branch_id)
         SELECT $1, branch_id FROM UNNEST($2::uuid[]) AS places (branch_id)
         ON CONFLICT DO NOTHING",
        id.0,
        &branches,
    )
    .execute(db)
    .await?;
    Ok(())
}

pub async fn set_frozen(
    db: &mut PgConnection,
    id: MembershipId,
    reason: Option<&Reason>,
    now: OffsetDateTime,
) -> sqlx::Result<()> {
    query!(
        "UPDATE memberships SET frozen_reason = $2, updated_at = $3 WHERE id = $1",
        id.0,
        reason.map(Reason::as_str),
        now,
    )
    .execute(db)
    .await?;
    Ok(())
}

pub async fn delete(db: &mut PgConnection, id: MembershipId) -> sqlx::Result<()> {
    query!("DELETE FROM memberships WHERE id = $1", id.0).execute(db).await?;
    Ok(())
}

/// Whose membership it is.
pub async fn holder(
    db: &mut PgConnection,
    organization: OrganizationId,
    id: MembershipId,
) -> sqlx::Result<MemberId> {
    query_scalar!(
        r#"SELECT memberships.member_id FROM memberships JOIN members ON members.id = member_id
         WHERE memberships.id = $1 AND organization_id = $2 AND removed_at IS NULL"#,
        id.0,
        organization.0,
    )
    .fetch_one(db)
    .await
}

/// Those that last longest first.
pub async fn of_member(db: &mut PgConnection, member: MemberId) -> sqlx::Result<Vec<Membership>> {
    let rows = query!(
        r#"SELECT id, member_id, is_everywhere, valid_from, valid_until,
                  windows AS "windows: Json<Vec<AccessWindow>>", frozen_reason,
                  source AS "source: Source", created_at, updated_at,
                  ARRAY(SELECT branch_id FROM membership_branches
                        WHERE membership_id = memberships.id ORDER BY branch_id)
                      AS "branches!: Vec<BranchId>"
         FROM memberships WHERE member_id = $1
         ORDER BY valid_until DESC NULLS FIRST, id"#,
        member.0,
    );
    let rows = rows.fetch_all(db).await?.into_iter();
    Ok(rows
        .map(|row| Membership {
            id: row.id,
            member_id: row.member_id,
            branch_ids: (!row.is_everywhere).then_some(row.branches),
            valid_from: row.valid_from,
            valid_until: row.valid_until,
            windows: row.windows.0,
            frozen_reason: row.frozen_reason,
            source: row.source,
            created_at: row.created_at,
            updated_at: row.updated_at,
        })
        .collect())
}

/// How many of the branches belong to the organization.
pub async fn own_branches(
    db: &mut PgConnection,
    organization: OrganizationId,
    branches: &[BranchId],
) -> sqlx::Result<i64> {
    let branches: Vec<_> = branches.iter().map(|branch| branch.0).collect();
    query_scalar!(
        r#"SELECT count(*) AS "count!" FROM branches WHERE organization_id = $1 AND id = ANY($2)"#,
        organization.0,
        &branches,
    )
    .fetch_one(db)
    .await
}

/// A membership as a branch is told of it.
pub struct Told {
    pub member_id: MemberId,
    pub here: bool,
    pub valid_from_ms: i64,
    /// The first moment without it.
    pub valid_until_ms: Option<i64>,
    pub frozen: bool,
    pub windows: Json<Vec<AccessWindow>>,
}

/// Memberships of some members as seen from a branch: its days begin and end by its time zone. Sorted by member,
/// those that last longest first.
pub async fn told(
    db: &mut PgConnection,
    branch: BranchId,
    time_zone: &str,
    members: &[MemberId],
) -> sqlx::Result<Vec<Told>> {
    let members: Vec<_> = members.iter().map(|member| member.0).collect();
    query_as!(
        Told,
        r#"SELECT member_id,
             is_everywhere OR EXISTS (
                 SELECT FROM membership_branches
                 WHERE membership_id = memberships.id AND branch_id = $1
             ) AS "here!",
             (extract(epoch FROM valid_from::timestamp AT TIME ZONE $2) * 1000)::bigint
                 AS "valid_from_ms!",
             (extract(epoch FROM (valid_until + 1)::timestamp AT TIME ZONE $2) * 1000)::bigint
                 AS valid_until_ms,
             frozen_reason IS NOT NULL AS "frozen!",
             windows AS "windows: Json<Vec<AccessWindow>>"
         FROM memberships WHERE member_id = ANY($3)
         ORDER BY member_id, valid_until DESC NULLS FIRST, id"#,
        branch.0,
        time_zone,
        &members,
    )
    .fetch_all(db)
    .await
}

/// Where a member has a right today, by the day there; one that is frozen counts too.
pub async fn branches_now(
    db: &mut PgConnection,
    member: MemberId,
    now: OffsetDateTime,
) -> sqlx::Result<Vec<BranchId>> {
    query_scalar!(
        r#"SELECT DISTINCT branches.id AS "id!: BranchId"
         FROM memberships JOIN members ON members.id = member_id
         JOIN branches ON branches.organization_id = members.organization_id
         WHERE member_id = $1 AND removed_at IS NULL
             AND ($2::timestamptz AT TIME ZONE time_zone)::date >= valid_from
             AND (valid_until IS NULL
                  OR ($2::timestamptz AT TIME ZONE time_zone)::date <= valid_until)
             AND (is_everywhere OR EXISTS (
                 SELECT FROM membership_branches
                 WHERE membership_id = memberships.id AND branch_id = branches.id))"#,
        member.0,
        now,
    )
    .fetch_all(db)
    .await
}
