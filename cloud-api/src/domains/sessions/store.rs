//! SQL of facts and of the states they were folded to.

use super::facts::parties;
use crate::domains::activity::Origin;
use crate::domains::branches;
use crate::ids::{BranchId, EdgeId, OrganizationId};
use protocol::ids::MemberId;
use protocol::rules::{Deed, Fact, FactKey, Origin as Numbered, Rules, State};
use protocol::sync::staff::{Act, StaffAct};
use sqlx::{PgConnection, query, query_as, query_scalar};
use std::collections::BTreeSet;
use uuid::Uuid;

/// A fact to be kept.
pub struct NewFact {
    pub edge: Uuid,
    pub epoch: i64,
    pub seq: i64,
    pub part: i16,
    pub branch: BranchId,
    pub boot: i64,
    pub mono_ms: i64,
    pub at_ms: i64,
    pub is_dated: bool,
    pub received_at: time::OffsetDateTime,
    pub deed: Deed,
    content: Vec<u8>,
}

/// An act of staff to be kept.
pub struct NewAct {
    pub staff: Option<Uuid>,
    pub name: String,
    pub act: serde_json::Value,
    /// Of what the cloud has to take over.
    pub content: Option<Vec<u8>>,
    pub reason: Option<String>,
}

impl NewFact {
    pub fn of(origin: Origin, boot: u64, part: i16, deed: &Deed) -> anyhow::Result<Self> {
        let delivery = origin.delivery;
        Ok(Self {
            edge: delivery.edge.0,
            epoch: delivery.epoch.cast_signed(),
            seq: origin.seq,
            part,
            branch: delivery.branch,
            boot: boot.cast_signed(),
            mono_ms: origin.mono_ms.cast_signed(),
            at_ms: origin.at_ms,
            is_dated: origin.is_dated,
            received_at: delivery.received_at,
            content: postcard::to_allocvec(deed)?,
            deed: deed.clone(),
        })
    }

    /// What the cloud records for a branch that does not answer.
    pub fn provisional(
        branch: BranchId,
        seq: i64,
        at_ms: i64,
        received_at: time::OffsetDateTime,
        deed: Deed,
    ) -> anyhow::Result<Self> {
        let content = postcard::to_allocvec(&deed)?;
        let (edge, epoch, boot, mono_ms) = (Uuid::nil(), 0, 0, 0);
        let (part, is_dated) = (0, true);
        let fact = Self {
            edge,
            epoch,
            seq,
            part,
            branch,
            boot,
            mono_ms,
            at_ms,
            is_dated,
            received_at,
            deed,
            content,
        };
        Ok(fact)
    }
}

impl NewAct {
    pub fn of(act: &StaffAct) -> anyhow::Result<Self> {
        let needs_cloud = matches!(
            act.act,
            Act::EnrolCard { .. } | Act::BlockMember { .. } | Act::UnblockMember { .. }
        );
        let mut shown = serde_json::to_value(&act.act)?;
        if let Some(card) = shown.get_mut("EnrolCard").and_then(|card| card.as_object_mut()) {
            card.remove("kind");
        }
        let clean = |text: &str| text.replace('\0', "\u{fffd}");
        Ok(Self {
            staff: act.staff.map(|staff| staff.0),
            name: clean(&act.name),
            act: shown,
            content: needs_cloud.then(|| postcard::to_allocvec(&act.act)).transpose()?,
            reason: act.reason.as_deref().map(clean),
        })
    }
}

/// A fact that is there already stays as it is.
pub async fn insert_facts(db: &mut PgConnection, facts: &[NewFact]) -> sqlx::Result<()> {
    for facts in facts.chunks(AT_ONCE) {
        insert_some_facts(db, facts).await?;
    }
    Ok(())
}

/// Rows per statement.
pub(super) const AT_ONCE: usize = 5_000;

