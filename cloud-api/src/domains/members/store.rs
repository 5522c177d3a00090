//! SQL of members.

use super::model::{Member, NewMember, Replace, Source};
use super::value::{DisplayName, Reason, Reference};
use crate::domains::accounts::Email;
use crate::ids::{MemberId, OrganizationId};
use sqlx::{PgConnection, query, query_as, query_scalar};
use time::OffsetDateTime;

pub async fn insert(
    db: &mut PgConnection,
    organization: OrganizationId,
    new: &NewMember,
    now: OffsetDateTime,
) -> sqlx::Result<Member> {
    query_as!(
        Member,
        r#"INSERT INTO members
             (id, organization_id, reference, display_name, email, source, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $7)
         RETURNING id, organization_id, member_no, reference, display_name, email,
                   source AS "source: Source", blocked_reason, created_at, updated_at"#,
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
        r#"SELECT id, organization_id, member_no, reference, display_name, email,
                  source AS "source: Source", blocked_reason, created_at, updated_at
         FROM members WHERE id = $1 AND organization_id = $2 AND removed_at IS NULL"#,
        id.0,
        organization.0,
    )
    .fetch_one(db)
    .await
}

pub async fn by_number(db: &mut PgConnection, number: u64) -> sqlx::Result<Option<Member>> {
    query_as!(
        Member,
        r#"SELECT id, organization_id, member_no, reference, display_name, email,
                  source AS "source: Source", blocked_reason, created_at, updated_at
         FROM members WHERE member_no = $1 AND removed_at IS NULL"#,
        number.cast_signed(),
    )
    .fetch_optional(db)
    .await
}

/// Keeps others from changing a member, and what belongs to them, until the transaction ends: what branches are
/// told is composed from all of it.
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

/// What of a member is replaced; the rest stays.
#[derive(Debug, Clone, Default)]
pub struct Replaced {
    pub display_name: Option<DisplayName>,
    pub reference: Replace<Reference>,
    pub email: Replace<Email>,
}

pub async fn update(
    db: &mut PgConnection,
    id: MemberId,
    replaced: &Replaced,
    now: OffsetDateTime,
) -> sqlx::Result<Member> {
    let Replaced { display_name, reference, email } = replaced;
    query_as!(
        Member,
        r#"UPDATE members SET display_name = COALESCE($2, display_name),
             reference = CASE WHEN $3 THEN $4 ELSE reference END,
             email = CASE WHEN $5 THEN $6 ELSE email END, updated_at = $7
         WHERE id = $1
         RETURNING id, organization_id, member_no, reference, display_name, email,
                   source AS "source: Source", blocked_reason, created_at, updated_at"#,
        id.0,
        display_name.as_ref().map(DisplayName::as_str),
        reference.is_change(),
        reference.value().map(Reference::as_str),
        email.is_change(),
        email.value().map(Email::as_str),
        now,
    )
    .fetch_one(db)
    .await
}

pub async fn set_blocked(
    db: &mut PgConnection,
    id: MemberId,
    reason: Option<&Reason>,
    now: OffsetDateTime,
) -> sqlx::Result<Member> {
    query_as!(
        Member,
        r#"UPDATE members SET blocked_reason = $2, updated_at = $3 WHERE id = $1
         RETURNING id, organization_id, member_no, reference, display_name, email,
                   source AS "source: Source", blocked_reason, created_at, updated_at"#,
        id.0,
        reason.map(Reason::as_str),
        now,
    )
    .fetch_one(db)
    .await
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
