//! Edges as operators see them: how they are, what they were told, codes and keys, orders, and silence.

use crate::edge::{self, Edge, Scene, put_state, stamp};
use crate::gym::Gym;
use anyhow::{Context, Result};
use axum::body::Body;
use axum::http::Request;
use cloud_api::domains::accounts::Role;
use cloud_api::domains::edges::save_live;
use cloud_api::jobs::run_due_jobs;
use protocol::sync::commands::Commands;
use protocol::sync::state::{Floor, LiveState, Position};
use serde_json::{Value, json};
use tests::api::Answer;
use time::Duration;

const ALL: &str = "/api/v1/admin/edges";

fn told(answer: &Answer) -> Result<(u16, Value)> {
    Ok((answer.status.as_u16(), answer.json()?["code"].clone()))
}

fn path(scene: &Scene, more: &str) -> String {
    format!("{ALL}/{}{more}", scene.edge.enrolment.edge_id.0)
}

/// What the scene's edge says of itself.
fn floor() -> LiveState {
    LiveState {
        boot: 1,
        n: 1,
        stamp: stamp(1_000),
        as_of: Position { epoch: 1, seq: 1 },
        full: true,
        floor: Floor {
            backlog_entries: 12,
            oldest_unsent_ms: 3_000,
            disk_free_bytes: 1 << 30,
            rejects: 2,
            gaps: 1,
            agent_version: "0.1.7".to_owned(),
        },
        machines: Vec::new(),
    }
}

async fn admin(scene: &Scene) -> Result<String> {
    scene.gym.token(&scene.api, Role::Admin, &[]).await
}

#[tokio::test]
async fn an_edge_is_shown_with_its_health_and_what_is_missing() -> Result<()> {
    let scene = Scene::open().await?;
    let (api, admin) = (&scene.api, admin(&scene).await?);
    put_state(api, &scene.edge.token, &floor()).await?;
    save_live(&api.app).await?;
    sqlx::query(
        "INSERT INTO gaps (id, branch_id, edge_id, epoch, seq, stream, reason, first_seq, last_seq,
             count, received_at)
         VALUES ($1, $2, $3, 1, 1, 'telemetry', 'thinned', 1, 9, 40, $4)",
    )
    .bind(uuid::Uuid::now_v7())
    .bind(scene.gym.branch.id.0)
    .bind(scene.edge.enrolment.edge_id.0)
    .bind(api.app.clock.now())
    .execute(&api.app.db)
    .await?;

    let list = api.get(ALL, Some(&admin)).await?.json()?;
    let one = api.get(&path(&scene, ""), Some(&admin)).await?.json()?;
    let gaps = api.get(&path(&scene, "/gaps"), Some(&admin)).await?.json()?;
    let rejects = api.get(&path(&scene, "/rejects"), Some(&admin)).await?.json()?;
    let notices = api.get(&path(&scene, "/notices"), Some(&admin)).await?.json()?;

    let shown = &list["items"][0];
    assert_eq!((&shown["contact"], &shown["branch_name"]), (&json!("online"), &json!("Centre")));
    assert_eq!((&shown["agent_version"], &shown["hostname"]), (&json!("0.1.7"), &json!("pi")));
    let health = &one["health"];
    assert_eq!((&health["backlog_entries"], &health["gaps"]), (&json!(12), &json!(1)));
    assert_eq!(health["is_clock_synced"], true);
    assert!(health["clock_ahead_ms"].is_i64());
    assert_eq!(one["last_week"], json!({"gaps": 1, "rejects": 0, "set_aside": 0, "notices": 0}));
    assert_eq!(
        (&gaps["items"][0]["reason"], &gaps["items"][0]["count"]),
        (&json!("thinned"), &json!(40))
    );
    assert_eq!((&rejects["items"], &notices["items"]), (&json!([]), &json!([])));
    Ok(())
}

