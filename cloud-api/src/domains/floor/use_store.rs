//! SQL of how machines and branches are used: who is inside, who has what, and for how long.

use crate::http::auth::Scope;
use crate::ids::{BranchId, DeviceId};
use sqlx::{PgConnection, query, query_as};
use std::collections::HashMap;
use time::OffsetDateTime;

/// How many are inside at branches of a scope where somebody is.
pub async fn inside_by_branch(
    db: &mut PgConnection,
    scope: Scope<'_>,
) -> sqlx::Result<HashMap<BranchId, i64>> {
    let (organization, branches) = scope.parameters();
    let rows = query!(
        r#"SELECT branch_id AS "branch: BranchId", count(*) AS "inside!"
         FROM gym_sessions JOIN branches ON branches.id = branch_id
         WHERE ended_at IS NULL AND (organization_id = $1 OR branch_id = ANY($2))
         GROUP BY branch_id"#,
        organization,
        &branches,
    );
    let rows = rows.fetch_all(db).await?.into_iter();
    Ok(rows.map(|row| (row.branch, row.inside)).collect())
}

/// Who has a machine, and since when it is as it is.
#[derive(Debug)]
pub struct Hold {
    pub machine_id: DeviceId,
    /// Who has it.
    pub holder: Option<String>,
    pub held_since: Option<OffsetDateTime>,
    /// When it last said of itself what it does.
    pub said_at: Option<OffsetDateTime>,
    /// How many wait for it.
    pub waiting: i64,
}

/// Of every machine of a branch.
pub async fn holds(db: &mut PgConnection, branch: BranchId) -> sqlx::Result<Vec<Hold>> {
    query_as!(
        Hold,
        r#"SELECT devices.id AS "machine_id: DeviceId", display_name AS "holder?",
                  started_at AS "held_since?", said.at AS "said_at?",
                  (SELECT count(*) FROM queue_entries
                   WHERE queue_entries.machine_id = devices.id AND place > 0) AS "waiting!"
         FROM devices
         LEFT JOIN links ON links.machine_id = devices.id AND links.ended_at IS NULL
         LEFT JOIN members ON members.id = links.member_id
         LEFT JOIN LATERAL (SELECT at FROM device_statuses WHERE device_id = devices.id
                            ORDER BY at DESC LIMIT 1) AS said ON true
         WHERE devices.branch_id = $1 AND kind = 'machine' AND devices.removed_at IS NULL"#,
        branch.0,
    )
    .fetch_all(db)
    .await
}

/// How a machine was used.
#[derive(Debug)]
pub struct Use {
    pub machine_id: DeviceId,
    pub name: String,
    /// How often somebody took it.
    pub times: i64,
    pub used_s: i64,
}

/// How the machines of a branch were used since a moment, the most used first.
pub async fn use_of_machines(
    db: &mut PgConnection,
    branch: BranchId,
    since: OffsetDateTime,
    now: OffsetDateTime,
) -> sqlx::Result<Vec<Use>> {
    query_as!(
        Use,
        r#"SELECT devices.id AS "machine_id: DeviceId", devices.name,
                  count(links.id) AS "times!",
                  COALESCE(sum(extract(epoch FROM COALESCE(ended_at, $3) - GREATEST(started_at, $2))),
                           0)::bigint AS "used_s!"
         FROM devices
         LEFT JOIN links ON links.machine_id = devices.id AND started_at <= $3
             AND (ended_at IS NULL OR ended_at > $2) AND end_reason IS DISTINCT FROM 'rejected'
         WHERE devices.branch_id = $1 AND kind = 'machine' AND removed_at IS NULL
         GROUP BY devices.id ORDER BY 4 DESC, devices.name"#,
        branch.0,
        since,
        now,
    )
    .fetch_all(db)
    .await
}
