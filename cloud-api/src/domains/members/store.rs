//! SQL of members.

use super::model::{Member, NewMember, Source};
use super::value::{Reason, Reference};
use crate::domains::accounts::Email;
use crate::ids::{BranchId, MemberId, OrganizationId, UserId};
use sqlx::{PgConnection, query, query_as, query_scalar};
use time::OffsetDateTime;

pub async fn insert(
    db: &mut PgConnection,
    organization: OrganizationId,
    new: &NewMember,
    now: OffsetDateTime,
) -> sqlx::Result<MemberId> {
    query_scalar!(
        "INSERT INTO members
             (id, organization_id, reference, display_name, email, source, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $7) RETURNING id",
        MemberId::new().0,
        organization.0,
        new.reference.as_ref().map(Reference::as_str),
        new.display_name.as_str(),
        new.email.as_ref().map(Email::as_str),
        new.source.name(),
        now,
    )
    .fetch_one(db)
    .await
}

pub async fn by_id(
    db: &mut PgConnection,
    organization: OrganizationId,
    id: MemberId,
) -> sqlx::Result<Member> {
    query_as!(
        Member,
        r#"SELECT id, organization_id, member_no, reference, display_name, email, user_id,
                  source AS "source: Source", blocked_reason, created_at, updated_at
         FROM members WHERE id = $1 AND organization_id = $2 AND removed_at IS NULL"#,
        id.0,
        organization.0,
    )
    .fetch_one(db)
    .await
}

pub async fn by_number(db: &mut PgConnection, number: u64) -> sqlx::Result<Option<Member>> {
    let found = query!(
        "SELECT id, organization_id FROM members WHERE member_no = $1 AND removed_at IS NULL",
        number.cast_signed(),
    );
    let Some(found) = found.fetch_optional(&mut *db).await? else { return Ok(None) };
    Ok(Some(by_id(db, found.organization_id, found.id).await?))
}

/// Whether an admin, or staff of these branches, see a member of their organization.
pub async fn is_seen(
    db: &mut PgConnection,
    id: MemberId,
    is_admin: bool,
    branches: &[BranchId],
) -> sqlx::Result<bool> {
    let branches: Vec<_> = branches.iter().map(|branch| branch.0).collect();
    query_scalar!(r#"SELECT ($1 OR is_seen_at($2, $3)) AS "seen!""#, is_admin, id.0, &branches)
        .fetch_one(db)
        .await
}

/// Keeps others from changing a member, and what belongs to them, until the transaction ends.
pub async fn lock(
    db: &mut PgConnection,
    organization: OrganizationId,
    id: MemberId,
) -> sqlx::Result<()> {
    query_scalar!(
        "SELECT id FROM members
         WHERE id = $1 AND organization_id = $2 AND removed_at IS NULL FOR UPDATE",
        id.0,
        organization.0,
    )
    .fetch_one(db)
    .await?;
    Ok(())
}

/// Where they came from stays.
pub async fn update(
    db: &mut PgConnection,
    id: MemberId,
    named: &NewMember,
    now: OffsetDateTime,
) -> sqlx::Result<()> {
    query!(
        "UPDATE members SET display_name = $2, reference = $3, email = $4, updated_at = $5
         WHERE id = $1",
        id.0,
        named.display_name.as_str(),
        named.reference.as_ref().map(Reference::as_str),
        named.email.as_ref().map(Email::as_str),
        now,
    )
    .execute(db)
    .await?;
    Ok(())
}

pub async fn set_blocked(
    db: &mut PgConnection,
    id: MemberId,
    reason: Option<&Reason>,
    now: OffsetDateTime,
) -> sqlx::Result<()> {
    query!(
        "UPDATE members SET blocked_reason = $2, updated_at = $3 WHERE id = $1",
        id.0,
        reason.map(Reason::as_str),
        now,
    )
    .execute(db)
    .await?;
    Ok(())
}

pub async fn set_removed(
    db: &mut PgConnection,
    id: MemberId,
    now: OffsetDateTime,
) -> sqlx::Result<()> {
    query!("UPDATE members SET removed_at = $2, updated_at = $2 WHERE id = $1", id.0, now)
        .execute(db)
        .await?;
    Ok(())
}

/// The member who a user is.
pub async fn of_user(
    db: &mut PgConnection,
    organization: OrganizationId,
    user: UserId,
) -> sqlx::Result<Option<Member>> {
    let found =
        query_scalar!("SELECT id FROM members WHERE user_id = $1 AND removed_at IS NULL", user.0);
    let Some(id) = found.fetch_optional(&mut *db).await? else { return Ok(None) };
    Ok(Some(by_id(db, organization, id).await?))
}

/// The member with this address who has no account, if there is exactly one.
pub async fn without_account(
    db: &mut PgConnection,
    organization: OrganizationId,
    email: &str,
) -> sqlx::Result<Option<MemberId>> {
    let found = query_scalar!(
        "SELECT id FROM members
         WHERE organization_id = $1 AND email = $2 AND user_id IS NULL AND removed_at IS NULL
         LIMIT 2",
        organization.0,
        email,
    );
    let found = found.fetch_all(db).await?;
    Ok(found.first().copied().filter(|_| found.len() == 1))
}

/// Says which account a member uses.
pub async fn set_user(db: &mut PgConnection, id: MemberId, user: UserId) -> sqlx::Result<()> {
    query!("UPDATE members SET user_id = $2 WHERE id = $1", id.0, user.0).execute(db).await?;
    Ok(())
}
