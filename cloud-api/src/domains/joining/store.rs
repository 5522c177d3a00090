//! SQL of the domain.

use super::model::{Belonging, BranchCard, JoinRequest, Joining, OwnBranch};
use crate::http::Caller;
use crate::ids::{BranchId, JoinRequestId, OrganizationId, UserId};
use sqlx::{PgConnection, query, query_as};
use time::{Date, OffsetDateTime};

/// By name.
pub async fn branches(
    db: &mut PgConnection,
    organization: OrganizationId,
    after: Option<(String, BranchId)>,
    rows: i64,
) -> sqlx::Result<Vec<BranchCard>> {
    query_as!(
        BranchCard,
        r#"SELECT id, name, time_zone, joining AS "joining: Joining" FROM branches
           WHERE organization_id = $1 AND ($2::text IS NULL OR (name, id) > ($2, $3))
           ORDER BY name, id LIMIT $4"#,
        organization.0,
        after.as_ref().map(|(name, _)| name.as_str()),
        after.as_ref().map(|(_, id)| id.0),
        rows,
    )
    .fetch_all(db)
    .await
}

pub async fn branch(
    db: &mut PgConnection,
    organization: OrganizationId,
    id: BranchId,
) -> sqlx::Result<BranchCard> {
    query_as!(
        BranchCard,
        r#"SELECT id, name, time_zone, joining AS "joining: Joining" FROM branches
           WHERE organization_id = $1 AND id = $2"#,
        organization.0,
        id.0,
    )
    .fetch_one(db)
    .await
}

/// Those that somebody belongs to or wants to, by name.
pub async fn own(
    db: &mut PgConnection,
    organization: OrganizationId,
    user: UserId,
    today: Date,
) -> sqlx::Result<Vec<OwnBranch>> {
    query_as!(
        OwnBranch,
        r#"SELECT id, name, CASE WHEN is_member THEN 'member' ELSE 'requested' END
                      AS "state!: Belonging"
           FROM (
               SELECT id, name,
                   EXISTS (SELECT FROM join_requests WHERE user_id = $2 AND branch_id = branches.id)
                       AS is_requested,
                   EXISTS (
                       SELECT FROM members JOIN memberships ON member_id = members.id
                       WHERE user_id = $2 AND removed_at IS NULL
                           AND (valid_until IS NULL OR valid_until >= $3)
                           AND (is_everywhere OR EXISTS (
                               SELECT FROM membership_branches
                               WHERE membership_id = memberships.id AND branch_id = branches.id))
                   ) AS is_member
               FROM branches WHERE organization_id = $1
           ) AS own
           WHERE is_member OR is_requested ORDER BY name, id"#,
        organization.0,
        user.0,
        today,
    )
    .fetch_all(db)
    .await
}

/// Asking twice is asking once.
pub async fn request(
    db: &mut PgConnection,
    user: UserId,
    branch: BranchId,
    now: OffsetDateTime,
) -> sqlx::Result<()> {
    query!(
        "INSERT INTO join_requests (id, user_id, branch_id, created_at) VALUES ($1, $2, $3, $4)
         ON CONFLICT ON CONSTRAINT join_requests_user_branch_key DO NOTHING",
        JoinRequestId::new().0,
        user.0,
        branch.0,
        now,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// `false` if nobody asked.
pub async fn withdraw(db: &mut PgConnection, user: UserId, branch: BranchId) -> sqlx::Result<bool> {
    let gone = query!(
        "DELETE FROM join_requests WHERE user_id = $1 AND branch_id = $2",
        user.0,
        branch.0,
    );
    Ok(gone.execute(db).await?.rows_affected() == 1)
}

/// Who wants to join branches that the caller works at, the oldest first.
pub async fn requests(
    db: &mut PgConnection,
    caller: &Caller,
    after: Option<JoinRequestId>,
    rows: i64,
) -> sqlx::Result<Vec<JoinRequest>> {
    let branches: Vec<_> = caller.branches.iter().map(|branch| branch.0).collect();
    query_as!(
        JoinRequest,
        r#"SELECT join_requests.id AS "id: JoinRequestId", user_id AS "user_id: UserId", users.name,
                  branch_id AS "branch_id: BranchId", join_requests.created_at
           FROM join_requests JOIN users ON users.id = user_id
           WHERE organization_id = $1 AND ($2 OR branch_id = ANY($3))
               AND ($4::uuid IS NULL OR join_requests.id > $4)
           ORDER BY join_requests.id LIMIT $5"#,
        caller.organization.0,
        caller.is_admin(),
        &branches,
        after.map(|id| id.0),
        rows,
    )
    .fetch_all(db)
    .await
}

/// Takes a request that the caller sees out of the list: it is decided.
pub async fn take(
    db: &mut PgConnection,
    caller: &Caller,
    id: JoinRequestId,
) -> sqlx::Result<(UserId, BranchId)> {
    let branches: Vec<_> = caller.branches.iter().map(|branch| branch.0).collect();
    let taken = query!(
        r#"DELETE FROM join_requests USING branches
           WHERE join_requests.id = $1 AND branches.id = branch_id AND organization_id = $2
               AND ($3 OR branch_id = ANY($4))
           RETURNING user_id AS "user_id: UserId", branch_id AS "branch_id: BranchId""#,
        id.0,
        caller.organization.0,
        caller.is_admin(),
        &branches,
    );
    let taken = taken.fetch_one(db).await?;
    Ok((taken.user_id, taken.branch_id))
}

/// What somebody is called, and the address if it is confirmed.
pub struct Applicant {
    pub name: String,
    pub email: Option<String>,
}

/// Others who join for the same user wait.
pub async fn applicant(db: &mut PgConnection, user: UserId) -> sqlx::Result<Applicant> {
    query_as!(
        Applicant,
        "SELECT name, CASE WHEN email_verified_at IS NOT NULL THEN email END AS email FROM users
         WHERE id = $1 FOR NO KEY UPDATE",
        user.0,
    )
    .fetch_one(db)
    .await
}

/// Says how a branch is joined.
pub async fn set(db: &mut PgConnection, branch: BranchId, joining: Joining) -> sqlx::Result<()> {
    query!("UPDATE branches SET joining = $2 WHERE id = $1", branch.0, joining as Joining)
        .execute(db)
        .await?;
    Ok(())
}