async fn insert_some_facts(db: &mut PgConnection, facts: &[NewFact]) -> sqlx::Result<()> {
    let each = facts.iter();
    let parties: Vec<_> = each.clone().map(|fact| parties(&fact.deed)).collect();
    query!(
        "INSERT INTO facts
           (edge_id, epoch, seq, part, branch_id, boot, mono_ms, at_ms, is_dated, received_at,
            kind, member_id, machine_id, deed)
         SELECT * FROM UNNEST($1::uuid[], $2::bigint[], $3::bigint[], $4::smallint[], $5::uuid[],
            $6::bigint[], $7::bigint[], $8::bigint[], $9::boolean[], $10::timestamptz[],
            $11::text[], $12::uuid[], $13::uuid[], $14::bytea[])
         ON CONFLICT ON CONSTRAINT facts_pkey DO NOTHING",
        &each.clone().map(|fact| fact.edge).collect::<Vec<_>>(),
        &each.clone().map(|fact| fact.epoch).collect::<Vec<_>>(),
        &each.clone().map(|fact| fact.seq).collect::<Vec<_>>(),
        &each.clone().map(|fact| fact.part).collect::<Vec<_>>(),
        &each.clone().map(|fact| fact.branch.0).collect::<Vec<_>>(),
        &each.clone().map(|fact| fact.boot).collect::<Vec<_>>(),
        &each.clone().map(|fact| fact.mono_ms).collect::<Vec<_>>(),
        &each.clone().map(|fact| fact.at_ms).collect::<Vec<_>>(),
        &each.clone().map(|fact| fact.is_dated).collect::<Vec<_>>(),
        &each.clone().map(|fact| fact.received_at).collect::<Vec<_>>(),
        &parties.iter().map(|(kind, _, _)| (*kind).to_owned()).collect::<Vec<_>>(),
        &parties.iter().map(|(_, member, _)| member.map(|id| id.0)).collect::<Vec<_>>()
            as &[Option<Uuid>],
        &parties.iter().map(|(_, _, machine)| machine.map(|id| id.0)).collect::<Vec<_>>()
            as &[Option<Uuid>],
        &each.map(|fact| fact.content.clone()).collect::<Vec<_>>(),
    )
    .execute(db)
    .await?;
    Ok(())
}

pub async fn insert_act(db: &mut PgConnection, origin: &Origin, act: &NewAct) -> sqlx::Result<()> {
    let delivery = origin.delivery;
    query!(
        "INSERT INTO staff_acts
           (edge_id, epoch, seq, branch_id, at, received_at, staff_id, name, act, content, reason)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
         ON CONFLICT ON CONSTRAINT staff_acts_pkey DO NOTHING",
        delivery.edge.0,
        delivery.epoch.cast_signed(),
        origin.seq,
        delivery.branch.0,
        crate::clock::at_ms(origin.at_ms),
        delivery.received_at,
        act.staff,
        act.name,
        act.act,
        act.content.as_deref(),
        act.reason.as_deref(),
    )
    .execute(db)
    .await?;
    Ok(())
}

