//! What people agree to, and what hangs on it.

use super::{Scene, told};
use anyhow::Result;
use serde_json::{Value, json};

async fn kept(scene: &Scene) -> Result<String> {
    let rows: Vec<Vec<u8>> =
        sqlx::query_scalar("SELECT sealed FROM user_health").fetch_all(&scene.api.app.db).await?;
    Ok(String::from_utf8_lossy(&rows.concat()).into_owned())
}

#[tokio::test]
async fn health_is_kept_with_consent_only_and_sealed() -> Result<()> {
    let scene = Scene::open().await?;
    let asthma = json!({"health_conditions": ["asthma"], "goals": ["endurance"]});
    let nuts = json!({"allergies": ["peanuts"], "diet": "vegan"});

    let without = scene.put("/users/fitness-profile", asthma.clone()).await?;
    scene.agree("health_data").await?;
    scene.put("/users/fitness-profile", asthma).await?;
    scene.put("/users/diet-preferences", nuts).await?;

    assert_eq!(told(&without)?, (409, json!("consent_needed")));
    let fitness = scene.get("/users/fitness-profile").await?.json()?;
    assert_eq!(fitness["health_conditions"], json!(["asthma"]));
    let kept = kept(&scene).await?;
    assert!(!kept.contains("asthma") && !kept.contains("peanuts"));
    Ok(())
}

#[tokio::test]
async fn what_was_kept_with_a_consent_is_forgotten_with_it() -> Result<()> {
    let scene = Scene::open().await?;
    scene.agree("health_data").await?;
    let asthma = json!({"health_conditions": ["asthma"], "goals": ["endurance"]});
    scene.put("/users/fitness-profile", asthma).await?;

    scene.put("/users/consents", json!({"version": "1", "health_data": false})).await?;

    let fitness = scene.get("/users/fitness-profile").await?.json()?;
    assert_eq!(fitness["health_conditions"], json!([]));
    assert_eq!(fitness["goals"], json!(["endurance"]));
    Ok(())
}

#[tokio::test]
async fn every_decision_is_kept_in_order_and_nothing_is_given_at_first() -> Result<()> {
    let scene = Scene::open().await?;
    let first = scene.get("/users/consents").await?.json()?;
    let decide = async |version: &str, given: bool| {
        let body = json!({"version": version, "marketing": given});
        anyhow::Ok(scene.put("/users/consents", body).await?.status)
    };

    decide("1", true).await?;
    decide("1", true).await?;
    decide("2", true).await?;
    decide("2", false).await?;
    let history = scene.get("/users/consents/history").await?.json()?;

    let given = |list: &Value| {
        let items = list["items"].as_array().cloned().unwrap_or_default();
        items.iter().filter(|one| one["is_given"] == true).count()
    };
    assert_eq!((first["items"].as_array().map(Vec::len), given(&first)), (Some(5), 0));
    let items = history["items"].as_array().cloned().unwrap_or_default();
    let told: Vec<_> = items.iter().map(|one| (&one["version"], &one["is_given"])).collect();
    let (one, two) = (json!("1"), json!("2"));
    assert_eq!(told, [(&two, &json!(false)), (&two, &json!(true)), (&one, &json!(true))]);
    Ok(())
}
