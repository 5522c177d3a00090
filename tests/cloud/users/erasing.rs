//! Leaving: a time to think better of it, and then nothing is left.

use super::{Scene, log_in, told};
use anyhow::Result;
use bytes::Bytes;
use cloud_api::domains::accounts::Role;
use cloud_api::domains::members::{self, Proof};
use serde_json::{Value, json};
use time::Duration;

#[tokio::test]
async fn an_account_is_kept_by_who_thinks_better_of_it() -> Result<()> {
    let scene = Scene::open().await?;

    let asked = scene.delete("/users/account").await?;
    let letters = scene.letters().await?;
    let marked = scene.get("/users/account").await?.json()?;
    let kept = scene.post("/users/account/restore", json!({})).await?;
    scene.api.app.clock.advance(Duration::days(31));
    scene.letters().await?;

    assert_eq!(asked.status, 202);
    assert_eq!(letters, ["Your account will be deleted"]);
    assert_eq!(marked["erased_at"], asked.json()?["erased_at"]);
    assert_eq!(kept.status, 204);
    assert_eq!(log_in(&scene.api, &scene.ada.email).await?.status, 200);
    Ok(())
}

#[tokio::test]
async fn staff_do_not_delete_their_accounts_themselves() -> Result<()> {
    let scene = Scene::open().await?;
    let staff = scene.person("staff@example.com", Role::Staff, &[scene.gym.branch.id]).await?;

    let refused = scene.api.delete("/api/v1/users/account", Some(&staff.token)).await?;

    assert_eq!(told(&refused)?, (409, json!("staff_account")));
    Ok(())
}

/// Every row of every table as text, but for the log and sealed letters.
async fn everything(scene: &Scene) -> Result<String> {
    let db = &scene.api.app.db;
    let tables: Vec<String> = sqlx::query_scalar(
        "SELECT quote_ident(tablename) FROM pg_tables WHERE schemaname = 'public'
         AND tablename NOT IN ('audit_log', 'outbox', 'jobs')",
    )
    .fetch_all(db)
    .await?;
    let mut rows = String::new();
    for table in tables {
        let sql = sqlx::AssertSqlSafe(format!("SELECT row_to_json(t)::text FROM {table} AS t"));
        rows.extend(sqlx::query_scalar::<_, String>(sql).fetch_all(db).await?);
    }
    Ok(rows)
}

#[tokio::test]
async fn after_the_grace_period_nothing_is_left_but_ids_in_the_log() -> Result<()> {
    let scene = Scene::open().await?;
    let (app, gym) = (&scene.api.app, scene.gym.organization);
    scene.put("/users/profile", json!({"first_name": "Augusta"})).await?;
    scene.put("/users/body-metrics", json!({"weight_kg": 80})).await?;
    let member = scene.gym.member(&scene.api, "Augusta", None).await?;
    let mut tx = app.db.begin().await?;
    members::set_user(&mut tx, member.id, scene.ada.id).await?;
    let proof = Proof::NfcUid("04de5f1eacc040".parse()?);
    members::add_credential(&mut tx, gym, member.id, &proof, None, app.clock.now()).await?;
    tx.commit().await?;
    scene.put("/users/visibility", json!({"weight": "staff"})).await?;
    let entry = scene.get("/users/body-metrics").await?.json()?["items"][0]["id"].clone();
    let photos = format!("/users/body-metrics/{}/photos?pose=side", entry.as_str().unwrap_or(""));
    scene.upload(&photos, "file", &super::avatars::picture()?).await?;
    scene.upload("/scans/upload", "file", b"Date,Name,Weight\n2026-01-31,Augusta,80\n").await?;
    let file = format!("users/{}/x/large", scene.ada.id);
    app.files.put(&file, Bytes::from_static(b"picture")).await?;
    scene.delete("/users/account").await?;
    scene.letters().await?;

    app.clock.advance(Duration::days(31));
    let letters = scene.letters().await?;

    assert!(letters.contains(&"Your account was deleted".to_owned()), "{letters:?}");
    let left = everything(&scene).await?;
    assert!(!left.contains("Augusta") && !left.contains(&scene.ada.email), "{left}");
    assert!(!left.contains(&scene.ada.id.to_string()), "{left}");
    assert_eq!(app.files.get(&file).await?, None);
    assert_eq!(log_in(&scene.api, &scene.ada.email).await?.status, 401);
    let told: Value = sqlx::query_scalar("SELECT data FROM outbox WHERE kind = 'account.erased'")
        .fetch_one(&app.db)
        .await?;
    assert_eq!(told["member_id"], json!(member.id));
    let logged: i64 =
        sqlx::query_scalar("SELECT count(*) FROM audit_log WHERE action = 'account.erased'")
            .fetch_one(&app.db)
            .await?;
    assert_eq!(logged, 1);
    Ok(())
}

