//! Files of body scanners.

use super::{Scene, told};
use anyhow::Result;
use serde_json::{Value, json};

const TABLE: &str = "date,Weight(kg),Skeletal Muscle Mass(kg),Percent Body Fat(%)\n\
                     20260110080000,81.0,36.0,19.0\n\
                     20260131123456,80.5,36.1,18.5\n";

async fn entries(scene: &Scene) -> Result<Value> {
    scene.get("/users/body-metrics").await?.json()
}

#[tokio::test]
async fn a_file_of_a_scanner_becomes_entries_and_the_same_file_twice_is_one_scan() -> Result<()> {
    let scene = Scene::open().await?;

    let first = scene.upload("/scans/upload", "file", TABLE.as_bytes()).await?;
    let again = scene.upload("/upload/scan-data", "file", TABLE.as_bytes()).await?;
    let told = entries(&scene).await?;

    assert_eq!((first.status.as_u16(), again.status.as_u16()), (201, 200));
    assert_eq!(first.json()?["id"], again.json()?["id"]);
    assert_eq!(told["items"].as_array().map(Vec::len), Some(2));
    let newest = &told["items"][0];
    assert_eq!((&newest["source"], &newest["measured_on"]), (&json!("scan"), &json!("2026-01-31")));
    assert_eq!(told["current"]["body_fat_pct"], 18.5);
    assert_eq!(told["current"]["composition"]["skeletal_muscle_kg"], 36.1);
    let span = "/users/body-metrics/history?from=2026-01-01&to=2026-01-31";
    let history = scene.get(span).await?.json()?;
    assert_eq!(history["progress"]["skeletal_muscle_kg"]["entries"], 2);
    Ok(())
}

#[tokio::test]
async fn a_later_file_counts_for_its_days_and_what_was_told_by_hand_stays() -> Result<()> {
    let scene = Scene::open().await?;
    scene.upload("/scans/upload", "file", TABLE.as_bytes()).await?;
    let by_hand = json!({"measured_on": "2026-01-31", "weight_kg": 82});
    scene.post("/users/body-metrics", by_hand).await?;

    let corrected = "Test Date;Weight\n2026-01-31;79,5\n";
    let taken = scene.upload("/scans/upload", "file", corrected.as_bytes()).await?.json()?;
    let told = entries(&scene).await?;

    assert_eq!(taken["items"].as_array().map(Vec::len), Some(1));
    assert_eq!(taken["items"][0]["weight_kg"], 79.5);
    let of_day: Vec<_> = told["items"].as_array().into_iter().flatten().collect();
    assert_eq!(of_day.len(), 3);
    Ok(())
}

#[tokio::test]
async fn what_is_no_table_or_cannot_be_is_refused_and_nothing_is_kept() -> Result<()> {
    let scene = Scene::open().await?;
    let upload = async |text: &[u8]| scene.upload("/scans/upload", "file", text).await;

    let pdf = upload(b"%PDF-1.4 \xff\xfe").await?;
    let heavy = upload(b"Date,Weight\n2026-01-30,80\n2026-01-31,9000\n").await?;
    let tomorrow = upload(b"Date,Weight\n2999-01-31,80\n").await?;
    let long = upload(&vec![b'a'; 256 * 1024 + 1]).await?;

    assert_eq!(told(&pdf)?, (415, json!("unsupported_media_type")));
    assert_eq!(heavy.status, 422);
    let error = heavy.json()?["errors"][0].clone();
    assert_eq!(error["field"], "file");
    assert!(error["message"].as_str().is_some_and(|text| text.contains("line 3")), "{error}");
    assert_eq!(tomorrow.status, 422);
    assert_eq!(told(&long)?, (413, json!("payload_too_large")));
    assert_eq!(entries(&scene).await?["items"], json!([]));
    Ok(())
}
