//! Stays, links and queues, folded from what two branches and the cloud recorded.

use crate::edge::{Edge, events};
use crate::gym::Gym;
use anyhow::Result;
use cloud_api::domains::devices::MachineType;
use cloud_api::domains::sessions::{self, Pass, Wanted};
use cloud_api::ids::{DeviceId, MemberId};
use cloud_api::jobs::{Job as _, run_due_jobs};
use protocol::ids::{LinkId, SessionId, SetId};
use protocol::rules::{Deed, Means};
use protocol::sync::commands::Commands;
use protocol::sync::entry::{
    Body, DeviceState, DeviceStatus, Event, FinishedSet, Maintenance, Severity, Source,
};
use protocol::time::Stamp;
use sqlx::Row as _;
use tests::api::Api;
use time::Duration;
use uuid::Uuid;

const ADA: MemberId = MemberId(Uuid::from_u128(0xA1));
const BEN: MemberId = MemberId(Uuid::from_u128(0xA2));
/// So long before now things begin to happen in these tests.
const AGO_MS: i64 = 600_000;

/// Two branches with an edge each, and a machine in the first.
struct World {
    api: Api,
    gym: Gym,
    north: Edge,
    south: Edge,
    rower: DeviceId,
    base_ms: i64,
}

impl World {
    async fn open() -> Result<Self> {
        let api = Api::new().await?;
        let gym = Gym::open(&api, "Scene").await?;
        let rower = gym.machine(&api, &gym.branch, "rower", MachineType::Strength).await?;
        let north = Edge::enrol(&api, gym.branch.id).await?;
        let south = Edge::enrol(&api, gym.other.id).await?;
        let base_ms = api.app.clock.now_ms() - AGO_MS;
        Ok(Self { api, gym, north, south, rower, base_ms })
    }

    fn at(&self, ms: i64, source: Source, body: Body) -> Event {
        let mono_ms = (1_000_000_000 + ms).unsigned_abs();
        let stamp = Stamp { boot: 1, mono_ms, wall_ms: self.base_ms + ms, synced: true };
        Event { stamp, source, body }
    }

    fn deed(&self, ms: i64, deed: Deed) -> Event {
        self.at(ms, Source::Edge, Body::Deed(deed))
    }

    fn link(&self, ms: i64, id: u128, member: MemberId) -> Event {
        let (link, machine) = (LinkId(Uuid::from_u128(id)), self.rower.into());
        self.deed(ms, Deed::Link { link, member: member.into(), machine, by: Means::Tap })
    }

    fn says(&self, ms: i64, state: DeviceState) -> Event {
        let status = DeviceStatus { state, firmware: None, uptime_ms: None, error: None };
        self.at(ms, Source::Device(self.rower.into()), Body::Status(status))
    }

    fn set(&self, ms: i64, seq: u64, id: Option<u128>) -> Event {
        let mono_ms = (1_000_000_000 + ms).unsigned_abs();
        let set = FinishedSet {
            seq,
            boot: Some(1),
            set_id: id.map(|id| SetId(Uuid::from_u128(id))),
            exercise: None,
            reps: 10,
            weight_cg: None,
            duration_ms: None,
            rom_mm: None,
            at_ms: None,
            mono_ms,
        };
        self.at(ms, Source::Device(self.rower.into()), Body::Set(set))
    }

    async fn send(&self, edge: &Edge, first_seq: u64, list: Vec<Event>) -> Result<()> {
        let answer = edge.send(&self.api, &events(1, first_seq, list)).await?;
        anyhow::ensure!(answer.status == 200, "{answer:?}");
        Ok(())
    }

    /// Stays as (id, begin, end, why), by begin; ids that nobody chose are 0.
    async fn stays(&self) -> Result<Vec<(u128, i64, Option<i64>, String)>> {
        self.spans(
            "SELECT id, started_at, ended_at, COALESCE(end_reason, '') AS why FROM gym_sessions",
        )
        .await
    }

    async fn links(&self) -> Result<Vec<(u128, i64, Option<i64>, String)>> {
        self.spans("SELECT id, started_at, ended_at, COALESCE(end_reason, '') AS why FROM links")
            .await
    }

    async fn spans(&self, sql: &'static str) -> Result<Vec<(u128, i64, Option<i64>, String)>> {
        let ms = |at: time::OffsetDateTime| {
            at.unix_timestamp() * 1_000 + i64::from(at.millisecond()) - self.base_ms
        };
        let rows = sqlx::query(sql).fetch_all(&self.api.app.db).await?;
        let spans = rows.iter().map(|row| {
            let id: Uuid = row.get("id");
            let id = if id.as_u128() < 1_000 { id.as_u128() } else { 0 };
            let ended: Option<time::OffsetDateTime> = row.get("ended_at");
            (id, ms(row.get("started_at")), ended.map(ms), row.get("why"))
        });
        let mut spans: Vec<_> = spans.collect();
        spans.sort();
        spans.sort_by_key(|span| span.1);
        Ok(spans)
    }