#[tokio::test]
async fn a_door_forgets_who_was_erased() -> Result<()> {
    use crate::changes::ask;
    use protocol::sync::changes::Change;
    let scene = crate::edge::Scene::open().await?;
    let (api, gym) = (&scene.api, &scene.gym);
    let email = "ada@example.com";
    let ada = super::Person::enter(api, gym, email, Role::Member, &[]).await?;
    let member = gym.member(api, "Ada", None).await?;
    members::set_user(&mut *api.app.db.acquire().await?, member.id, ada.id).await?;
    let before = ask(&scene, 0, 0).await?.to;
    api.delete("/api/v1/users/account", Some(&ada.token)).await?;

    api.app.clock.advance(Duration::days(31));
    cloud_api::jobs::run_due_jobs(&api.app).await?;

    let changes =
        sqlx::query_scalar::<_, i64>("SELECT count(*) FROM members WHERE removed_at IS NULL");
    assert_eq!(changes.fetch_one(&api.app.db).await?, 0);
    api.app.clock.advance(-Duration::days(31));
    let told = ask(&scene, before, 0).await?.changes;
    let is_gone = told.iter().any(|change| {
        matches!(change, Change::Roster { id, item, .. }
            if *id == *member.id.0.as_bytes() && item.is_empty())
    });
    assert!(is_gone, "{told:?}");
    Ok(())
}

#[tokio::test]
async fn what_was_kept_for_long_enough_is_forgotten() -> Result<()> {
    let scene = Scene::open().await?;
    scene.put("/users/body-metrics", json!({"weight_kg": 80})).await?;
    scene.post("/users/feedback", json!({"kind": "praise", "message": "Nice."})).await?;
    let rows = async || {
        let count = sqlx::query_scalar::<_, i64>(
            "SELECT (SELECT count(*) FROM user_activity) + (SELECT count(*) FROM feedback)",
        );
        anyhow::Ok(count.fetch_one(&scene.api.app.db).await?)
    };

    let before = rows().await?;
    scene.api.app.clock.advance(Duration::days(3 * 365 + 1));
    scene.letters().await?;

    assert_eq!((before, rows().await?), (2, 0));
    Ok(())
}

#[tokio::test]
async fn addresses_in_the_log_are_forgotten_in_time_and_sooner_of_who_was_erased() -> Result<()> {
    let scene = Scene::open().await?;
    let ben = scene.person("ben@example.com", Role::Member, &[]).await?;
    let noted = async || {
        let of = sqlx::query_as::<_, (Option<uuid::Uuid>, bool)>(
            "SELECT actor_id, address IS NOT NULL FROM audit_log
             WHERE action = 'profile.changed' ORDER BY id",
        );
        anyhow::Ok(of.fetch_all(&scene.api.app.db).await?)
    };
    scene.put("/users/profile", json!({"bio": "a"})).await?;
    let body = json!({"bio": "b"});
    scene.send(&ben, axum::http::Method::PUT, "/users/profile", body).await?;
    scene.delete("/users/account").await?;

    let (ada, ben) = (Some(scene.ada.id.0), Some(ben.id.0));
    scene.api.app.clock.advance(Duration::days(31));
    scene.letters().await?;
    scene.api.app.clock.advance(Duration::days(1));
    scene.letters().await?;
    let erased = noted().await?;
    scene.api.app.clock.advance(Duration::days(150));
    scene.letters().await?;

    assert_eq!(erased, [(ada, false), (ben, true)]);
    assert_eq!(noted().await?, [(ada, false), (ben, false)]);
    Ok(())
}
