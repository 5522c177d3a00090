//! SQL of the domain.

use crate::events::log::{MachineLinked, MachineStatus, QueueOffer, SessionStarted};
use crate::ids::{BranchId, DeviceId, MemberId, UserId};
use sqlx::{PgConnection, query, query_as, query_scalar};
use time::OffsetDateTime;
use uuid::Uuid;

/// Which transactions are known to the one that asks.
pub async fn transactions(db: &mut PgConnection) -> sqlx::Result<String> {
    query_scalar!(r#"SELECT pg_current_snapshot()::text AS "known!""#).fetch_one(db).await
}

/// What a device said of itself.
#[derive(Debug, Clone)]
pub struct Said {
    pub device: DeviceId,
    pub state: &'static str,
    pub error: Option<String>,
}

/// Notes what devices of a branch said in a state of its edge; gives the machines of which it is news. An older state
/// of the same start of the edge says nothing.
pub async fn note_said(
    db: &mut PgConnection,
    branch: BranchId,
    (boot, n): (u64, u64),
    said: &[Said],
) -> sqlx::Result<Vec<DeviceId>> {
    let devices: Vec<Uuid> = said.iter().map(|one| one.device.0).collect();
    let states: Vec<String> = said.iter().map(|one| one.state.to_owned()).collect();
    let errors: Vec<_> = said.iter().map(|one| one.error.clone()).collect();
    query_scalar!(
        r#"INSERT INTO machine_states AS known (machine_id, boot, n, state, error)
           SELECT said.id, $2, $3, said.state, said.error
           FROM UNNEST($4::uuid[], $5::text[], $6::text[]) AS said (id, state, error)
           JOIN devices ON devices.id = said.id AND devices.branch_id = $1
                           AND kind = 'machine' AND removed_at IS NULL
           ORDER BY said.id
           ON CONFLICT ON CONSTRAINT machine_states_pkey
           DO UPDATE SET boot = $2, n = $3, state = excluded.state, error = excluded.error
           WHERE (known.boot IS DISTINCT FROM $2 OR known.n < $3)
             AND (known.state IS DISTINCT FROM excluded.state
                  OR known.error IS DISTINCT FROM excluded.error)
           RETURNING machine_id AS "id: DeviceId""#,
        branch.0,
        boot.cast_signed(),
        n.cast_signed(),
        &devices,
        &states,
        &errors as &[Option<String>],
    )
    .fetch_all(db)
    .await
}

/// Holds machines, so that two transactions do not tell of each with half of the truth.
pub async fn hold_machines(db: &mut PgConnection, machines: &[DeviceId]) -> sqlx::Result<()> {
    let ids: Vec<Uuid> = machines.iter().map(|id| id.0).collect();
    query!(
        "INSERT INTO machine_states (machine_id)
         SELECT devices.id FROM devices
         WHERE devices.id = ANY($1) AND kind = 'machine' AND removed_at IS NULL ORDER BY devices.id
         ON CONFLICT ON CONSTRAINT machine_states_pkey DO NOTHING",
        &ids,
    )
    .execute(&mut *db)
    .await?;
    query!(
        "SELECT machine_id FROM machine_states WHERE machine_id = ANY($1)
         ORDER BY machine_id FOR UPDATE",
        &ids,
    )
    .fetch_all(db)
    .await?;
    Ok(())
}

/// How machines stand.
pub async fn machines(
    db: &mut PgConnection,
    machines: &[DeviceId],
) -> sqlx::Result<Vec<MachineStatus>> {
    let ids: Vec<Uuid> = machines.iter().map(|id| id.0).collect();
    machines_where(db, None, Some(&ids)).await
}

/// The same for all of a branch.
pub async fn machines_of(
    db: &mut PgConnection,
    branch: BranchId,
) -> sqlx::Result<Vec<MachineStatus>> {
    machines_where(db, Some(branch), None).await
}

async fn machines_where(
    db: &mut PgConnection,
    branch: Option<BranchId>,
    ids: Option<&[Uuid]>,
) -> sqlx::Result<Vec<MachineStatus>> {
    query_as!(
        MachineStatus,
        r#"SELECT devices.id AS "machine_id: DeviceId", devices.branch_id AS "branch_id: BranchId",
                  state AS "state?", error AS "error?",
                  EXISTS (SELECT FROM links WHERE links.machine_id = devices.id
                          AND ended_at IS NULL) AS "is_lent!",
                  (SELECT count(*) FROM queue_entries
                   WHERE queue_entries.machine_id = devices.id AND place > 0) AS "waiting!"
           FROM devices LEFT JOIN machine_states ON machine_states.machine_id = devices.id
           WHERE kind = 'machine' AND removed_at IS NULL
             AND ($1::uuid IS NULL OR devices.branch_id = $1)
             AND ($2::uuid[] IS NULL OR devices.id = ANY($2))
           ORDER BY devices.id"#,
        branch.map(|branch| branch.0),
        ids as Option<&[Uuid]>,
    )
    .fetch_all(db)
    .await
}

/// Who is inside a branch.
pub async fn sessions_at(
    db: &mut PgConnection,
    branch: BranchId,
) -> sqlx::Result<Vec<SessionStarted>> {
    query_as!(
        SessionStarted,
        r#"SELECT id AS session_id, branch_id AS "branch_id: BranchId",
                  member_id AS "member_id: MemberId", started_at
           FROM gym_sessions WHERE branch_id = $1 AND ended_at IS NULL ORDER BY started_at, id"#,
        branch.0,
    )
    .fetch_all(db)
    .await
}

/// The open stay of a user.
pub async fn session_of(
    db: &mut PgConnection,
    user: UserId,
) -> sqlx::Result<Option<SessionStarted>> {
    query_as!(
        SessionStarted,
        r#"SELECT stays.id AS session_id, branch_id AS "branch_id: BranchId",
                  member_id AS "member_id: MemberId", started_at
           FROM gym_sessions AS stays JOIN members ON members.id = member_id
           WHERE user_id = $1 AND ended_at IS NULL"#,
        user.0,
    )
    .fetch_optional(db)
    .await
}

/// The machine that a user has.
pub async fn link_of(db: &mut PgConnection, user: UserId) -> sqlx::Result<Option<MachineLinked>> {
    query_as!(
        MachineLinked,
        r#"SELECT links.id AS link_id, machine_id AS "machine_id: DeviceId",
                  branch_id AS "branch_id: BranchId", member_id AS "member_id: MemberId", started_at
           FROM links JOIN members ON members.id = member_id
           WHERE user_id = $1 AND ended_at IS NULL"#,
        user.0,
    )
    .fetch_optional(db)
    .await
}

/// Machines that are kept for a user.
pub async fn offers_to(db: &mut PgConnection, user: UserId) -> sqlx::Result<Vec<QueueOffer>> {
    query_as!(
        QueueOffer,
        r#"SELECT machine_id AS "machine_id: DeviceId", branch_id AS "branch_id: BranchId",
                  offered_until AS "offered_until!"
           FROM queue_entries JOIN members ON members.id = member_id
           WHERE user_id = $1 AND place = 0 AND offered_until IS NOT NULL"#,
        user.0,
    )
    .fetch_all(db)
    .await
}

/// Says that an instance is there, and forgets those that have gone.
pub async fn note_instance(
    db: &mut PgConnection,
    instance: Uuid,
    now: OffsetDateTime,
    gone: OffsetDateTime,
) -> sqlx::Result<()> {
    query!("DELETE FROM online_instances WHERE seen_at < $1", gone).execute(&mut *db).await?;
    query!(
        "INSERT INTO online_instances (instance, seen_at) VALUES ($1, $2)
         ON CONFLICT ON CONSTRAINT online_instances_pkey DO UPDATE SET seen_at = $2",
        instance,
        now,
    )
    .execute(db)
    .await?;
    Ok(())
}

pub async fn forget_instance(db: &mut PgConnection, instance: Uuid) -> sqlx::Result<()> {
    query!("DELETE FROM online_instances WHERE instance = $1", instance).execute(db).await?;
    Ok(())
}

/// Makes an instance's users those who are there now.
pub async fn note_online(
    db: &mut PgConnection,
    instance: Uuid,
    come: &[UserId],
    gone: &[UserId],
) -> sqlx::Result<()> {
    let ids = |users: &[UserId]| users.iter().map(|user| user.0).collect::<Vec<_>>();
    query!(
        "DELETE FROM online_users WHERE instance = $1 AND user_id = ANY($2)",
        instance,
        &ids(gone),
    )
    .execute(&mut *db)
    .await?;
    query!(
        "INSERT INTO online_users (instance, user_id)
         SELECT $1, users.id FROM users WHERE users.id = ANY($2)
         ON CONFLICT ON CONSTRAINT online_users_pkey DO NOTHING",
        instance,
        &ids(come),
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Branches where some users train.
pub async fn branches_of(db: &mut PgConnection, users: &[UserId]) -> sqlx::Result<Vec<BranchId>> {
    let ids: Vec<Uuid> = users.iter().map(|user| user.0).collect();
    query_scalar!(
        r#"SELECT DISTINCT branches.id FROM members
           JOIN branches ON branches.organization_id = members.organization_id
           WHERE user_id = ANY($1) AND removed_at IS NULL
             AND counts_at(members.id, ARRAY[branches.id])"#,
        &ids,
    )
    .fetch_all(db)
    .await
}

/// Members with a right at a branch who listen, by way of any instance that was seen since.
pub async fn online_at(
    db: &mut PgConnection,
    branch: BranchId,
    since: OffsetDateTime,
) -> sqlx::Result<Vec<MemberId>> {
    query_scalar!(
        r#"SELECT DISTINCT members.id FROM branches
           JOIN members ON members.organization_id = branches.organization_id
           JOIN online_users ON online_users.user_id = members.user_id
           JOIN online_instances ON online_instances.instance = online_users.instance
           WHERE branches.id = $1 AND removed_at IS NULL AND seen_at >= $2
             AND counts_at(members.id, ARRAY[branches.id])
           ORDER BY members.id"#,
        branch.0,
        since,
    )
    .fetch_all(db)
    .await
}

/// Which machine each of some users has.
pub async fn links_of(
    db: &mut PgConnection,
    users: &[UserId],
) -> sqlx::Result<Vec<(UserId, MachineLinked)>> {
    let ids: Vec<Uuid> = users.iter().map(|user| user.0).collect();
    let rows = query!(
        r#"SELECT user_id AS "user_id!: UserId", links.id, machine_id AS "machine_id: DeviceId",
                  branch_id AS "branch_id: BranchId", member_id AS "member_id: MemberId", started_at
           FROM links JOIN members ON members.id = member_id
           WHERE user_id = ANY($1) AND ended_at IS NULL"#,
        &ids,
    )
    .fetch_all(db)
    .await?;
    let links = rows.into_iter().map(|row| {
        let link = MachineLinked {
            link_id: row.id,
            machine_id: row.machine_id,
            branch_id: row.branch_id,
            member_id: row.member_id,
            started_at: row.started_at,
        };
        (row.user_id, link)
    });
    Ok(links.collect())
}
