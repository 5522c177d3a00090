//! Profiles, preferences, health, activity, feedback.

use super::{Person, Scene, told};
use anyhow::Result;
use axum::http::Method;
use cloud_api::domains::accounts::Role;
use serde_json::{Value, json};

#[tokio::test]
async fn of_a_profile_only_what_is_sent_changes_and_null_clears() -> Result<()> {
    let scene = Scene::open().await?;
    let whole = json!({"first_name": "Ada", "date_of_birth": "1990-12-10", "bio": "Numbers.",
                       "time_zone": "Europe/London"});
    scene.put("/users/profile", whole).await?;

    let changed = json!({"bio": null, "gender": "female"});
    let changed = scene.send(&scene.ada, Method::PATCH, "/users/profile", changed).await?.json()?;

    assert_eq!((&changed["first_name"], &changed["bio"]), (&json!("Ada"), &Value::Null));
    assert_eq!(
        (&changed["gender"], &changed["date_of_birth"]),
        (&json!("female"), &json!("1990-12-10"))
    );
    assert_eq!(scene.get("/users/profile").await?.json()?, changed);
    Ok(())
}

#[tokio::test]
async fn a_birthday_of_tomorrow_and_a_time_zone_of_nowhere_are_refused() -> Result<()> {
    let scene = Scene::open().await?;
    let refused = async |body: Value| {
        let answer = scene.put("/users/profile", body).await?;
        anyhow::Ok((answer.status.as_u16(), answer.json()?["errors"][0]["field"].clone()))
    };

    let born = refused(json!({"date_of_birth": "2999-01-01"})).await?;
    let zone = refused(json!({"time_zone": "Moon/Base"})).await?;
    let long = refused(json!({"bio": "x".repeat(501)})).await?;

    assert_eq!(born, (422, json!("date_of_birth")));
    assert_eq!(zone, (422, json!("time_zone")));
    assert_eq!(long, (422, json!("bio")));
    Ok(())
}

#[tokio::test]
async fn preferences_are_private_until_somebody_says_otherwise() -> Result<()> {
    let scene = Scene::open().await?;
    let first = scene.get("/users/preferences").await?.json()?;

    let app = json!({"units": "imperial", "app": {"theme": "dark", "size": 2}});
    scene.put("/users/preferences", app).await?;
    let second = scene.put("/users/preferences", json!({"app": {"size": 3}})).await?.json()?;
    let null = scene.put("/users/preferences", json!({"units": null})).await?;

    assert_eq!(first["profile_visibility"], "private");
    assert_eq!((&first["workout_sharing"], &first["units"]), (&json!(false), &json!("metric")));
    assert_eq!(second["app"], json!({"theme": "dark", "size": 3}));
    assert_eq!(second["units"], "imperial");
    assert_eq!(null.status, 422);
    Ok(())
}

#[tokio::test]
async fn people_are_found_by_others_only_if_they_want_to_and_by_staff_always() -> Result<()> {
    let scene = Scene::open().await?;
    let ben = scene.person("ben@example.com", Role::Member, &[]).await?;
    let staff = scene.person("staff@example.com", Role::Staff, &[scene.gym.branch.id]).await?;
    let elsewhere = crate::gym::Gym::open(&scene.api, "Elsewhere").await?;
    let foreign =
        Person::enter(&scene.api, &elsewhere, "eve@example.com", Role::Admin, &[]).await?;
    let found = async |who: &Person| {
        let answer = scene.api.get("/api/v1/users/search?q=ADA%40", Some(&who.token)).await?;
        anyhow::Ok(answer.json()?["items"].as_array().map_or(0, Vec::len))
    };

    let before = (found(&ben).await?, found(&staff).await?, found(&foreign).await?);
    scene.put("/users/preferences", json!({"profile_visibility": "public"})).await?;
    let after = (found(&ben).await?, found(&staff).await?, found(&foreign).await?);

    assert_eq!((before, after), ((0, 1, 0), (1, 1, 0)));
    Ok(())
}

#[tokio::test]
async fn what_somebody_does_is_listed_filtered_and_summed_up() -> Result<()> {
    let scene = Scene::open().await?;
    scene.put("/users/body-metrics", json!({"weight_kg": 80})).await?;

    let all = scene.get("/users/activity").await?.json()?;
    let measured = scene.get("/users/activity?type=body_measured").await?.json()?;
    let summary = scene.get("/users/activity/summary?period=day").await?.json()?;
    let page = scene.get("/users/activity?limit=1").await?.json()?;

    let kinds = |list: &Value| {
        let items = list["items"].as_array().cloned().unwrap_or_default();
        items.iter().map(|act| act["type"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(kinds(&all), [json!("body_measured"), json!("login")]);
    assert_eq!(kinds(&measured), [json!("body_measured")]);
    assert_eq!(
        (&summary["items"][0]["other"], &summary["items"][0]["visits"]),
        (&json!(1), &json!(0))
    );
    let cursor = page["next_cursor"].as_str().unwrap_or_default();
    let rest = scene.get(&format!("/users/activity?limit=1&cursor={cursor}")).await?.json()?;
    assert_eq!(kinds(&rest), [json!("login")]);
    Ok(())
}

#[tokio::test]
async fn use_of_the_app_is_counted_only_with_consent() -> Result<()> {
    let scene = Scene::open().await?;
    let now = scene.api.app.clock.now().format(&time::format_description::well_known::Rfc3339)?;
    let event = json!({"at": now, "feature": "timer", "seconds": 30});
    let old = json!({"at": "2020-01-01T00:00:00Z", "feature": "timer"});
    let events = json!({"events": [event, event, old]});

    let without = scene.post("/users/activity/events", events.clone()).await?;
    scene.agree("usage").await?;
    let with = scene.post("/users/activity/events", events).await?;
    let usage = scene.get("/users/activity/usage").await?.json()?;

    assert_eq!(told(&without)?, (409, json!("consent_needed")));
    assert_eq!(with.status, 204);
    assert_eq!(
        (&usage["items"][0]["uses"], &usage["items"][0]["seconds"]),
        (&json!(2), &json!(60))
    );
    Ok(())
}

#[tokio::test]
async fn feedback_reaches_who_runs_the_organization_and_nobody_else() -> Result<()> {
    let scene = Scene::open().await?;
    let admin = scene.person("admin@example.com", Role::Admin, &[]).await?;
    let elsewhere = crate::gym::Gym::open(&scene.api, "Elsewhere").await?;
    let foreign =
        Person::enter(&scene.api, &elsewhere, "eve@example.com", Role::Admin, &[]).await?;
    let feedback = json!({"kind": "feature", "message": "A timer,\nplease."});
    let listed = async |who: &Person| {
        let answer = scene.api.get("/api/v1/admin/feedback", Some(&who.token)).await?;
        anyhow::Ok(answer.json()?["items"].clone())
    };

    let given = scene.post("/users/feedback", feedback).await?;

    assert_eq!(given.status, 201);
    assert_eq!(listed(&admin).await?[0]["message"], "A timer,\nplease.");
    assert_eq!(listed(&foreign).await?, json!([]));
    assert_eq!(scene.get("/admin/feedback").await?.status, 403);
    Ok(())
}

#[tokio::test]
async fn an_account_says_how_it_stands() -> Result<()> {
    let scene = Scene::open().await?;

    let account = scene.get("/users/account").await?.json()?;

    assert_eq!((&account["status"], &account["plan"]), (&json!("active"), &json!("free")));
    assert_eq!((&account["member_no"], &account["erased_at"]), (&Value::Null, &Value::Null));
    Ok(())
}