#[tokio::test]
async fn what_a_branch_was_told_is_shown_in_pages_and_without_secrets() -> Result<()> {
    let scene = Scene::open().await?;
    let (api, admin) = (&scene.api, admin(&scene).await?);
    for name in ["Ada", "Bob", "Eve"] {
        scene.gym.member(api, name, Some(scene.gym.branch.id)).await?;
    }

    let mut names = Vec::new();
    let mut query = "?limit=2".to_owned();
    let counts = loop {
        let page =
            api.get(&path(&scene, &format!("/roster{query}")), Some(&admin)).await?.json()?;
        let items = page["items"].as_array().cloned().context("no items")?;
        names.extend(
            items.into_iter().filter(|one| one["kind"] == "member").map(|one| one["name"].clone()),
        );
        let Some(cursor) = page["next_cursor"].as_str() else { break page["counts"].clone() };
        query = format!("?limit=2&cursor={cursor}");
    };
    let told = api.get(&path(&scene, "/configuration"), Some(&admin)).await?;

    names.sort_by_key(Value::to_string);
    assert_eq!(names, [json!("Ada"), json!("Bob"), json!("Eve")]);
    assert_eq!((&counts["members"], &counts["staff"]), (&json!(3), &json!(1)));
    let told = told.json()?;
    assert_eq!(told["settings"]["branch_name"], "Centre");
    assert_eq!(told["devices"], 1);
    assert!(!told.to_string().contains("sun_keys\":"), "{told}");
    Ok(())
}

#[tokio::test]
async fn a_code_enrols_once_is_listed_and_can_be_revoked_before() -> Result<()> {
    let scene = Scene::open().await?;
    let (api, admin) = (&scene.api, admin(&scene).await?);
    let codes = format!("/api/v1/admin/branches/{}/enroll-codes", scene.gym.branch.id);
    let make = async || api.post(&codes, Some(&admin), &json!({})).await?.json();
    let enrol = async |code: &Value, number: u8| {
        let code = code["code"].as_str().context("no code")?;
        let request = edge::enrolment(code, &edge::key(number));
        anyhow::Ok(api.post("/edge/v1/enroll", None, &request).await?)
    };

    let (good, bad) = (make().await?, make().await?);
    let revoked = format!("{codes}/{}", bad["id"].as_str().context("no id")?);
    let gone = api.delete(&revoked, Some(&admin)).await?;
    let refused = enrol(&bad, 1).await?;
    let enrolled = enrol(&good, 2).await?;
    let list = api.get(&codes, Some(&admin)).await?.json()?;
    let used = format!("{codes}/{}", good["id"].as_str().context("no id")?);
    let too_late = api.delete(&used, Some(&admin)).await?;
    let edges = api.get(&format!("{ALL}?with_revoked=true"), Some(&admin)).await?.json()?;

    assert_eq!(gone.status, 204);
    assert_eq!(told(&refused)?, (401, json!("invalid_code")));
    assert_eq!(enrolled.status, 200, "{:?}", enrolled.json());
    let listed = list["items"].as_array().context("no items")?;
    let is_used = |one: &&Value| one["id"] == good["id"] && !one["used_at"].is_null();
    assert_eq!(listed.iter().filter(is_used).count(), 1);
    assert!(listed.iter().all(|one| one.get("code").is_none()));
    assert_eq!(too_late.status, 404);
    let mut contacts: Vec<_> = edges["items"]
        .as_array()
        .context("no items")?
        .iter()
        .map(|one| one["contact"].as_str().unwrap_or_default().to_owned())
        .collect();
    contacts.sort();
    assert_eq!(contacts, ["never", "revoked"]);
    Ok(())
}

#[tokio::test]
async fn an_edge_whose_key_was_taken_away_is_refused_at_once() -> Result<()> {
    let scene = Scene::open().await?;
    let (api, admin) = (&scene.api, admin(&scene).await?);

    let revoked = api.delete(&path(&scene, ""), Some(&admin)).await?;
    let again = api.delete(&path(&scene, ""), Some(&admin)).await?;
    let ordered = json!({"command": "restart"});
    let ordered = api.post(&path(&scene, "/commands"), Some(&admin), &ordered).await?;
    let asks = api.get("/edge/v1/commands", Some(&scene.edge.token)).await?;

    assert_eq!(revoked.status, 204);
    assert_eq!(told(&again)?, (409, json!("edge_revoked")));
    assert_eq!(told(&ordered)?, (409, json!("edge_revoked")));
    assert_eq!(told(&asks)?, (401, json!("invalid_client")));
    Ok(())
}

