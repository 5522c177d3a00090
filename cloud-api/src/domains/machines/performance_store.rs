//! SQL of what became of machines, day by day.

use super::performance::{MachineDay, Service};
use crate::ids::{BranchId, DeviceId};
use sqlx::{PgConnection, query, query_as, query_scalar};
use time::{Date, OffsetDateTime};

/// Where and when days are.
pub struct Calendar {
    pub branch: BranchId,
    pub time_zone: String,
}

/// Machines of which days have to be summed up again.
pub async fn stale(db: &mut PgConnection) -> sqlx::Result<Vec<DeviceId>> {
    query_scalar!(r#"SELECT DISTINCT machine_id AS "id: DeviceId" FROM machine_days_stale"#)
        .fetch_all(db)
        .await
}

pub async fn calendar(db: &mut PgConnection, machine: DeviceId) -> sqlx::Result<Option<Calendar>> {
    query_as!(
        Calendar,
        r#"SELECT branch_id AS "branch: BranchId", time_zone
         FROM devices JOIN branches ON branches.id = branch_id
         WHERE devices.id = $1 AND kind = 'machine'"#,
        machine.0,
    )
    .fetch_optional(db)
    .await
}

/// Takes over what is stale of a machine: from which moment on. Two who do so wait for each other.
pub async fn take_stale(
    db: &mut PgConnection,
    machine: DeviceId,
) -> sqlx::Result<Option<OffsetDateTime>> {
    query!(
        "SELECT pg_advisory_xact_lock(hashtextextended('gymwire.machine_days' || $1::text, 0))",
        machine.to_string(),
    )
    .execute(&mut *db)
    .await?;
    query_scalar!(
        "WITH taken AS (
             DELETE FROM machine_days_stale WHERE machine_id = $1 RETURNING since
         ) SELECT min(since) FROM taken",
        machine.0,
    )
    .fetch_one(db)
    .await
}

/// Sums up the days of a machine from a moment on until now, by the calendar of its branch.
#[expect(clippy::too_many_lines, reason = "one statement")]
pub async fn sum_up(
    db: &mut PgConnection,
    machine: DeviceId,
    calendar: &Calendar,
    since: OffsetDateTime,
    now: OffsetDateTime,
) -> sqlx::Result<()> {
    query!(
        "WITH days AS (
             SELECT day::date AS day, day AT TIME ZONE $3 AS from_at,
                    LEAST((day + interval '1 day') AT TIME ZONE $3, $5) AS to_at
             FROM generate_series(date_trunc('day', $4::timestamptz AT TIME ZONE $3),
                                  date_trunc('day', $5::timestamptz AT TIME ZONE $3),
                                  interval '1 day') AS day
         )
         INSERT INTO machine_days AS known
             (machine_id, day, sessions, used_s, waits, wait_s, offline_s, out_of_order_s)
         SELECT $1, day, uses.sessions, uses.used_s, waits.count, waits.wait_s,
                spans.offline_s, spans.out_of_order_s
         FROM days
         CROSS JOIN LATERAL (
             SELECT count(*) FILTER (WHERE started_at >= from_at) AS sessions,
                    COALESCE(sum(extract(epoch FROM LEAST(COALESCE(ended_at, $5), to_at)
                                                    - GREATEST(started_at, from_at))), 0) AS used_s
             FROM links
             WHERE machine_id = $1 AND started_at < to_at AND COALESCE(ended_at, $5) > from_at
                 AND end_reason IS DISTINCT FROM 'rejected'
         ) AS uses
         CROSS JOIN LATERAL (
             SELECT count(*) AS count, COALESCE(sum(next.at_ms - entry.at_ms), 0) / 1000 AS wait_s
             FROM facts AS entry
             CROSS JOIN LATERAL (
                 SELECT at_ms, kind FROM facts
                 WHERE member_id = entry.member_id AND machine_id = $1
                     AND kind IN ('link', 'dequeue') AND is_dated AND at_ms >= entry.at_ms
                 ORDER BY at_ms LIMIT 1
             ) AS next
             WHERE entry.branch_id = $2 AND entry.machine_id = $1 AND entry.kind = 'enqueue'
                 AND entry.is_dated AND next.kind = 'link'
                 AND entry.at_ms >= extract(epoch FROM from_at) * 1000
                 AND entry.at_ms < extract(epoch FROM to_at) * 1000
         ) AS waits
         CROSS JOIN LATERAL (
             SELECT COALESCE(sum(took) FILTER (WHERE state = 'offline'), 0) AS offline_s,
                    COALESCE(sum(took) FILTER (WHERE state = 'out_of_order'), 0) AS out_of_order_s
             FROM (
                 SELECT state, extract(epoch FROM
                     LEAST(lead(at, 1, to_at) OVER (ORDER BY at, epoch, seq), to_at)
                     - GREATEST(at, from_at)) AS took
                 FROM device_statuses
                 WHERE device_id = $1 AND at < to_at AND at >= COALESCE(
                     (SELECT max(at) FROM device_statuses WHERE device_id = $1 AND at <= from_at),
                     from_at)
             ) AS statuses WHERE took > 0
         ) AS spans
         ON CONFLICT ON CONSTRAINT machine_days_pkey DO UPDATE
         SET sessions = excluded.sessions, used_s = excluded.used_s, waits = excluded.waits,
             wait_s = excluded.wait_s, offline_s = excluded.offline_s,
             out_of_order_s = excluded.out_of_order_s",
        machine.0,
        calendar.branch.0,
        calendar.time_zone,
        since,
        now,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Days on which something happened.
pub async fn days(
    db: &mut PgConnection,
    machine: DeviceId,
    from: Date,
    to: Date,
) -> sqlx::Result<Vec<MachineDay>> {
    query_as!(
        MachineDay,
        "SELECT day, sessions, used_s, waits, wait_s, offline_s, out_of_order_s FROM machine_days
         WHERE machine_id = $1 AND day BETWEEN $2 AND $3 ORDER BY day",
        machine.0,
        from,
        to,
    )
    .fetch_all(db)
    .await
}

/// How much a machine was used since its last service, or since it was registered.
pub async fn service(
    db: &mut PgConnection,
    machine: DeviceId,
    now: OffsetDateTime,
) -> sqlx::Result<Service> {
    let row = query!(
        r#"SELECT serviced_at, service_every_h, service_every_days,
                  extract(epoch FROM $2 - COALESCE(serviced_at, created_at))::bigint AS "age_s!",
                  (SELECT COALESCE(sum(extract(epoch FROM COALESCE(ended_at, $2)
                           - GREATEST(started_at, COALESCE(serviced_at, devices.created_at)))), 0)
                   FROM links
                   WHERE machine_id = devices.id AND end_reason IS DISTINCT FROM 'rejected'
                     AND COALESCE(ended_at, $2) > COALESCE(serviced_at, devices.created_at)
                  )::bigint AS "used_s!"
         FROM devices WHERE id = $1"#,
        machine.0,
        now,
    );
    let row = row.fetch_one(db).await?;
    let (used_h, days) = (row.used_s / 3_600, row.age_s / 86_400);
    let is_due = |every: Option<i32>, is: i64| every.is_some_and(|every| is >= i64::from(every));
    Ok(Service {
        last_at: row.serviced_at,
        used_h_since: used_h,
        days_since: days,
        is_due: is_due(row.service_every_h, used_h) || is_due(row.service_every_days, days),
    })
}
