//! What apps and the cloud want of a branch: a request until its edge has journaled it. If the edge is silent, it is
//! recorded here, and the edge confirms or refuses it when it is back.

use super::outcome::Stay;
use super::store::{self, NewFact};
use crate::app::App;
use crate::clock::Clock;
use crate::domains::edges::{Order, give_command};
use crate::ids::{BranchId, CommandId, DeviceId, MemberId, OrganizationId};
use protocol::ids::{LinkId, SessionId};
use protocol::rules::{Deed, Means};
use serde_json::{Map, Value, json};
use sqlx::{PgConnection, query, query_scalar};
use time::Duration;
use uuid::Uuid;

/// An edge that has not answered for so long is silent.
const SILENT: Duration = Duration::seconds(10);
/// A request is worth something for as long as a stay lasts.
const REQUEST_LIVES: Duration = Duration::hours(4);
/// The outcome between branches is told for as long as facts may be late.
const OUTCOME_LIVES: Duration = Duration::days(30);

/// What is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    CheckIn { member: MemberId },
    CheckOut { member: MemberId, session: Uuid },
    Link { member: MemberId, machine: DeviceId },
    Unlink { machine: DeviceId, link: Uuid },
    Enqueue { member: MemberId, machine: DeviceId },
    Dequeue { member: MemberId, machine: DeviceId },
}

/// Asks a branch for something. The command, and the id of the stay or link that it is about.
pub async fn ask_branch(
    db: &mut PgConnection,
    branch: BranchId,
    wanted: Wanted,
    clock: &Clock,
) -> anyhow::Result<(CommandId, Uuid)> {
    let id = Uuid::now_v7();
    let (command, args, id) = match wanted {
        Wanted::CheckIn { member } => ("check_in", json!({ "member": member, "id": id }), id),
        Wanted::CheckOut { member, session } => {
            ("check_out", json!({ "member": member, "id": session }), session)
        }
        Wanted::Link { member, machine } => {
            ("link", json!({ "member": member, "machine": machine, "id": id }), id)
        }
        Wanted::Unlink { machine, link } => {
            ("unlink", json!({ "machine": machine, "id": link }), link)
        }
        Wanted::Enqueue { member, machine } => {
            ("enqueue", json!({ "member": member, "machine": machine }), id)
        }
        Wanted::Dequeue { member, machine } => {
            ("dequeue", json!({ "member": member, "machine": machine }), id)
        }
    };
    let order = order(branch, command, args, REQUEST_LIVES);
    Ok((give_command(db, &order, clock).await?, id))
}

/// Tells a branch that a stay is over, because its member came in elsewhere, under all ids that it was known by: the branch
/// may have added one that is of a later stay. Once, unless it began anew or an id came late that the branch goes on with.
pub async fn end_stay(
    db: &mut PgConnection,
    session: SessionId,
    stay: &Stay,
    clock: &Clock,
) -> anyhow::Result<()> {
    let branch = BranchId::from(stay.branch);
    let is_told = query_scalar!(
        r#"SELECT EXISTS (SELECT FROM commands WHERE branch_id = $1 AND command = 'check_out'
             AND args @> jsonb_build_object('id', $2::text, 'by', 'cloud', 'since_ms', $3::bigint,
                                            'ids', $4::jsonb))
           AS "told!""#,
        branch.0,
        session.to_string(),
        stay.since_ms,
        json!(stay.claims),
    );
    if is_told.fetch_one(&mut *db).await? {
        return Ok(());
    }
    let args = json!({
        "member": stay.member, "id": session, "ids": stay.claims, "by": "cloud",
        "since_ms": stay.since_ms,
    });
    give_command(db, &order(branch, "check_out", args, OUTCOME_LIVES), clock).await?;
    Ok(())
}

fn order(branch: BranchId, command: &str, args: Value, ttl: Duration) -> Order {
    let args = if let Value::Object(args) = args { args } else { Map::new() };
    Order { branch, target: None, command: command.to_owned(), args, ttl }
}

