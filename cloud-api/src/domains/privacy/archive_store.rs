//! SQL of archives: rows as they are kept. Secrets (hashes, keys, tokens) are no data about somebody.

use crate::ids::UserId;
use serde_json::Value;
use sqlx::{PgConnection, query_scalar};

/// Everything that is kept in plain, by section.
pub async fn sections(
    db: &mut PgConnection,
    user: UserId,
) -> sqlx::Result<Vec<(&'static str, Value)>> {
    let mut sections = Vec::with_capacity(ROWS.len());
    for (name, sql) in ROWS {
        let rows: Value = query_scalar(sql).bind(user.0).fetch_one(&mut *db).await?;
        sections.push((name, rows));
    }
    Ok(sections)
}

/// Each gives one JSON value for a user; too free in form for the checked macros.
const ROWS: [(&str, &str); 15] = [
    (
        "account",
        "SELECT to_jsonb(t) FROM (SELECT id, organization_id, email, name, role, status, plan,
             plan_ends_at, created_at, email_verified_at, last_login_at FROM users WHERE id = $1) t",
    ),
    (
        "identities",
        "SELECT COALESCE(jsonb_agg(to_jsonb(t)), '[]') FROM (SELECT provider, subject, created_at
             FROM identities WHERE user_id = $1) t",
    ),
    (
        "logins",
        "SELECT COALESCE(jsonb_agg(to_jsonb(t)), '[]') FROM (SELECT device_id, device_name,
             user_agent, address, created_at, last_used_at, ended_at, end_reason
             FROM logins WHERE user_id = $1 ORDER BY id) t",
    ),
    (
        "consents",
        "SELECT COALESCE(jsonb_agg(to_jsonb(t)), '[]') FROM (SELECT kind, is_given, version,
             decided_at FROM consents WHERE user_id = $1 ORDER BY id) t",
    ),
    (
        "activity",
        "SELECT COALESCE(jsonb_agg(to_jsonb(t)), '[]') FROM (SELECT at, kind FROM user_activity
             WHERE user_id = $1 ORDER BY id) t",
    ),
    (
        "usage",
        "SELECT COALESCE(jsonb_agg(to_jsonb(t)), '[]') FROM (SELECT day, feature, uses, seconds
             FROM app_usage WHERE user_id = $1 ORDER BY day, feature) t",
    ),
    (
        "feedback",
        "SELECT COALESCE(jsonb_agg(to_jsonb(t)), '[]') FROM (SELECT kind, message, app_version,
             created_at FROM feedback WHERE user_id = $1 ORDER BY id) t",
    ),
    (
        "memberships",
        "SELECT COALESCE(jsonb_agg(to_jsonb(t)), '[]') FROM (SELECT member_no, display_name,
             reference, blocked_reason, is_everywhere, valid_from, valid_until, windows,
             frozen_reason, memberships.source FROM members
             LEFT JOIN memberships ON member_id = members.id WHERE user_id = $1) t",
    ),
    (
        "credentials",
        "SELECT COALESCE(jsonb_agg(to_jsonb(t)), '[]') FROM (SELECT kind, label, enabled,
             credentials.created_at, revoked_at FROM credentials
             JOIN members ON members.id = member_id WHERE user_id = $1) t",
    ),
    (
        "visits",
        "SELECT COALESCE(jsonb_agg(to_jsonb(t)), '[]') FROM (SELECT branch_id, started_at, ended_at,
             end_reason FROM gym_sessions JOIN members ON members.id = member_id
             WHERE user_id = $1 ORDER BY started_at) t",
    ),
    (
        "sets",
        "SELECT COALESCE(jsonb_agg(to_jsonb(t)), '[]') FROM (SELECT finished_sets.*
             FROM finished_sets JOIN members ON members.id = member_id
             WHERE user_id = $1 ORDER BY finished_sets.at) t",
    ),
    (
        "machine_workouts",
        "SELECT COALESCE(jsonb_agg(to_jsonb(t)), '[]') FROM (SELECT machine_workouts.*,
             (SELECT jsonb_agg(to_jsonb(machine_exercises) ORDER BY place) FROM machine_exercises
              WHERE workout_id = machine_workouts.id) AS exercises
             FROM machine_workouts JOIN members ON members.id = member_id
             WHERE user_id = $1 ORDER BY machine_workouts.started_at) t",
    ),
    (
        "machine_records",
        "SELECT COALESCE(jsonb_agg(to_jsonb(t)), '[]') FROM (SELECT machine_records.*
             FROM machine_records JOIN members ON members.id = member_id
             WHERE user_id = $1 ORDER BY exercise, measure, weight_cg) t",
    ),
    (
        "machine_reports",
        "SELECT COALESCE(jsonb_agg(to_jsonb(t)), '[]') FROM (SELECT machine_id, severity, message,
             created_at, closed_at, note FROM machine_reports
             WHERE user_id = $1 ORDER BY created_at) t",
    ),
    (
        "security_events",
        "SELECT COALESCE(jsonb_agg(to_jsonb(t)), '[]') FROM (SELECT at, rule, is_locked
             FROM security_events WHERE user_id = $1 ORDER BY id) t",
    ),
];
