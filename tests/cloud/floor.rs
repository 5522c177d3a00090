//! The floor for apps and staff: labels, coming and going, machines, queues, what was and what it is like.

use crate::edge::{Edge, events};
use crate::gym::Gym;
use anyhow::{Context, Result, ensure};
use axum::http::Method;
use cloud_api::domains::accounts::Role;
use cloud_api::domains::devices::MachineType;
use cloud_api::domains::members;
use cloud_api::events as bus;
use cloud_api::ids::{BranchId, DeviceId, MemberId};
use protocol::ids::{LinkId, SessionId};
use protocol::rules::{Deed, Means};
use protocol::sync::commands::{Command, Commands};
use protocol::sync::entry::{Body, Event, Source};
use protocol::time::Stamp;
use serde_json::{Value, json};
use std::sync::atomic::{AtomicU64, Ordering};
use tests::api::{Answer, Api};
use tokio::task::JoinSet;
use uuid::Uuid;

/// A branch with an edge, a machine, somebody at its desk, and a member with the app.
struct World {
    api: Api,
    gym: Gym,
    edge: Edge,
    rower: DeviceId,
    ada: MemberId,
    app: String,
    staff: String,
    next_seq: AtomicU64,
    _tasks: JoinSet<Result<()>>,
}

impl World {
    async fn open() -> Result<Self> {
        let api = Api::new().await?;
        let gym = Gym::open(&api, "Floor").await?;
        let rower = gym.machine(&api, &gym.branch, "rower", MachineType::Cardio).await?;
        let edge = Edge::enrol(&api, gym.branch.id).await?;
        let staff = gym.token(&api, Role::Staff, &[gym.branch.id]).await?;
        let ada = gym.member(&api, "Ada", Some(gym.branch.id)).await?.id;
        let app = gym.token(&api, Role::Member, &[]).await?;
        let me = api.get("/api/v1/users/profile", Some(&app)).await?.json()?;
        let user = me["id"].as_str().context("no id")?.parse()?;
        members::set_user(&mut *api.app.db.acquire().await?, ada, user).await?;
        let mut tasks = JoinSet::new();
        let (bus, db, stop) = (api.app.bus.clone(), api.app.db.clone(), api.app.stop.clone());
        tasks.spawn(bus::run(bus, db, stop));
        let next_seq = AtomicU64::new(1);
        Ok(Self { api, gym, edge, rower, ada, app, staff, next_seq, _tasks: tasks })
    }

    async fn label(&self, machine: Option<DeviceId>) -> Result<Value> {
        let new = json!({"branch_id": self.gym.branch.id, "machine_id": machine, "kind": "qr"});
        let answer = self.api.post("/api/v1/admin/tags", Some(&self.staff), &new).await?;
        ensure!(answer.status == 201, "{:?}", answer.json());
        answer.json()
    }

    async fn get(&self, token: &str, path: &str) -> Result<Value> {
        let answer = self.api.get(&format!("/api/v1{path}"), Some(token)).await?;
        ensure!(answer.status == 200, "{path}: {:?}", answer.json());
        answer.json()
    }

    async fn post(&self, path: &str, body: Value) -> Result<Answer> {
        self.api.post(&format!("/api/v1{path}"), Some(&self.app), &body).await
    }

    async fn come(&self, label: &Value) -> Result<Answer> {
        self.post("/sessions/start", json!({"token": label["token"], "token_type": "qr"})).await
    }

    /// The branch hears what is wanted next, journals this deed if it agrees, and says what came of it.
    async fn branch_says(
        &self,
        outcome: &str,
        detail: Value,
        deed: impl Fn(&Command) -> Option<Deed>,
    ) -> Result<Command> {
        let path = "/edge/v1/commands?wait_s=20";
        let answer = self.api.get(path, Some(&self.edge.token)).await?;
        let told: Commands = serde_json::from_slice(&answer.body)?;
        let command = told.items.into_iter().next().context("nothing is wanted")?;
        if let Some(deed) = deed(&command) {
            self.journaled(0, deed).await?;
        }
        let path = format!("/edge/v1/commands/{}/result", command.id.0);
        let report = json!({"outcome": outcome, "detail": detail.to_string()});
        let answer = self.api.post(&path, Some(&self.edge.token), &report).await?;
        ensure!(answer.status == 204, "{answer:?}");
        Ok(command)
    }