/// Records requests that a silent edge did not answer, and takes back those that it refused later. The organizations
/// in which there is something to fold.
pub async fn record_unanswered(app: &App) -> anyhow::Result<Vec<OrganizationId>> {
    let now = app.clock.now();
    let mut tx = app.db.begin().await?;
    let asked = query!(
        r#"UPDATE commands SET recorded = CASE WHEN outcome IS NULL THEN 'begun' ELSE 'over' END
         WHERE id IN (
             SELECT id FROM commands
             WHERE target_kind IS NULL AND command IN ('check_in', 'check_out', 'link', 'unlink', 'out_of_order')
               AND NOT args ? 'by'
               AND ((recorded IS NULL AND outcome IS NULL AND created_at <= $1)
                 OR (recorded = 'begun' AND outcome IS NOT NULL))
             FOR UPDATE SKIP LOCKED)
         RETURNING branch_id AS "branch_id: BranchId", command, args, created_at, outcome"#,
        now - SILENT,
    );
    let asked = asked.fetch_all(&mut *tx).await?;
    let mut branches = Vec::new();
    for row in asked {
        let is_back = row.outcome.is_some();
        let is_confirmed = row.outcome.as_deref() == Some("done");
        let Some(deed) = deed(&row.command, &row.args, is_back).filter(|_| !is_confirmed) else {
            continue;
        };
        let seq = store::next_number(&mut tx).await?;
        let at = if is_back { now } else { row.created_at };
        let at_ms = i64::try_from(at.unix_timestamp_nanos() / 1_000_000)?;
        let fact = NewFact::provisional(row.branch_id, seq, at_ms, now, deed)?;
        store::insert_facts(&mut tx, &[fact]).await?;
        branches.push(row.branch_id.0);
    }
    let organizations = query_scalar!(
        r#"SELECT DISTINCT organization_id AS "id: OrganizationId" FROM branches
         WHERE id = ANY($1)"#,
        &branches,
    );
    let organizations = organizations.fetch_all(&mut *tx).await?;
    tx.commit().await?;
    Ok(organizations)
}

/// What a request means; or, once it was refused, that it never was. An end that was refused is not taken back: what
/// it ended had ended.
fn deed(command: &str, args: &Value, is_refused: bool) -> Option<Deed> {
    let id = |key: &str| args.get(key)?.as_str()?.parse::<Uuid>().ok();
    let by = if is_refused { Means::Rejected } else { Means::App };
    let member = || id("member").map(protocol::ids::MemberId);
    let machine = || id("machine").map(protocol::ids::DeviceId);
    if command == "out_of_order" {
        let is_out = args.get("is_out")?.as_bool().filter(|_| !is_refused)?;
        return Some(Deed::OutOfOrder { machine: machine()?, is_out });
    }
    let (session, link) = (SessionId(id("id")?), LinkId(id("id")?));
    match (command, is_refused) {
        ("check_in", false) => Some(Deed::CheckIn { session, member: member()?, by }),
        ("check_in", true) | ("check_out", false) => {
            Some(Deed::CheckOut { session, member: member()?, by })
        }
        ("link", false) => Some(Deed::Link { link, member: member()?, machine: machine()?, by }),
        ("link", true) | ("unlink", false) => Some(Deed::Unlink { link, machine: machine()?, by }),
        _ => None,
    }
}

/// A branch that was enrolled again has an empty floor: it is told who is inside and who has which machine.
pub async fn tell_new_edge(
    db: &mut PgConnection,
    branch: BranchId,
    clock: &Clock,
) -> anyhow::Result<()> {
    let ms = |at: time::OffsetDateTime| at.unix_timestamp_nanos() / 1_000_000;
    let sessions: Vec<_> = super::open_sessions(db, branch)
        .await?
        .into_iter()
        .map(|stay| json!([stay.id, stay.member_id, i64::try_from(ms(stay.started_at)).ok()]))
        .collect();
    let links: Vec<_> = super::open_links(db, branch)
        .await?
        .into_iter()
        .map(|link| {
            json!([
                link.id,
                link.member_id,
                link.machine_id,
                i64::try_from(ms(link.started_at)).ok()
            ])
        })
        .collect();
    if sessions.is_empty() {
        return Ok(());
    }
    query!(
        "UPDATE commands SET outcome = 'expired', finished_at = $2, is_assumed = true
         WHERE branch_id = $1 AND command = 'adopt' AND outcome IS NULL",
        branch.0,
        clock.now(),
    )
    .execute(&mut *db)
    .await?;
    let args = json!({ "sessions": sessions, "links": links });
    give_command(db, &order(branch, "adopt", args, REQUEST_LIVES), clock).await?;
    Ok(())
}