    async fn commands(&self, edge: &Edge) -> Result<Vec<(String, serde_json::Value)>> {
        let answer = self.api.get("/edge/v1/commands?wait_s=0", Some(&edge.token)).await?;
        let commands: Commands = serde_json::from_slice(&answer.body)?;
        let each = commands.items.into_iter();
        Ok(each.map(|command| (command.command, command.args.into())).collect())
    }
}

fn check_in(id: u128, member: MemberId) -> Deed {
    Deed::CheckIn { session: SessionId(Uuid::from_u128(id)), member: member.into(), by: Means::Tap }
}

fn check_out(id: u128, member: MemberId) -> Deed {
    let session = SessionId(Uuid::from_u128(id));
    Deed::CheckOut { session, member: member.into(), by: Means::Tap }
}

fn ended(id: u128, from: i64, until: i64, why: &str) -> (u128, i64, Option<i64>, String) {
    (id, from, Some(until), why.to_owned())
}

fn open(id: u128, from: i64) -> (u128, i64, Option<i64>, String) {
    (id, from, None, String::new())
}

#[tokio::test]
async fn a_stay_with_a_machine_and_its_sets_is_folded_as_it_arrives() -> Result<()> {
    let world = World::open().await?;
    let unlink = Deed::Unlink {
        link: LinkId(Uuid::from_u128(2)),
        machine: world.rower.into(),
        by: Means::Tap,
    };
    let first = vec![
        world.deed(0, check_in(1, ADA)),
        world.set(900, 1, Some(31)),
        world.link(1_000, 2, ADA),
        world.says(1_500, DeviceState::InUse),
        world.set(2_000, 2, Some(32)),
        world.set(3_000, 3, None),
    ];
    world.send(&world.north, 1, first).await?;
    let during = world.links().await?;
    let second = vec![world.deed(4_000, unlink), world.deed(5_000, check_out(1, ADA))];
    world.send(&world.north, 7, second).await?;

    assert_eq!(during, [open(2, 1_000)]);
    assert_eq!(world.stays().await?, [ended(1, 0, 5_000, "checked_out")]);
    assert_eq!(world.links().await?, [ended(2, 1_000, 4_000, "unlinked")]);
    let theirs =
        "SELECT count(*) FROM finished_sets WHERE member_id IS NOT NULL AND link_id IS NOT NULL";
    let theirs: i64 = sqlx::query_scalar(theirs).fetch_one(&world.api.app.db).await?;
    assert_eq!(theirs, 2, "what was finished before it was lent is nobody's");
    Ok(())
}

/// A tap in the north, a tap in the south, and a request of the app to the north that was not answered, in every order.
#[tokio::test]
async fn two_branches_and_the_app_at_once_come_to_the_same_in_every_order() -> Result<()> {
    let orders = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];
    let mut outcomes = Vec::new();
    for order in orders {
        let world = World::open().await?;
        let mut db = world.api.app.db.begin().await?;
        let wanted = Wanted::CheckIn { member: ADA };
        let (north, clock) = (world.gym.branch.id, &world.api.app.clock);
        sessions::ask_branch(&mut db, north, wanted, clock).await?;
        db.commit().await?;
        let asked_ms = world.api.app.clock.now_ms() - world.base_ms;
        world.api.app.clock.advance(Duration::seconds(11));
        for step in order {
            match step {
                0 => {
                    let tap = vec![world.deed(asked_ms - 400, check_in(1, ADA))];
                    world.send(&world.north, 1, tap).await?;
                }
                1 => {
                    let tap = vec![world.deed(asked_ms + 400, check_in(2, ADA))];
                    world.send(&world.south, 1, tap).await?;
                }
                _ => sessions::Provisional.run(&world.api.app).await?,
            }
        }
        let told = world.commands(&world.north).await?;
        let is_told = told.iter().any(|(command, args)| {
            command == "check_out"
                && args["by"] == "cloud"
                && args["id"] == Uuid::from_u128(1).to_string()
        });
        let relative = |(id, from, until, why): (u128, i64, Option<i64>, String)| {
            (id, from - asked_ms, until.map(|until| until - asked_ms), why)
        };
        let stays: Vec<_> = world.stays().await?.into_iter().map(relative).collect();
        outcomes.push((stays, is_told));
    }

    let expected = vec![ended(1, -400, 400, "elsewhere"), open(2, 400)];
    for (order, (stays, is_told)) in orders.iter().zip(&outcomes) {
        assert_eq!(stays, &expected, "{order:?}");
        assert!(is_told, "the branch that lost is told: {order:?}");
    }
    Ok(())
}