    /// So many milliseconds ago.
    async fn journaled(&self, ago_ms: i64, deed: Deed) -> Result<()> {
        let wall_ms = self.api.app.clock.now_ms() - ago_ms;
        let mono_ms = wall_ms.unsigned_abs();
        let stamp = Stamp { boot: 1, mono_ms, wall_ms, synced: true };
        let event = Event { stamp, source: Source::Edge, body: Body::Deed(deed) };
        let seq = self.next_seq.fetch_add(1, Ordering::Relaxed);
        let answer = self.edge.send(&self.api, &events(1, seq, vec![event])).await?;
        ensure!(answer.status == 200, "{answer:?}");
        Ok(())
    }

    fn comes(&self, command: &Command) -> Option<Deed> {
        let session = SessionId(id(command, "id")?);
        Some(Deed::CheckIn { session, member: self.ada.into(), by: Means::App })
    }
}

fn id(command: &Command, key: &str) -> Option<Uuid> {
    command.args.get(key)?.as_str()?.parse().ok()
}

fn told(answer: &Answer) -> Result<(u16, Value)> {
    Ok((answer.status.as_u16(), answer.json()?["code"].clone()))
}

#[tokio::test]
async fn who_scans_the_label_at_the_entrance_is_inside_when_the_branch_says_so() -> Result<()> {
    let world = World::open().await?;
    let label = world.label(None).await?;
    let outside = world.get(&world.app, "/sessions/current").await?;

    let said = world.branch_says("done", json!({}), |command| world.comes(command));
    let (answer, command) = tokio::try_join!(world.come(&label), said)?;

    let answer = answer.json()?;
    let session = id(&command, "id").context("no id")?.to_string();
    assert_eq!(
        (&answer["session_id"], &answer["certainty"]),
        (&json!(session), &json!("confirmed"))
    );
    let current = world.get(&world.app, "/sessions/current").await?;
    assert_eq!((outside, &current["id"]), (Value::Null, &json!(session)));
    let again = world.come(&label).await?;
    assert_eq!(told(&again)?, (409, json!("session_active")));
    assert_eq!(again.json()?["session_id"], session);
    let seen = world.get(&world.staff, "/sessions?open=true").await?;
    assert_eq!(seen["items"][0]["display_name"], "Ada");
    Ok(())
}

#[tokio::test]
async fn who_leaves_by_the_app_is_outside_when_the_branch_says_so() -> Result<()> {
    let world = World::open().await?;
    let (session, member) = (SessionId(Uuid::from_u128(1)), world.ada.into());
    let outside = world.post("/sessions/end", json!({})).await?;
    world.journaled(60_000, Deed::CheckIn { session, member, by: Means::Tap }).await?;

    let agrees = world.branch_says("done", json!({}), |_| {
        Some(Deed::CheckOut { session, member, by: Means::App })
    });
    let (answer, command) = tokio::try_join!(world.post("/sessions/end", json!({})), agrees)?;

    assert_eq!(told(&outside)?, (409, json!("not_inside")));
    assert_eq!((command.command.as_str(), id(&command, "id")), ("check_out", Some(session.0)));
    let answer = answer.json()?;
    assert_eq!(
        (&answer["session_id"], &answer["certainty"]),
        (&json!(session.0), &json!("confirmed"))
    );
    assert_eq!(world.get(&world.app, "/sessions/current").await?, Value::Null);
    Ok(())
}

#[tokio::test]
async fn while_the_branch_is_silent_it_is_a_request() -> Result<()> {
    let world = World::open().await?;
    let label = world.label(None).await?;

    let answer = world.come(&label).await?;

    assert_eq!((answer.status.as_u16(), &answer.json()?["certainty"]), (201, &json!("requested")));
    Ok(())
}

#[tokio::test]
async fn what_the_branch_refuses_is_told_in_its_words() -> Result<()> {
    let world = World::open().await?;
    let label = world.label(None).await?;
    let refusal = world.branch_says("failed", json!({"code": "blocked"}), |_| None);

    let (answer, _) = tokio::try_join!(world.come(&label), refusal)?;

    assert_eq!(told(&answer)?, (403, json!("branch_not_allowed")));
    assert_eq!(answer.json()?["reason"], "blocked");
    Ok(())
}

