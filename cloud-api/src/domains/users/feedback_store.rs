//! SQL of feedback.

use super::feedback::{Feedback, FeedbackKind, NewFeedback};
use crate::ids::{FeedbackId, OrganizationId, UserId};
use sqlx::{PgConnection, query_as};
use time::OffsetDateTime;

pub async fn insert(
    db: &mut PgConnection,
    organization: OrganizationId,
    user: UserId,
    new: &NewFeedback,
    now: OffsetDateTime,
) -> sqlx::Result<Feedback> {
    query_as!(
        Feedback,
        r#"INSERT INTO feedback (id, organization_id, user_id, kind, message, app_version, created_at)
           VALUES ($1, $2, $3, $4, $5, $6, $7)
           RETURNING id, user_id, kind AS "kind: FeedbackKind", message, app_version, created_at"#,
        FeedbackId::new().0,
        organization.0,
        user.0,
        new.kind as FeedbackKind,
        new.message,
        new.app_version,
        now,
    )
    .fetch_one(db)
    .await
}

pub async fn list(
    db: &mut PgConnection,
    organization: OrganizationId,
    before: Option<FeedbackId>,
    rows: i64,
) -> sqlx::Result<Vec<Feedback>> {
    query_as!(
        Feedback,
        r#"SELECT id, user_id, kind AS "kind: FeedbackKind", message, app_version, created_at
           FROM feedback WHERE organization_id = $1 AND ($2::uuid IS NULL OR id < $2)
           ORDER BY id DESC LIMIT $3"#,
        organization.0,
        before.map(|id| id.0),
        rows,
    )
    .fetch_all(db)
    .await
}