#[tokio::test]
async fn what_arrives_days_late_is_put_where_it_belongs() -> Result<()> {
    let world = World::open().await?;
    let day = -86_400_000;
    let evening = vec![world.deed(0, check_in(5, ADA)), world.link(1_000, 6, BEN)];
    world.send(&world.north, 1, evening).await?;

    // The south was away for a day, and Ada had been there for an hour and a half.
    let late = vec![
        world.deed(day, check_in(1, ADA)),
        world.deed(day + 5_400_000, check_out(1, ADA)),
        world.deed(-1_000, check_in(2, BEN)),
    ];
    world.send(&world.south, 1, late).await?;

    let stays = world.stays().await?;
    let expected = [
        ended(1, day, day + 5_400_000, "checked_out"),
        ended(2, -1_000, 1_000, "elsewhere"),
        open(5, 0),
        open(6, 1_000),
    ];
    assert_eq!(stays, expected);
    assert_eq!(world.links().await?, [ended(6, 1_000, 301_000, "idle")]);
    Ok(())
}

/// The branch goes on with an id that was on its way when it was told of the others.
#[tokio::test]
async fn an_id_that_comes_late_is_ended_by_an_order_of_its_own() -> Result<()> {
    let world = World::open().await?;
    world.send(&world.north, 1, vec![world.deed(0, check_in(1, ADA))]).await?;
    world.send(&world.south, 1, vec![world.deed(10_000, check_in(3, ADA))]).await?;

    world.send(&world.north, 2, vec![world.deed(5_000, check_in(2, ADA))]).await?;
    Pass.run(&world.api.app).await?;

    let told = world.commands(&world.north).await?.into_iter();
    let ids: Vec<_> = told.map(|(command, args)| (command, args["ids"].clone())).collect();
    let uuid = |id| Uuid::from_u128(id).to_string();
    let order = |ids: &[String]| ("check_out".to_owned(), serde_json::json!(ids));
    assert_eq!(ids, [order(&[uuid(1)]), order(&[uuid(1), uuid(2)])]);
    Ok(())
}

/// A deed of a start of the edge's computer, so long after it; only some starts know the time.
fn stamped(boot: u64, mono_ms: u64, wall_ms: Option<i64>, deed: Deed) -> Event {
    let in_1970 = mono_ms.cast_signed();
    let (wall_ms, synced) = (wall_ms.unwrap_or(in_1970), wall_ms.is_some());
    let stamp = Stamp { boot, mono_ms, wall_ms, synced };
    Event { stamp, source: Source::Edge, body: Body::Deed(deed) }
}

#[tokio::test]
async fn starts_that_never_knew_the_time_are_placed_before_the_one_that_does() -> Result<()> {
    let world = World::open().await?;
    let first = vec![
        stamped(5, 10_000, None, check_in(1, ADA)),
        stamped(5, 70_000, None, check_out(1, ADA)),
    ];
    let second = vec![stamped(6, 20_000, None, check_in(2, ADA))];
    let third = vec![stamped(7, 5_000, Some(world.base_ms), check_in(3, BEN))];

    for (epoch, list) in (1..).zip([first, second, third]) {
        let answer = world.north.send(&world.api, &events(epoch, 1, list)).await?;
        anyhow::ensure!(answer.status == 200, "{answer:?}");
    }
    run_due_jobs(&world.api.app).await?;

    // The third start began 5 s before its deed, the second lasted 20 s, the first 70 s.
    let expected = [ended(1, -85_000, -25_000, "checked_out"), open(2, -5_000), open(3, 0)];
    assert_eq!(world.stays().await?, expected);
    Ok(())
}

/// Nine days in which somebody is always inside: each comes before the one before leaves, and takes the machine late.
fn never_empty(world: &World) -> Vec<Event> {
    const HOUR: i64 = 3_600_000;
    let mut events = Vec::new();
    for (number, begin_h) in (0_u128..).zip((-9 * 24..-6).step_by(3)) {
        let (member, begin) = (if number % 2 == 0 { ADA } else { BEN }, begin_h * HOUR);
        let (stay, link) = (100 + 2 * number, 101 + 2 * number);
        events.push((begin, world.deed(begin, check_in(stay, member))));
        let taken = begin + 2 * HOUR;
        events.push((taken, world.link(taken, link, member)));
        let end = begin + 3 * HOUR + HOUR / 6;
        events.push((end, world.deed(end, check_out(stay, member))));
    }
    events.sort_by_key(|(at, _)| *at);
    events.into_iter().map(|(_, event)| event).collect()
}