#[tokio::test]
async fn who_may_not_use_a_branch_is_refused_before_it_is_asked() -> Result<()> {
    let world = World::open().await?;
    let new = json!({"branch_id": world.gym.other.id, "kind": "nfc"});
    let admin = world.gym.token(&world.api, Role::Admin, &[]).await?;
    let label = world.api.post("/api/v1/admin/tags", Some(&admin), &new).await?.json()?;
    let scan = json!({"token": label["token"], "token_type": "nfc"});

    let elsewhere = world.post("/sessions/start", scan.clone()).await?;
    let mut wrong_place = scan.clone();
    wrong_place["branch_id"] = json!(world.gym.branch.id);
    let wrong_place = world.post("/sessions/start", wrong_place).await?;
    let mut as_qr = scan;
    as_qr["token_type"] = json!("qr");
    let as_qr = world.post("/sessions/start", as_qr).await?;

    assert_eq!(told(&elsewhere)?, (403, json!("branch_not_allowed")));
    assert_eq!(elsewhere.json()?["reason"], "wrong_branch");
    assert_eq!(told(&wrong_place)?, (422, json!("validation_failed")));
    assert_eq!(told(&as_qr)?, (422, json!("validation_failed")));
    let asked: i64 =
        sqlx::query_scalar("SELECT count(*) FROM commands").fetch_one(&world.api.app.db).await?;
    assert_eq!(asked, 0);
    Ok(())
}

#[tokio::test]
async fn a_label_that_is_revoked_is_worth_nothing() -> Result<()> {
    let world = World::open().await?;
    let label = world.label(None).await?;
    let path = format!("/api/v1/admin/tags/{}", label["id"].as_str().context("no id")?);
    let print = world.api.get(&format!("{path}/label"), Some(&world.staff)).await?;

    let gone = world.api.delete(&path, Some(&world.staff)).await?;

    assert_eq!(print.headers["content-type"], "image/svg+xml");
    assert!(print.body.starts_with(b"<svg"));
    assert_eq!(gone.status, 204);
    assert_eq!(told(&world.come(&label).await?)?, (422, json!("validation_failed")));
    assert_eq!(world.get(&world.staff, "/admin/tags").await?["items"], json!([]));
    Ok(())
}

#[tokio::test]
async fn a_machine_is_taken_by_its_label_and_given_back() -> Result<()> {
    let world = World::open().await?;
    let label = world.label(Some(world.rower)).await?;
    let entrance = world.label(None).await?;
    let (member, machine) = (world.ada.into(), world.rower.into());
    let scan = |label: &Value| json!({"token": label["token"], "method": "qr"});

    let lends = world.branch_says("done", json!({}), |command| {
        let link = LinkId(id(command, "id")?);
        Some(Deed::Link { link, member, machine, by: Means::App })
    });
    let (taken, _) = tokio::try_join!(world.post("/machines/link", scan(&label)), lends)?;
    let current = world.get(&world.app, "/sessions/current").await?;
    let agrees = world.branch_says("done", json!({}), |command| {
        let link = LinkId(id(command, "id")?);
        Some(Deed::Unlink { link, machine, by: Means::App })
    });
    let (given_back, _) = tokio::try_join!(world.post("/machines/unlink", json!({})), agrees)?;
    let again = world.post("/machines/unlink", json!({})).await?;
    let no_machine = world.post("/machines/link", scan(&entrance)).await?;

    assert_eq!(taken.json()?["machine_id"], json!(world.rower));
    assert_eq!(current["machines"][0]["link_id"], taken.json()?["link_id"]);
    assert_eq!(given_back.json()?["certainty"], "confirmed");
    assert_eq!(told(&again)?, (409, json!("not_linked")));
    assert_eq!(told(&no_machine)?, (422, json!("validation_failed")));
    Ok(())
}

#[tokio::test]
async fn who_waits_sees_the_place_and_how_long_it_may_take() -> Result<()> {
    let world = World::open().await?;
    let (member, machine) = (world.ada.into(), world.rower.into());
    let ben = world.gym.member(&world.api, "Ben", Some(world.gym.branch.id)).await?.id;
    let deed = |link: u128, by| {
        let link = LinkId(Uuid::from_u128(link));
        Deed::Link { link, member: ben.into(), machine, by }
    };
    world.journaled(900_000, deed(1, Means::Tap)).await?;
    let back = LinkId(Uuid::from_u128(1));
    world.journaled(780_000, Deed::Unlink { link: back, machine, by: Means::Tap }).await?;
    world.journaled(2_000, deed(2, Means::Tap)).await?;
    let inside = SessionId(Uuid::from_u128(3));
    world.journaled(1_000, Deed::CheckIn { session: inside, member, by: Means::Tap }).await?;
    let path = format!("/machines/{}/queue", world.rower);
    let before = world.get(&world.app, &path).await?;

    let waits = world.branch_says("done", json!({}), |_| Some(Deed::Enqueue { member, machine }));
    let (answer, _) = tokio::try_join!(world.post(&path, json!({})), waits)?;
    let during = world.get(&world.app, &path).await?;
    let leaves = world.branch_says("done", json!({}), |_| Some(Deed::Dequeue { member, machine }));
    let leaving = async { world.api.delete(&format!("/api/v1{path}"), Some(&world.app)).await };
    let (left, _) = tokio::try_join!(leaving, leaves)?;
    let after = world.get(&world.app, &path).await?;
    let full = world.branch_says("failed", json!({"code": "queue_full"}), |_| None);
    let (refused, _) = tokio::try_join!(world.post(&path, json!({})), full)?;

    assert_eq!((&before["position"], &before["estimated_wait_s"]), (&Value::Null, &json!(120)));
    assert_eq!(answer.status, 202);
    assert_eq!((&during["position"], &during["length"]), (&json!(1), &json!(1)));
    assert_eq!(during["estimated_wait_s"], 120);
    assert_eq!((left.status.as_u16(), &after["position"]), (204, &Value::Null));
    assert_eq!(told(&refused)?, (409, json!("queue_full")));
    Ok(())
}

