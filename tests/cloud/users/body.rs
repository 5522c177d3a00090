//! Measures of bodies.

use super::{Scene, told};
use anyhow::{Context, Result};
use cloud_api::domains::accounts::Role;
use serde_json::{Value, json};

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or(f64::NAN)
}

#[tokio::test]
async fn today_is_measured_bit_by_bit_and_what_follows_is_told() -> Result<()> {
    let scene = Scene::open().await?;
    scene.put("/users/profile", json!({"gender": "male", "date_of_birth": "1990-01-01"})).await?;
    let training = json!({"activity_level": "moderate", "target_weight_kg": 75});
    scene.put("/users/fitness-profile", training).await?;

    scene.put("/users/body-metrics", json!({"weight_kg": 80, "notes": "rested"})).await?;
    let girths = json!({"waist": 85, "neck": 38, "hips": null});
    let body = json!({"height_cm": 180, "girths_cm": girths});
    let entry = scene.put("/users/body-metrics", body).await?.json()?;
    let told = scene.get("/users/body-metrics").await?.json()?;

    assert_eq!((&entry["weight_kg"], &entry["notes"]), (&json!(80.0), &json!("rested")));
    assert_eq!(told["items"].as_array().map(Vec::len), Some(1));
    let current = &told["current"];
    assert!((number(&current["bmi"]) - 24.69).abs() < 0.005, "{current}");
    assert!((number(&current["body_fat_by_girths_pct"]) - 16.107).abs() < 0.001, "{current}");
    assert_eq!(current["bmi_class"], "normal");
    assert_eq!(current["energy"]["method"], "mifflin_st_jeor");
    assert_eq!(
        (&current["target_weight_kg"], &current["display"]["weight"]),
        (&json!(75.0), &json!("80.0 kg"))
    );
    Ok(())
}

#[tokio::test]
async fn numbers_are_shown_in_the_units_of_the_preferences_and_kept_in_si() -> Result<()> {
    let scene = Scene::open().await?;
    scene.put("/users/preferences", json!({"units": "imperial"})).await?;

    scene.put("/users/body-metrics", json!({"weight_kg": 80, "height_cm": 180})).await?;
    let current = scene.get("/users/body-metrics").await?.json()?["current"].clone();

    assert_eq!(current["weight_kg"], 80.0);
    let expected = json!({"units": "imperial", "weight": "176.4 lb", "height": "5 ft 11 in"});
    assert_eq!(current["display"], expected);
    Ok(())
}

#[tokio::test]
async fn a_day_has_one_entry_that_is_changed_moved_and_deleted() -> Result<()> {
    let scene = Scene::open().await?;
    let on = |day: &str, kg: i32| json!({"measured_on": day, "weight_kg": kg});
    let made = scene.post("/users/body-metrics", on("2026-01-01", 82)).await?.json()?;
    scene.post("/users/body-metrics", on("2026-01-08", 81)).await?;
    let path = format!("/users/body-metrics/{}", made["id"].as_str().context("no id")?);

    let again = scene.post("/users/body-metrics", on("2026-01-01", 90)).await?;
    let moved = scene.put(&path, json!({"measured_on": "2026-01-08"})).await?;
    let changed = scene.put(&path, json!({"body_fat_pct": 20})).await?.json()?;
    let empty = scene.put(&path, json!({"body_fat_pct": null, "weight_kg": null})).await?;

    assert_eq!(told(&again)?, (409, json!("day_taken")));
    assert_eq!(told(&moved)?, (409, json!("day_taken")));
    assert_eq!((&changed["weight_kg"], &changed["body_fat_pct"]), (&json!(82.0), &json!(20.0)));
    assert_eq!(empty.status, 422);
    assert_eq!(scene.delete(&path).await?.status, 204);
    assert_eq!(scene.delete(&path).await?.status, 404);
    Ok(())
}

#[tokio::test]
async fn a_history_has_trends() -> Result<()> {
    let scene = Scene::open().await?;
    for (day, kg) in [("2026-01-01", 82), ("2026-01-08", 81), ("2026-01-15", 80)] {
        let entry = json!({"measured_on": day, "weight_kg": kg, "girths_cm": {"waist": kg}});
        scene.post("/users/body-metrics", entry).await?;
    }

    let span = "/users/body-metrics/history?from=2026-01-01&to=2026-01-31";
    let history = scene.get(span).await?.json()?;
    let beyond = scene.get("/progress/body/history?from=2020-01-01&to=2026-01-01").await?;

    let weight = &history["progress"]["weight_kg"];
    assert_eq!((&weight["entries"], &weight["change"]), (&json!(3), &json!(-2.0)));
    assert!((number(&weight["slope_per_week"]) + 1.0).abs() < 1e-9, "{weight}");
    assert_eq!(history["progress"]["waist_cm"], *weight);
    assert_eq!(history["items"][0]["measured_on"], "2026-01-01");
    assert_eq!(beyond.status, 422);
    Ok(())
}

#[tokio::test]
async fn medical_values_have_bounds() -> Result<()> {
    let scene = Scene::open().await?;
    let wrong = [
        json!({"weight_kg": 19.9}),
        json!({"weight_kg": 500.1}),
        json!({"height_cm": 272.1}),
        json!({"body_fat_pct": 1.9}),
        json!({"resting_heart_rate_bpm": 251}),
        json!({"girths_cm": {"waist": 4}}),
        json!({"girths_cm": {"Waist!": 80}}),
        json!({"weight_kg": 80, "measured_on": "2999-01-01"}),
        json!({}),
    ];

    for body in wrong {
        let answer = scene.post("/users/body-metrics", body.clone()).await?;
        assert_eq!(answer.status, 422, "{body}");
        assert!(answer.json()?["errors"][0]["field"].is_string(), "{body}");
    }
    Ok(())
}

#[tokio::test]
async fn measures_are_their_owners_alone_and_notes_are_sealed() -> Result<()> {
    let scene = Scene::open().await?;
    let admin = scene.person("admin@example.com", Role::Admin, &[]).await?;
    let made = json!({"weight_kg": 80, "notes": "hidden thoughts"});
    let made = scene.post("/users/metrics", made).await?.json()?;
    let path = format!("/api/v1/users/body-metrics/{}", made["id"].as_str().context("no id")?);

    let foreign = scene.api.delete(&path, Some(&admin.token)).await?;
    let kept: Vec<u8> =
        sqlx::query_scalar("SELECT notes FROM body_metrics").fetch_one(&scene.api.app.db).await?;

    assert_eq!(foreign.status, 404);
    assert!(!String::from_utf8_lossy(&kept).contains("thoughts"));
    Ok(())
}