pub async fn redate(
    db: &mut PgConnection,
    edge: EdgeId,
    boot: u64,
    offset_ms: i64,
) -> sqlx::Result<()> {
    query!(
        "UPDATE facts SET is_dated = true, at_ms = mono_ms + $3
         WHERE edge_id = $1 AND boot = $2 AND NOT is_dated",
        edge.0,
        boot.cast_signed(),
        offset_ms
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Of a fact that the cloud notes.
pub async fn next_number(db: &mut PgConnection) -> sqlx::Result<i64> {
    query_scalar!(r#"SELECT nextval('cloud_facts_seq') AS "seq!""#).fetch_one(db).await
}

/// Until the end of the transaction nobody else folds facts of the organization.
pub async fn lock(db: &mut PgConnection, organization: OrganizationId) -> sqlx::Result<()> {
    query!(
        "SELECT pg_advisory_xact_lock(hashtextextended('gymwire.sessions' || $1::text, 0))",
        organization.to_string(),
    )
    .execute(db)
    .await?;
    Ok(())
}

/// A row of `facts`.
struct Kept {
    edge_id: Uuid,
    epoch: i64,
    seq: i64,
    part: i16,
    branch_id: Uuid,
    at_ms: i64,
    deed: Vec<u8>,
}

impl Kept {
    /// One entry can mean two deeds; in their order they have numbers of their own.
    fn fact(self) -> anyhow::Result<Fact> {
        let origin = Numbered { id: self.edge_id, epoch: self.epoch.cast_unsigned() };
        let seq = self.seq.unsigned_abs() * PARTS + u64::from(self.part.unsigned_abs());
        Ok(Fact {
            key: FactKey { at_ms: self.at_ms, origin, seq },
            branch: protocol::ids::BranchId(self.branch_id),
            deed: postcard::from_bytes(&self.deed)?,
        })
    }
}

const PARTS: u64 = 4;

fn in_order(rows: Vec<Kept>) -> anyhow::Result<Vec<Fact>> {
    let mut facts = rows.into_iter().map(Kept::fact).collect::<anyhow::Result<Vec<_>>>()?;
    facts.sort_by_key(|fact| fact.key);
    Ok(facts)
}

/// Facts that are not folded, in order. One whose time nobody knows yet waits until it is dated.
pub async fn new_facts(
    db: &mut PgConnection,
    organization: OrganizationId,
    limit: i64,
) -> anyhow::Result<Vec<Fact>> {
    let rows = query_as!(
        Kept,
        "SELECT edge_id, epoch, seq, part, branch_id, at_ms, deed FROM facts
         WHERE NOT is_folded AND is_dated AND branch_id IN (SELECT id FROM branches WHERE organization_id = $1)
         ORDER BY at_ms, edge_id, epoch, seq, part LIMIT $2",
        organization.0,
        limit,
    );
    in_order(rows.fetch_all(db).await?)
}

pub async fn facts_since(
    db: &mut PgConnection,
    branches: &BTreeSet<BranchId>,
    from_ms: i64,
) -> anyhow::Result<Vec<Fact>> {
    let rows = query_as!(
        Kept,
        "SELECT edge_id, epoch, seq, part, branch_id, at_ms, deed FROM facts
         WHERE branch_id = ANY($1) AND at_ms >= $2 AND is_dated",
        &ids(branches),
        from_ms,
    );
    in_order(rows.fetch_all(db).await?)
}

/// What machines were like at a moment: the last word of each kind about each.
pub async fn conditions(
    db: &mut PgConnection,
    branches: &BTreeSet<BranchId>,
    before_ms: i64,
) -> anyhow::Result<Vec<Fact>> {
    let rows = query_as!(
        Kept,
        "SELECT DISTINCT ON (machine_id, kind) edge_id, epoch, seq, part, branch_id, at_ms, deed
         FROM facts
         WHERE branch_id = ANY($1) AND at_ms < $2 AND is_dated AND kind IN ('use', 'out_of_order', 'faulty')
         ORDER BY machine_id, kind, at_ms DESC, edge_id DESC, epoch DESC, seq DESC, part DESC",
        &ids(branches),
        before_ms,
    );
    in_order(rows.fetch_all(db).await?)
}

pub async fn folded(db: &mut PgConnection, facts: &[Fact]) -> sqlx::Result<()> {
    let each = facts.iter().map(|fact| fact.key);
    query!(
        "UPDATE facts SET is_folded = true
         FROM UNNEST($1::uuid[], $2::bigint[], $3::bigint[], $4::smallint[])
              AS key (edge_id, epoch, seq, part)
         WHERE facts.edge_id = key.edge_id AND facts.epoch = key.epoch
           AND facts.seq = key.seq AND facts.part = key.part AND NOT is_folded",
        &each.clone().map(|key| key.origin.id).collect::<Vec<_>>(),
        &each.clone().map(|key| key.origin.epoch.cast_signed()).collect::<Vec<_>>(),
        &each.clone().map(|key| (key.seq / PARTS).cast_signed()).collect::<Vec<_>>(),
        &each.map(|key| i16::try_from(key.seq % PARTS).unwrap_or(0)).collect::<Vec<_>>(),
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Branches in which something falls due by a moment.
pub async fn due(
    db: &mut PgConnection,
    organization: OrganizationId,
    until_ms: i64,
) -> sqlx::Result<Vec<BranchId>> {
    query_scalar!(
        r#"SELECT branch_id AS "id: BranchId" FROM floor_states JOIN branches ON id = branch_id
         WHERE organization_id = $1 AND wake_at_ms <= $2"#,
        organization.0,
        until_ms,
    )
    .fetch_all(db)
    .await
}

/// Organizations in which there is something to do.
pub async fn unsettled(db: &mut PgConnection, now_ms: i64) -> sqlx::Result<Vec<OrganizationId>> {
    query_scalar!(
        r#"SELECT DISTINCT organization_id AS "id: OrganizationId" FROM branches
         WHERE EXISTS (SELECT FROM floor_states WHERE branch_id = id AND wake_at_ms <= $1)
            OR EXISTS (SELECT FROM facts WHERE branch_id = id AND NOT is_folded AND is_dated)
            OR EXISTS (SELECT FROM staff_acts WHERE branch_id = id AND content IS NOT NULL)"#,
        now_ms,
    )
    .fetch_all(db)
    .await
}

/// Branches in which members of these facts are now.
pub async fn also_concerned(db: &mut PgConnection, facts: &[Fact]) -> sqlx::Result<Vec<BranchId>> {
    let members: BTreeSet<Uuid> = facts.iter().filter_map(member_of).map(|id| id.0).collect();
    query_scalar!(
        r#"SELECT DISTINCT branch_id AS "id: BranchId" FROM gym_sessions
         WHERE ended_at IS NULL AND member_id = ANY($1)"#,
        &members.into_iter().collect::<Vec<_>>(),
    )
    .fetch_all(db)
    .await
}

fn member_of(fact: &Fact) -> Option<MemberId> {
    parties(&fact.deed).1
}

/// These branches, and those that share members with them since a moment, and so on.
pub async fn sharing_members(
    db: &mut PgConnection,
    branches: &BTreeSet<BranchId>,
    from_ms: i64,
) -> sqlx::Result<BTreeSet<BranchId>> {
    let found = query_scalar!(
        r#"WITH RECURSIVE concerned (branch_id) AS (
             SELECT UNNEST($1::uuid[])
             UNION
             SELECT theirs.branch_id FROM concerned
             JOIN facts AS ours ON ours.branch_id = concerned.branch_id
              AND ours.at_ms >= $2 AND ours.member_id IS NOT NULL
             JOIN facts AS theirs ON theirs.member_id = ours.member_id AND theirs.at_ms >= $2
         ) SELECT branch_id AS "id!: BranchId" FROM concerned"#,
        &ids(branches),
        from_ms,
    );
    Ok(found.fetch_all(db).await?.into_iter().collect())
}

/// What staff have set in the branches of an organization.
pub async fn rules(db: &mut PgConnection, organization: OrganizationId) -> sqlx::Result<Rules> {
    let zones = query!(
        r#"SELECT id AS "id: BranchId", time_zone FROM branches WHERE organization_id = $1"#,
        organization.0
    );
    let mut rules = Rules::default();
    for branch in zones.fetch_all(&mut *db).await? {
        let settings = branches::in_force(db, branch.id, &branch.time_zone).await?;
        rules.set(branch.id.into(), settings);
    }
    Ok(rules)
}

type Rows = Vec<(u8, [u8; 16], Vec<u8>)>;

/// The state of some branches.
pub async fn state(db: &mut PgConnection, branches: &BTreeSet<BranchId>) -> anyhow::Result<State> {
    let kept =
        query!("SELECT now_ms, rows FROM floor_states WHERE branch_id = ANY($1)", &ids(branches));
    let mut state = State::default();
    let mut now_ms = i64::MIN;
    for kept in kept.fetch_all(db).await? {
        let rows: Rows = postcard::from_bytes(&kept.rows)?;
        for (kind, id, value) in rows {
            state.take_row(kind, id, &value)?;
        }
        now_ms = now_ms.max(kept.now_ms);
    }
    state.resume(now_ms);
    Ok(state)
}

/// Keeps the state of some branches.
pub async fn keep(
    db: &mut PgConnection,
    rules: &Rules,
    branches: &BTreeSet<BranchId>,
    state: &State,
) -> anyhow::Result<()> {
    for branch in branches {
        let part = state.of_branch((*branch).into());
        let rows: Rows = part
            .rows_since(&State::default())
            .into_iter()
            .map(|row| (row.kind, row.id, row.value))
            .collect();
        query!(
            "INSERT INTO floor_states (branch_id, now_ms, wake_at_ms, rows) VALUES ($1, $2, $3, $4)
             ON CONFLICT ON CONSTRAINT floor_states_pkey
             DO UPDATE SET now_ms = excluded.now_ms, wake_at_ms = excluded.wake_at_ms,
                           rows = excluded.rows",
            branch.0,
            state.now_ms(),
            part.wake_at_ms(rules),
            postcard::to_allocvec(&rows)?,
        )
        .execute(&mut *db)
        .await?;
    }
    Ok(())
}

pub(super) fn ids(branches: &BTreeSet<BranchId>) -> Vec<Uuid> {
    branches.iter().map(|branch| branch.0).collect()
}