/// Three stays of an hour, a day apart.
async fn three_visits(world: &World) -> Result<()> {
    const HOUR_MS: i64 = 3_600_000;
    for (number, days) in (1_u128..).zip([3, 2, 1]) {
        let (session, member) = (SessionId(Uuid::from_u128(number)), world.ada.into());
        let come_ms = days * 24 * HOUR_MS;
        world.journaled(come_ms, Deed::CheckIn { session, member, by: Means::Tap }).await?;
        let go = Deed::CheckOut { session, member, by: Means::Tap };
        world.journaled(come_ms - HOUR_MS, go).await?;
    }
    Ok(())
}

#[tokio::test]
async fn what_was_is_listed_by_pages_with_its_sums() -> Result<()> {
    let world = World::open().await?;
    three_visits(&world).await?;

    let first = world.get(&world.app, "/sessions/history?limit=2").await?;
    let cursor = first["next_cursor"].as_str().context("no cursor")?;
    let second =
        world.get(&world.app, &format!("/sessions/history?limit=2&cursor={cursor}")).await?;
    let other = format!("/sessions/history?branch_id={}", world.gym.other.id);

    let ids = |page: &Value| -> Vec<Value> {
        page["items"].as_array().into_iter().flatten().map(|stay| stay["id"].clone()).collect()
    };
    let visit = |number| json!(Uuid::from_u128(number));
    assert_eq!((ids(&first), ids(&second)), (vec![visit(3), visit(2)], vec![visit(1)]));
    let totals = json!({"sessions": 3, "duration_s": 10_800, "average_duration_s": 3_600});
    assert_eq!((&first["totals"], &second["totals"]), (&totals, &totals));
    assert_eq!(world.get(&world.app, &other).await?["items"], json!([]));
    Ok(())
}

#[tokio::test]
async fn hours_and_days_tell_when_members_come_also_after_what_came_late() -> Result<()> {
    let world = World::open().await?;
    three_visits(&world).await?;
    let path = format!("/sessions/analytics?branch_id={}", world.gym.branch.id);
    let before = world.get(&world.staff, &path).await?;
    let (session, member) = (SessionId(Uuid::from_u128(9)), world.ada.into());
    // Four days ago, and told only now.
    let come_ms = 4 * 86_400_000;
    world.journaled(come_ms, Deed::CheckIn { session, member, by: Means::Tap }).await?;
    let go = Deed::CheckOut { session, member, by: Means::Tap };
    world.journaled(come_ms - 7_200_000, go).await?;

    let after = world.get(&world.staff, &path).await?;

    let sums = |told: &Value| (told["sessions"].clone(), told["average_duration_s"].clone());
    assert_eq!(sums(&before), (json!(3), json!(3_600)));
    assert_eq!(sums(&after), (json!(4), json!(4_500)));
    let inside = |told: &Value| -> f64 {
        let hours = told["hours"].as_array().into_iter().flatten();
        hours.filter_map(|hour| hour["inside"].as_f64()).sum()
    };
    // Each hour of the week is an average over the 12 or 13 of 90 days.
    assert!((inside(&after) - inside(&before)) * 13.0 > 1.9, "{after}");
    assert_eq!(after["days"].as_array().map(|days| days.len() >= 4), Some(true));
    assert_eq!(after["forecast"].as_array().map(Vec::len), Some(24));
    Ok(())
}

#[tokio::test]
async fn figures_of_another_branch_are_not_there() -> Result<()> {
    let world = World::open().await?;
    let other: BranchId = world.gym.other.id;
    for path in ["/sessions/analytics", "/sessions"] {
        let path = format!("/api/v1{path}?branch_id={other}");
        let answer = world.api.send(Method::GET, &path, Some(&world.staff), &json!(null)).await?;
        assert_eq!(answer.status, 404, "{path}");
    }
    Ok(())
}