/// The branch hears what is ordered and answers.
async fn answered(scene: &Scene, outcome: &str, detail: &str) -> Result<String> {
    let answer = scene.api.get("/edge/v1/commands", Some(&scene.edge.token)).await?;
    let told: Commands = serde_json::from_slice(&answer.body)?;
    let command = told.items.into_iter().next().context("nothing is ordered")?;
    let path = format!("/edge/v1/commands/{}/result", command.id.0);
    let report = json!({"outcome": outcome, "detail": detail});
    let answer = scene.api.post(&path, Some(&scene.edge.token), &report).await?;
    anyhow::ensure!(answer.status == 204, "{answer:?}");
    Ok(command.command)
}

#[tokio::test]
async fn an_order_is_followed_from_sent_to_what_the_branch_said_of_it() -> Result<()> {
    let scene = Scene::open().await?;
    let staff = scene.gym.token(&scene.api, Role::Staff, &[scene.gym.branch.id]).await?;
    let all = format!("/api/v1/admin/machines/{}/commands", scene.machine);
    let give = async |body: Value| scene.api.post(&all, Some(&staff), &body).await;
    let status = async |id: &Value| {
        let path = format!("{all}/{}", id.as_str().context("no id")?);
        let found = scene.api.get(&path, Some(&staff)).await?.json()?;
        anyhow::Ok((found["status"].clone(), found["detail"].clone()))
    };

    let locked = give(json!({"command": "lock"})).await?;
    assert_eq!(locked.status, 201, "{:?}", locked.json());
    let locked = locked.json()?["id"].clone();
    assert_eq!(status(&locked).await?.0, "sent");
    assert_eq!(answered(&scene, "done", "locked").await?, "lock");
    assert_eq!(status(&locked).await?, (json!("done"), json!("locked")));

    let shown = give(json!({"command": "display", "text": "Hello"})).await?.json()?["id"].clone();
    scene.api.get("/edge/v1/commands", Some(&scene.edge.token)).await?;
    assert_eq!(status(&shown).await?.0, "delivered");
    scene.api.app.clock.advance(Duration::seconds(100));
    run_due_jobs(&scene.api.app).await?;
    assert_eq!(status(&shown).await?.0, "expired");

    let reset = give(json!({"command": "reset", "ttl_s": 60})).await?.json()?["id"].clone();
    answered(&scene, "failed", "belt is moving").await?;
    assert_eq!(status(&reset).await?, (json!("refused"), json!("belt is moving")));
    let list = scene.api.get(&all, Some(&staff)).await?.json()?;
    assert_eq!(list["items"].as_array().map(Vec::len), Some(3));
    let events = "SELECT count(*) FROM events_arrived WHERE kind = 'command:answered'";
    assert_eq!(scene.count(events).await?, 3);
    Ok(())
}

#[tokio::test]
async fn an_order_is_given_once_however_often_it_is_sent() -> Result<()> {
    let scene = Scene::open().await?;
    let admin = admin(&scene).await?;
    let give = async || {
        let request = Request::post(path(&scene, "/commands"))
            .header("authorization", format!("Bearer {admin}"))
            .header("content-type", "application/json")
            .header("idempotency-key", "once")
            .body(Body::from(json!({"command": "restart"}).to_string()))?;
        scene.api.call(request).await?.json()
    };

    let (first, second) = (give().await?, give().await?);

    assert_eq!(first["id"], second["id"]);
    assert_eq!(scene.count("SELECT count(*) FROM commands WHERE command = 'restart'").await?, 1);
    Ok(())
}