#[tokio::test]
async fn a_late_fact_of_a_branch_that_never_empties_changes_nothing_it_should_not() -> Result<()> {
    let world = World::open().await?;
    world.send(&world.north, 1, never_empty(&world)).await?;
    let before = (world.stays().await?, world.links().await?);

    // Somebody else's, a minute after one of those stays began seven days before.
    let late = -26 * 3_600_000;
    let other = MemberId(Uuid::from_u128(0xA3));
    world.send(&world.south, 1, vec![world.deed(late, check_in(9, ADA))]).await?;
    world.send(&world.south, 2, vec![world.deed(late + 1, check_in(8, other))]).await?;

    tests::floor_oracle::check(&world.api.app.db).await?;
    let long_ago = |spans: &[(u128, i64, Option<i64>, String)]| -> Vec<_> {
        spans.iter().filter(|span| span.1 < late - 8 * 3_600_000).cloned().collect()
    };
    assert_eq!(long_ago(&world.stays().await?), long_ago(&before.0));
    assert_eq!(long_ago(&world.links().await?), long_ago(&before.1));
    Ok(())
}

#[tokio::test]
async fn what_ends_by_itself_is_ended_by_the_job_at_its_own_time() -> Result<()> {
    let world = World::open().await?;
    world
        .send(&world.north, 1, vec![world.deed(0, check_in(1, ADA)), world.link(0, 2, BEN)])
        .await?;
    let before = world.links().await?;
    world.api.app.clock.advance(Duration::hours(4));

    run_due_jobs(&world.api.app).await?;

    let four_hours = 4 * 3_600_000;
    assert_eq!(before, [ended(2, 0, 300_000, "idle")], "ten minutes have passed since");
    let mut stays = world.stays().await?;
    stays.sort();
    let limit = |id| ended(id, 0, four_hours, "time_limit");
    assert_eq!(stays, [limit(1), limit(2)]);
    Ok(())
}

#[tokio::test]
async fn a_machine_with_a_fault_is_lent_no_more() -> Result<()> {
    let world = World::open().await?;
    let report = Maintenance {
        code: "E12".to_owned(),
        severity: Severity::Fault,
        message: "belt".to_owned(),
    };
    let fault = world.at(2_000, Source::Device(world.rower.into()), Body::Maintenance(report));

    let all = vec![world.link(1_000, 1, ADA), fault, world.link(3_000, 2, BEN)];
    world.send(&world.north, 1, all).await?;

    assert_eq!(world.links().await?, [ended(1, 1_000, 2_000, "out_of_order")]);
    Ok(())
}

#[tokio::test]
async fn a_request_that_the_branch_refuses_later_never_was() -> Result<()> {
    let world = World::open().await?;
    let mut db = world.api.app.db.begin().await?;
    let (north, clock) = (world.gym.branch.id, &world.api.app.clock);
    let wanted = Wanted::CheckIn { member: ADA };
    let (command, _) = sessions::ask_branch(&mut db, north, wanted, clock).await?;
    db.commit().await?;
    world.api.app.clock.advance(Duration::seconds(11));
    sessions::Provisional.run(&world.api.app).await?;
    let provisional = world.stays().await?;

    let path = format!("/edge/v1/commands/{command}/result");
    let report = serde_json::json!({"outcome": "failed", "detail": "{\"code\":\"blocked\"}"});
    world.api.post(&path, Some(&world.north.token), &report).await?;
    sessions::Provisional.run(&world.api.app).await?;

    assert!(matches!(&provisional[..], [(_, _, None, _)]), "{provisional:?}");
    let stays = world.stays().await?;
    assert!(matches!(&stays[..], [(_, _, Some(_), why)] if why == "rejected"), "{stays:?}");
    Ok(())
}

#[tokio::test]
async fn a_branch_that_is_enrolled_again_is_told_who_is_inside() -> Result<()> {
    let world = World::open().await?;
    let now = world.api.app.clock.now_ms() - world.base_ms;
    world
        .send(&world.north, 1, vec![world.deed(0, check_in(1, ADA)), world.link(now, 2, BEN)])
        .await?;

    let new = Edge::enrol(&world.api, world.gym.branch.id).await?;
    let told = world.commands(&new).await?;

    let [(command, args)] = &told[..] else { panic!("{told:?}") };
    assert_eq!(command, "adopt");
    assert_eq!(args["sessions"].as_array().map(Vec::len), Some(2));
    assert_eq!(args["links"][0][0], Uuid::from_u128(2).to_string());
    Ok(())
}

#[tokio::test]
async fn a_deed_about_a_machine_of_another_branch_is_set_aside() -> Result<()> {
    let world = World::open().await?;

    world.send(&world.south, 1, vec![world.link(0, 1, ADA)]).await?;
    Pass.run(&world.api.app).await?;

    assert_eq!(world.links().await?, []);
    let aside = "SELECT count(*) FROM set_aside WHERE reason = 'foreign_device'";
    let aside: i64 = sqlx::query_scalar(aside).fetch_one(&world.api.app.db).await?;
    assert_eq!(aside, 1);
    Ok(())
}
