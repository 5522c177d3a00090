//! SQL of how things stand for somebody.

use super::dashboard::{LinkedMachine, Measured, Right, Stay};
use crate::ids::{BranchId, DeviceId, UserId};
use sqlx::{PgConnection, query_as};
use time::Date;

pub async fn stay(db: &mut PgConnection, user: UserId) -> sqlx::Result<Option<Stay>> {
    query_as!(
        Stay,
        r#"SELECT branch_id AS "branch_id: BranchId", name AS branch_name, started_at AS since
           FROM gym_sessions JOIN members ON members.id = member_id
               JOIN branches ON branches.id = branch_id
           WHERE user_id = $1 AND removed_at IS NULL AND ended_at IS NULL"#,
        user.0,
    )
    .fetch_optional(db)
    .await
}

pub async fn machine(db: &mut PgConnection, user: UserId) -> sqlx::Result<Option<LinkedMachine>> {
    query_as!(
        LinkedMachine,
        r#"SELECT machine_id AS "id: DeviceId", devices.name, started_at AS since
           FROM links JOIN members ON members.id = member_id
               JOIN devices ON devices.id = machine_id
           WHERE user_id = $1 AND members.removed_at IS NULL AND ended_at IS NULL"#,
        user.0,
    )
    .fetch_optional(db)
    .await
}

/// The one that lasts longest of those that count on a day; one that goes on before one that is paused.
pub async fn right(
    db: &mut PgConnection,
    user: UserId,
    today: Date,
) -> sqlx::Result<Option<Right>> {
    query_as!(
        Right,
        r#"SELECT is_everywhere, valid_until, frozen_reason IS NOT NULL AS "is_frozen!"
           FROM memberships JOIN members ON members.id = member_id
           WHERE user_id = $1 AND removed_at IS NULL AND valid_from <= $2
               AND (valid_until IS NULL OR valid_until >= $2)
           ORDER BY frozen_reason IS NOT NULL, valid_until DESC NULLS FIRST, memberships.id
           LIMIT 1"#,
        user.0,
        today,
    )
    .fetch_optional(db)
    .await
}

pub async fn last_measure(db: &mut PgConnection, user: UserId) -> sqlx::Result<Option<Measured>> {
    query_as!(
        Measured,
        "SELECT measured_on, weight_kg FROM body_metrics WHERE user_id = $1
         ORDER BY measured_on DESC, id DESC LIMIT 1",
        user.0,
    )
    .fetch_optional(db)
    .await
}

/// What of an account wants something done.
pub struct Standing {
    pub is_email_verified: bool,
    /// Whether it is to be erased, as its owner asked.
    pub can_keep: bool,
    pub has_credential: bool,
}

pub async fn standing(db: &mut PgConnection, user: UserId) -> sqlx::Result<Option<Standing>> {
    query_as!(
        Standing,
        r#"SELECT email_verified_at IS NOT NULL AS "is_email_verified!",
                  erase_asked_by IS NOT DISTINCT FROM 'owner' AS "can_keep!",
                  EXISTS (SELECT FROM credentials JOIN members ON members.id = member_id
                          WHERE members.user_id = users.id AND members.removed_at IS NULL
                              AND revoked_at IS NULL)
                      AS "has_credential!"
           FROM users WHERE id = $1"#,
        user.0,
    )
    .fetch_optional(db)
    .await
}