#[tokio::test]
async fn orders_that_nobody_knows_and_orders_of_strangers_are_refused() -> Result<()> {
    let scene = Scene::open().await?;
    let (api, admin) = (&scene.api, admin(&scene).await?);
    let stranger = Gym::open(api, "Stranger").await?.token(api, Role::Admin, &[]).await?;
    let staff = scene.gym.token(api, Role::Staff, &[scene.gym.branch.id]).await?;
    let machine = format!("/api/v1/admin/machines/{}/commands", scene.machine);
    let give = async |path: &str, token: &str, body: Value| {
        let answer = api.post(path, Some(token), &body).await?;
        let field = answer.json()?["errors"][0]["field"].clone();
        anyhow::Ok((answer.status.as_u16(), field))
    };
    let edge = path(&scene, "/commands");

    let wrong = |field: &str| (422, json!(field));
    assert_eq!(give(&machine, &admin, json!({"command": "open"})).await?, wrong("command"));
    assert_eq!(give(&edge, &admin, json!({"command": "lock"})).await?, wrong("command"));
    assert_eq!(give(&machine, &admin, json!({"command": "display"})).await?, wrong("text"));
    assert_eq!(
        give(&machine, &admin, json!({"command": "lock", "text": "x"})).await?,
        wrong("text")
    );
    let url = json!({"command": "restart", "url": "https://x.example"});
    assert_eq!(give(&edge, &admin, url).await?, wrong("url"));
    assert_eq!(give(&machine, &admin, json!({"command": "dance"})).await?.0, 422);
    assert_eq!(give(&machine, &stranger, json!({"command": "lock"})).await?.0, 404);
    assert_eq!(give(&edge, &stranger, json!({"command": "restart"})).await?.0, 404);
    assert_eq!(give(&edge, &staff, json!({"command": "restart"})).await?.0, 403);
    Ok(())
}

/// Subjects of letters that have arrived since somebody looked.
fn subjects(scene: &Scene) -> Vec<String> {
    scene.api.inbox.take().into_iter().map(|letter| letter.subject).collect()
}

#[tokio::test]
async fn who_works_at_a_silent_branch_gets_one_letter_and_one_when_it_is_back() -> Result<()> {
    let scene = Scene::open().await?;
    let api = &scene.api;
    scene.gym.token(api, Role::Staff, &[scene.gym.branch.id]).await?;
    scene.gym.token(api, Role::Staff, &[scene.gym.other.id]).await?;
    scene.gym.token(api, Role::Admin, &[]).await?;
    let hear = async || {
        let token = scene.edge.start(api, "again").await?;
        api.get("/edge/v1/commands", Some(&token)).await
    };
    let pass = async |minutes: i64| {
        api.app.clock.advance(Duration::minutes(minutes));
        run_due_jobs(&api.app).await?;
        run_due_jobs(&api.app).await
    };
    let letters = |count: usize, subject: &str| vec![subject.to_owned(); count];
    let (silent, heard) = ("A branch is not heard any more", "A branch is heard again");

    pass(9).await?;
    assert_eq!(subjects(&scene), letters(0, silent));
    pass(2).await?;
    pass(60).await?;
    assert_eq!(subjects(&scene), letters(2, silent));
    hear().await?;
    pass(2).await?;
    pass(2).await?;

    assert_eq!(subjects(&scene), letters(2, heard));
    let kinds = sqlx::query_scalar::<_, String>(
        "SELECT string_agg(kind, ' ' ORDER BY arrival) FROM events_arrived WHERE kind LIKE 'branch:%'",
    );
    assert_eq!(kinds.fetch_one(&api.app.db).await?, "branch:silent branch:heard");
    Ok(())
}

#[tokio::test]
async fn a_branch_that_is_enrolled_anew_is_not_taken_for_silent() -> Result<()> {
    let scene = Scene::open().await?;
    let api = &scene.api;
    scene.gym.token(api, Role::Admin, &[]).await?;
    api.app.clock.advance(Duration::minutes(9));
    Edge::enrol(api, scene.gym.branch.id).await?;

    api.app.clock.advance(Duration::minutes(5));
    run_due_jobs(&api.app).await?;

    assert_eq!(subjects(&scene), Vec::<String>::new());
    Ok(())
}
